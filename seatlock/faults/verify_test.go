package faults_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/oracle"
	"booking/seatlock/redistest"
)

// requireNoFindings verifies the load. Any finding fails the test. It empties the servers
// and drops the calls.
func (l *load) requireNoFindings(longestHold time.Duration, servers ...*redis.Client) {
	l.t.Helper()
	findings := l.verify(longestHold, servers...)
	l.counters.countLost(findings)
	if len(findings) > 0 {
		l.t.Errorf("%d findings, the first: %v", len(findings), findings[0])
	}
	if l.t.Failed() {
		saveHistory(l.t, l.calls, findings)
	}
	l.calls = nil // the test's cleanup still refers to l
	for _, server := range servers {
		require.NoError(l.t, server.FlushAll(l.t.Context()).Err())
	}
}

// verify stops the load and returns the findings of the oracle. longestHold is the longest
// time that a hold lasts. It also fails the test unless each unsold seat of the last event
// can be reserved again, and unless the seat maps have exactly the seats that are sold.
func (l *load) verify(longestHold time.Duration, servers ...*redis.Client) []oracle.Finding {
	l.t.Helper()
	l.stop()
	final := readState(l.t, l.prefix, servers...)
	for n := range eventSeats {
		event, seat := l.event(), seatName(n)
		if final[oracle.SeatID{Event: event, Seat: seat}].Status == seatlock.Sold {
			continue
		}
		require.Eventually(l.t, func() bool {
			return l.call(0, oracle.Call{Op: oracle.Reserve, Event: event, Seats: []string{seat}, User: "late" + seat}).Outcome == oracle.Done
		}, waitLimit, 5*time.Millisecond, "unsold seat %s can't be reserved", seat)
	}
	final = readState(l.t, l.prefix, servers...)
	findings := oracle.Check(oracle.History{Calls: l.calls, HoldTime: longestHold}, final)
	for _, s := range final {
		if s.Status == seatlock.Sold {
			l.counters.sales.Add(1)
		}
	}
	for number := range l.number + 1 {
		l.requireMap(l.eventName(number), final)
	}
	return findings
}

// requireMap fails the test unless the seat map of an event has exactly the seats that are
// sold.
func (l *load) requireMap(event string, final oracle.Final) {
	l.t.Helper()
	seatMap, err := l.lockers[0].Map(l.t.Context(), event)
	require.NoError(l.t, err)
	got, want := []string{}, []string{}
	for _, s := range seatMap.Seats {
		if s.Status == seatlock.Sold {
			got = append(got, s.ID)
		}
	}
	for id, s := range final {
		if id.Event == event && s.Status == seatlock.Sold {
			want = append(want, id.Seat)
		}
	}
	assert.ElementsMatch(l.t, want, got, "the seat map of %s", event)
}

// readState reads the state of each seat from its key, for the events whose names begin
// with prefix.
func readState(t *testing.T, prefix string, servers ...*redis.Client) oracle.Final {
	t.Helper()
	final := oracle.Final{}
	for _, server := range servers {
		keys := server.Scan(t.Context(), 0, "seat:{"+prefix+"*", 1000).Iterator()
		var names []string
		for keys.Next(t.Context()) {
			names = append(names, keys.Val())
		}
		require.NoError(t, keys.Err())
		slices.Sort(names)
		for part := range slices.Chunk(slices.Compact(names), 500) {
			values := make([]*redis.StringCmd, len(part))
			ttls := make([]*redis.DurationCmd, len(part))
			_, err := server.Pipelined(t.Context(), func(p redis.Pipeliner) error {
				for i, key := range part {
					values[i], ttls[i] = p.Get(t.Context(), key), p.PTTL(t.Context(), key)
				}
				return nil
			})
			require.NoError(t, ignoreNil(err))
			for i, key := range part {
				if s, exists := state(values[i].Val(), ttls[i].Val()); exists {
					event, seat, _ := strings.Cut(strings.TrimPrefix(key, "seat:{"), "}:")
					final[oracle.SeatID{Event: event, Seat: seat}] = s
				}
			}
		}
	}
	return final
}

// ignoreNil returns err, or nil if err means that a key does not exist.
func ignoreNil(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// state parses the value of a seat's key.
func state(value string, ttl time.Duration) (s oracle.State, exists bool) {
	s = oracle.State{TTL: ttl >= 0}
	if user, order, sold := redistest.SaleOf(value); sold {
		s.User, s.Order, s.Status = user, order, seatlock.Sold
	} else if hold := strings.SplitN(value, ":", 4); hold[0] == "held" {
		s.User, s.Status = hold[3], seatlock.Reserved
	}
	return s, value != "" && ttl != -2 // -2: the key expired between the two commands
}
