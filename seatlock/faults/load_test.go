package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"booking/seatlock"
	"booking/seatlock/oracle"
	"booking/seatlock/redistest"
)

const (
	holdTime   = 300 * time.Millisecond
	waitLimit  = redistest.WaitLimit
	buyers     = 16 // concurrent callers of a load
	eventSeats = 24
	eventSales = 18 // after so many, a load goes on with its next event
)

// load runs buyers that make calls until stop. Each buyer calls for a few seats that other
// buyers want too, every time as another user. When most seats of an event are sold, all
// go on with the next event. The load records every call for the oracle.
type load struct {
	t        *testing.T
	prefix   string // of the names of its events
	lockers  []*seatlock.Locker
	limit    *rate.Limiter // of calls; nil for none
	counters *counters
	start    time.Time
	ctx      context.Context
	cancel   context.CancelFunc
	buyers   sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	calls  []oracle.Call
	number int // of the event
	sold   int // how many seats of the event the buys have named
}

// startLoad starts n buyers, each with one of the lockers.
func startLoad(t *testing.T, round, n int, counts *counters, limit *rate.Limiter, lockers ...*seatlock.Locker) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{t: t, prefix: fmt.Sprintf("round%d-", round), lockers: lockers, limit: limit, counters: counts, start: time.Now(), ctx: ctx, cancel: cancel}
	counts.rounds.Add(1)
	for i := range n {
		l.buyers.Go(func() { l.buyer(i, random(round, i)) })
	}
	t.Cleanup(l.stop)
	return l
}

// stop stops the buyers and waits until each knows the outcome of its last call.
func (l *load) stop() {
	l.cancel()
	l.buyers.Wait()
}

// awaitDone waits until n more calls are done.
func (l *load) awaitDone(n int64) {
	l.t.Helper()
	want := l.counters.done.Load() + n
	require.Eventually(l.t, func() bool { return l.counters.done.Load() >= want }, waitLimit, time.Millisecond, "too few calls are done")
}

// awaitCalls waits until n more calls have returned, with any outcome.
func (l *load) awaitCalls(n int64) {
	l.t.Helper()
	want := l.counters.calls.Load() + n
	require.Eventually(l.t, func() bool { return l.counters.calls.Load() >= want }, waitLimit, time.Millisecond, "too few calls return")
}

// event returns the name of the event that is on sale now.
func (l *load) event() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.eventName(l.number)
}

func (l *load) eventName(number int) string { return fmt.Sprint(l.prefix, number) }

func (l *load) buyer(number int, choice *rand.Rand) {
	var old oracle.Call // a return or an exchange that was made
	for i := 0; l.ctx.Err() == nil; i++ {
		user := fmt.Sprintf("user%d.%d", number, i)
		event := l.event()
		first, seats := choice.IntN(eventSeats), []string{}
		for k := range 1 + choice.IntN(3) {
			seats = append(seats, seatName((first+k)%eventSeats))
		}
		resolve := func(op oracle.Op) oracle.Outcome {
			return l.resolve(number, oracle.Call{Op: op, Event: event, Seats: seats, User: user})
		}
		if old.Op != "" && choice.IntN(16) == 0 { // others may have bought its seats
			l.resolve(number, old)
		}
		if resolve(oracle.Reserve) != oracle.Done {
			if choice.IntN(4) == 0 { // call for seats that another user has
				resolve([]oracle.Op{oracle.Buy, oracle.Extend, oracle.Release, oracle.Return}[choice.IntN(4)])
			}
			continue
		}
		if choice.IntN(4) == 0 {
			resolve(oracle.Reserve)
		}
		if choice.IntN(4) == 0 {
			resolve(oracle.Extend)
		}
		switch choice.IntN(6) {
		case 0, 1:
			order := l.buy(number, choice, event, seats, user)
			others := make([]string, len(seats)) // next to one another, as seats are
			for k, n := 0, first+len(seats)+choice.IntN(eventSeats-2*len(seats)+1); k < len(others); k++ {
				others[k] = seatName((n + k) % eventSeats)
			}
			if choice.IntN(2) == 0 {
				op := []oracle.Op{oracle.Buy, oracle.Reserve, oracle.Release, oracle.Extend, oracle.Return, oracle.Return, oracle.Exchange}[choice.IntN(7)]
				call := oracle.Call{Op: op, Event: event, Seats: seats, User: user, Order: []string{order, "another"}[choice.IntN(2)]}
				if op == oracle.Exchange {
					call.To, call.Order = others, "another"
				}
				l.resolve(number, call)
			}
			if order != "" && choice.IntN(2) == 0 {
				old = oracle.Call{Op: oracle.Exchange, Event: event, Seats: seats, To: others, User: user, Order: order}
				if l.resolve(number, old) == oracle.Done {
					l.counters.exchanges.Add(1)
					seats = others
				}
			}
			if order != "" && choice.IntN(2) == 0 {
				old = oracle.Call{Op: oracle.Return, Event: event, Seats: seats[choice.IntN(len(seats)):], User: user, Order: order}
				if l.resolve(number, old) == oracle.Done {
					l.counters.returns.Add(1)
				}
			}
		case 2, 3, 4:
			resolve(oracle.Release)
		}
	}
}

