package faults_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/oracle"
)

// dump reads from the keys of servers how every seat stands whose event's name begins
// with prefix.
func dump(t *testing.T, prefix string, servers ...*redis.Client) oracle.Final {
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
				if s, there := state(values[i].Val(), ttls[i].Val()); there {
					event, seat, _ := strings.Cut(strings.TrimPrefix(key, "seat:{"), "}:")
					final[oracle.SeatID{Event: event, Seat: seat}] = s
				}
			}
		}
	}
	return final
}

// ignoreNil is err, but for that of a key that is gone.
func ignoreNil(err error) error {
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return err
}

// state reads the value of a seat's key.
func state(value string, ttl time.Duration) (s oracle.State, there bool) {
	s = oracle.State{TTL: ttl >= 0}
	if user, sold := strings.CutPrefix(value, "sold:"); sold {
		s.User, s.Status = user, seatlock.Sold
	} else if hold := strings.SplitN(value, ":", 4); hold[0] == "held" {
		s.User, s.Status = hold[3], seatlock.Reserved
	}
	return s, value != "" && ttl != -2 // it ended while it was read
}
