package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"booking/seatlock"
	"booking/seatlock/oracle"
	"booking/seatlock/redistest"
)

const (
	holdTime = 300 * time.Millisecond
	patience = redistest.Patience
	hallSize = 24
	hallSold = 18 // when the crowd goes to the next event
)

// tally counts what became of calls. Its String is what a test did and what was lost.
type tally struct {
	rounds, faults                        atomic.Int64
	calls, done, refused, notRun, unknown atomic.Int64
	sales, lost, resold                   atomic.Int64
}

func (n *tally) String() string {
	return fmt.Sprintf("%d rounds, %d faults; %d calls: %d done, %d refused, %d unavailable, %d unknown; %d seats sold, %d sales lost, %d of these sold again",
		n.rounds.Load(), n.faults.Load(), n.calls.Load(), n.done.Load(), n.refused.Load(), n.notRun.Load(), n.unknown.Load(), n.sales.Load(), n.lost.Load(), n.resold.Load())
}

// unanswered counts the calls that were told of a fault.
func (n *tally) unanswered() int64 { return n.notRun.Load() + n.unknown.Load() }

// report prints the tally when the test ends.
func (n *tally) report(t *testing.T) {
	t.Cleanup(func() { t.Logf("%s: -seed %d: %v", t.Name(), *seed, n) })
}

// crowd is buyers who make calls without pause until they are told to stop, each for
// a few seats of a hall that many want, and every time as another user. When a hall
// is nearly sold they go to the next. What they don't know they ask again.
type crowd struct {
	t       *testing.T
	name    string // with which the names of its events begin
	lockers []*seatlock.Locker
	limit   *rate.Limiter // of calls; nil for none
	tally   *tally
	start   time.Time
	ctx     context.Context
	stop    context.CancelFunc
	buyers  sync.WaitGroup

	mu    sync.Mutex
	calls []oracle.Call
	hall  int // the number of the event
	sold  int // seats of it
}

// gather starts n buyers, each at one of the lockers.
func gather(t *testing.T, round, n int, counts *tally, limit *rate.Limiter, lockers ...*seatlock.Locker) *crowd {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	c := &crowd{t: t, name: fmt.Sprintf("round%d-", round), lockers: lockers, limit: limit, tally: counts, start: time.Now(), ctx: ctx, stop: stop}
	counts.rounds.Add(1)
	for i := range n {
		c.buyers.Go(func() { c.buyer(i, random(round, i)) })
	}
	t.Cleanup(c.leave)
	return c
}

// leave stops the buyers and waits until each knows what became of its last call.
func (c *crowd) leave() {
	c.stop()
	c.buyers.Wait()
}

// awaitDone waits until n more calls than now are done.
func (c *crowd) awaitDone(n int64) {
	c.t.Helper()
	want := c.tally.done.Load() + n
	require.Eventually(c.t, func() bool { return c.tally.done.Load() >= want }, patience, time.Millisecond, "the crowd is too slow to prove anything")
}

// awaitCalls waits until n more calls than now have an answer, be it only that of an
// outage.
func (c *crowd) awaitCalls(n int64) {
	c.t.Helper()
	want := c.tally.calls.Load() + n
	require.Eventually(c.t, func() bool { return c.tally.calls.Load() >= want }, patience, time.Millisecond, "the crowd stands still")
}

// event returns the name of the hall that is sold now.
func (c *crowd) event() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint(c.name, c.hall)
}

func (c *crowd) buyer(number int, choice *rand.Rand) {
	for i := 0; c.ctx.Err() == nil; i++ {
		user := fmt.Sprintf("user%d.%d", number, i)
		event := c.event()
		first, seats := choice.IntN(hallSize), []string{}
		for k := range 1 + choice.IntN(3) {
			seats = append(seats, seatName((first+k)%hallSize))
		}
		settle := func(op oracle.Op) oracle.Outcome { return c.settle(number, op, event, seats, user) }
		// Whoever was refused may try all the same to take what is another's.
		if settle(oracle.Reserve) != oracle.Done {
			if choice.IntN(4) == 0 {
				settle([]oracle.Op{oracle.Buy, oracle.Extend, oracle.Release}[choice.IntN(3)])
			}
			continue
		}
		if choice.IntN(4) == 0 {
			settle(oracle.Reserve)
		}
		if choice.IntN(4) == 0 {
			settle(oracle.Extend)
		}
		switch choice.IntN(6) {
		case 0, 1:
			settle(oracle.Buy)
			if choice.IntN(2) == 0 {
				settle([]oracle.Op{oracle.Buy, oracle.Reserve, oracle.Release, oracle.Extend}[choice.IntN(4)])
			}
		case 2, 3, 4:
			settle(oracle.Release)
		}
	}
}

func seatName(n int) string { return fmt.Sprintf("%d%c", 1+n/6, 'A'+n%6) }

// settle makes a call until its outcome is known.
func (c *crowd) settle(buyer int, op oracle.Op, event string, seats []string, user string) oracle.Outcome {
	var since time.Time // the crowd was told to leave
	for attempt := 0; ; attempt++ {
		call := c.call(buyer+attempt, op, event, seats, user)
		if call.Outcome == oracle.Done || call.Outcome == oracle.Refused {
			return call.Outcome
		}
		if c.ctx.Err() != nil && since.IsZero() {
			since = time.Now()
		}
		if !since.IsZero() && time.Since(since) > patience {
			c.t.Errorf("does not settle: %v", call)
			return call.Outcome
		}
		<-time.After(2 * time.Millisecond)
	}
}