// buy buys seats, sometimes under two orders at once. It returns the order that the seats are sold
// under, "" for none.
func (l *load) buy(buyer int, choice *rand.Rand, event string, seats []string, user string) (sold string) {
	orders := []string{"order-of-" + user, "other-order-of-" + user}[:1+choice.IntN(4)/3]
	outcomes := make([]oracle.Outcome, len(orders))
	var calls sync.WaitGroup
	for i, order := range orders {
		calls.Go(func() {
			outcomes[i] = l.resolve(buyer+i, oracle.Call{Op: oracle.Buy, Event: event, Seats: seats, User: user, Order: order})
		})
	}
	calls.Wait()
	for i, outcome := range outcomes {
		if outcome == oracle.Done {
			sold = orders[i]
		}
	}
	return sold
}

func seatName(n int) string { return fmt.Sprintf("%d%c", 1+n/6, 'A'+n%6) }

// resolve makes a call, and repeats it until the call is done or refused.
func (l *load) resolve(buyer int, call oracle.Call) oracle.Outcome {
	var stopped time.Time
	for attempt := 0; ; attempt++ {
		call = l.call(buyer+attempt, call)
		if call.Outcome == oracle.Done || call.Outcome == oracle.Refused {
			return call.Outcome
		}
		if l.ctx.Err() != nil && stopped.IsZero() {
			stopped = time.Now()
		}
		if !stopped.IsZero() && time.Since(stopped) > waitLimit {
			l.t.Errorf("the outcome stays unknown: %v", call)
			return call.Outcome
		}
		<-time.After(2 * time.Millisecond) // back off
	}
}

// call makes one call with a locker and records it.
func (l *load) call(locker int, call oracle.Call) oracle.Call {
	ctx := context.Background()
	if l.limit != nil {
		_ = l.limit.Wait(ctx) // ctx never ends
	}
	call.Sent = time.Since(l.start)
	hold, err := callLocker(ctx, l.lockers[locker%len(l.lockers)], call)
	call.Answered = time.Since(l.start)
	call.Hold = hold.ExpiresIn
	call.Outcome, call.Conflicts = outcome(l.t, err)
	l.counters.countCall(call)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, call)
	if call.Op == oracle.Buy && call.Outcome == oracle.Done && call.Event == l.eventName(l.number) {
		if l.sold += len(call.Seats); l.sold >= eventSales {
			l.number, l.sold = l.number+1, 0
		}
	}
	return call
}

// The operations of a seller. The oracle does not know them.
const (
	block   oracle.Op = "block"
	unblock oracle.Op = "unblock"
	put     oracle.Op = "put"
)

// callChannel makes a call with l, for seats of a channel; "" for those of the public.
func callChannel(ctx context.Context, l *seatlock.Locker, c oracle.Call, channel string) (hold seatlock.Hold, err error) {
	switch c.Op {
	case oracle.Reserve:
		return l.ReserveOn(ctx, c.Event, c.Seats, c.User, seatlock.Terms{Channel: channel})
	case block:
		return hold, l.Block(ctx, c.Event, c.Seats, channel, seatlock.Terms{})
	case unblock:
		return hold, l.Unblock(ctx, c.Event, c.Seats, channel, seatlock.Terms{})
	}
	return callLocker(ctx, l, c)
}

// callLocker makes a call with l.
func callLocker(ctx context.Context, l *seatlock.Locker, c oracle.Call) (hold seatlock.Hold, err error) {
	switch c.Op {
	case oracle.Reserve:
		return l.Reserve(ctx, c.Event, c.Seats, c.User)
	case oracle.Extend:
		return l.Extend(ctx, c.Event, c.Seats, c.User)
	case oracle.Buy:
		return hold, l.BuyOn(ctx, c.Event, c.Seats, c.User, seatlock.Terms{Order: c.Order})
	case oracle.Release:
		return hold, l.Release(ctx, c.Event, c.Seats, c.User)
	case oracle.Return:
		return hold, l.Return(ctx, c.Event, c.Seats, c.User, seatlock.Terms{Order: c.Order})
	case oracle.Exchange:
		return hold, l.Exchange(ctx, c.Event, c.Seats, c.To, c.User, seatlock.Terms{Order: c.Order})
	}
	return hold, fmt.Errorf("no operation %q", c.Op)
}

// outcome maps the error of a call. An error that package seatlock does not document
// fails the test.
func outcome(t *testing.T, err error) (oracle.Outcome, []seatlock.Seat) {
	var conflict *seatlock.ConflictError
	switch {
	case err == nil:
		return oracle.Done, nil
	case errors.As(err, &conflict):
		return oracle.Refused, conflict.Seats
	case errors.Is(err, seatlock.ErrSeatLimit), errors.Is(err, seatlock.ErrNotOnSale):
		return oracle.Refused, nil
	case errors.Is(err, seatlock.ErrUnavailable):
		return oracle.NotRun, nil
	case errors.Is(err, seatlock.ErrOutcomeUnknown):
		return oracle.Unknown, nil
	}
	t.Errorf("undocumented error: %v", err)
	return oracle.Unknown, nil
}