// call makes one call at a locker and notes its answer.
func (c *crowd) call(locker int, op oracle.Op, event string, seats []string, user string) oracle.Call {
	ctx, l := context.Background(), c.lockers[locker%len(c.lockers)]
	if c.limit != nil {
		_ = c.limit.Wait(ctx) // which fails only where its context ends
	}
	call := oracle.Call{Op: op, Event: event, Seats: seats, User: user, Sent: time.Since(c.start)}
	var hold seatlock.Hold
	var err error
	switch op {
	case oracle.Reserve:
		hold, err = l.Reserve(ctx, event, seats, user)
	case oracle.Extend:
		hold, err = l.Extend(ctx, event, seats, user)
	case oracle.Buy:
		err = l.Buy(ctx, event, seats, user)
	case oracle.Release:
		err = l.Release(ctx, event, seats, user)
	}
	call.Answered = time.Since(c.start)
	call.Hold = hold.ExpiresIn
	call.Outcome, call.Conflicts = outcome(c.t, err)
	c.tally.count(call)

	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call)
	if op == oracle.Buy && call.Outcome == oracle.Done && event == fmt.Sprint(c.name, c.hall) {
		if c.sold += len(seats); c.sold >= hallSold {
			c.hall, c.sold = c.hall+1, 0
		}
	}
	return call
}

// outcome reads the error of a call; one that the package doesn't name is a failure.
func outcome(t *testing.T, err error) (oracle.Outcome, []seatlock.Seat) {
	var conflict *seatlock.ConflictError
	switch {
	case err == nil:
		return oracle.Done, nil
	case errors.As(err, &conflict):
		return oracle.Refused, conflict.Seats
	case errors.Is(err, seatlock.ErrSeatLimit):
		return oracle.Refused, nil
	case errors.Is(err, seatlock.ErrUnavailable):
		return oracle.NotRun, nil
	case errors.Is(err, seatlock.ErrOutcomeUnknown):
		return oracle.Unknown, nil
	}
	t.Errorf("an error that no caller can make sense of: %v", err)
	return oracle.Unknown, nil
}

func (n *tally) count(call oracle.Call) {
	n.calls.Add(1)
	switch call.Outcome {
	case oracle.Done:
		n.done.Add(1)
	case oracle.Refused:
		n.refused.Add(1)
	case oracle.NotRun:
		n.notRun.Add(1)
	case oracle.Unknown:
		n.unknown.Add(1)
	}
}

// judge lets the crowd leave, has every seat of its last hall that isn't sold reserved
// once more, and returns, where a hold lasts no longer than hold,
// what the oracle finds, with how the seats stand on servers.
func (c *crowd) judge(hold time.Duration, servers ...*redis.Client) ([]oracle.Finding, oracle.Final) {
	c.t.Helper()
	c.leave()
	final := dump(c.t, c.name, servers...)
	for n := range hallSize {
		event, seat := c.event(), seatName(n)
		if final[oracle.SeatID{Event: event, Seat: seat}].Status == seatlock.Sold {
			continue
		}
		require.Eventually(c.t, func() bool {
			return c.call(0, oracle.Reserve, event, []string{seat}, "late"+seat).Outcome == oracle.Done
		}, patience, 5*time.Millisecond, "%s is neither sold nor held, and can't be reserved", seat)
	}
	final = dump(c.t, c.name, servers...)
	findings := oracle.Check(oracle.History{Calls: c.calls, HoldTime: hold}, final)
	for _, s := range final {
		if s.Status == seatlock.Sold {
			c.tally.sales.Add(1)
		}
	}
	for hall := range c.hall + 1 {
		c.requireMap(fmt.Sprint(c.name, hall), final)
	}
	return findings, final
}

// requireNothingBroken is judge where nothing may be lost. It empties the servers and
// forgets the calls.
func (c *crowd) requireNothingBroken(hold time.Duration, servers ...*redis.Client) {
	c.t.Helper()
	findings, _ := c.judge(hold, servers...)
	c.tally.countLost(findings)
	if len(findings) > 0 {
		c.t.Errorf("%d findings, the first: %v", len(findings), findings[0])
	}
	if c.t.Failed() {
		keep(c.t, c.calls, findings)
	}
	c.calls = nil // which the test would keep until it ends
	for _, server := range servers {
		require.NoError(c.t, server.FlushAll(c.t.Context()).Err())
	}
}

// countLost counts the seats of which an acknowledged sale is not there in the end.
func (n *tally) countLost(findings []oracle.Finding) {
	for _, f := range findings {
		switch f.Promise {
		case oracle.SalesLast:
			n.lost.Add(1)
		case oracle.OneBuyer:
			n.resold.Add(1)
		}
	}
}

// requireMap asserts that the map of an event has the seats that are sold.
func (c *crowd) requireMap(event string, final oracle.Final) {
	c.t.Helper()
	found, err := c.lockers[0].Map(c.t.Context(), event)
	require.NoError(c.t, err)
	got, want := []string{}, []string{}
	for _, s := range found.Seats {
		if s.Status == seatlock.Sold {
			got = append(got, s.ID)
		}
	}
	for id, s := range final {
		if id.Event == event && s.Status == seatlock.Sold {
			want = append(want, id.Seat)
		}
	}
	require.ElementsMatch(c.t, want, got, "the map of %s", event)
}
