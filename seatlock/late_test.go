package seatlock_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// lateCall is a call with a script that arrives too late.
type lateCall struct {
	prepare   func(*testing.T, *testBundle)
	call      func(*testing.T, *seatlock.Locker) error
	script    int64 // which script of the call is late, from 1 on
	meanwhile func(*testing.T, *testBundle)
}

// The network delays a script of a call until the caller has its error and has repeated the
// call, and others have acted on what they saw. The script then changes nothing.
func TestLocker_ChangesNothingAfterDeadline(t *testing.T) {
	t.Parallel()
	seats := []string{"1A"}
	nothing := func(*testing.T, *testBundle) {}
	reserve := func(t *testing.T, b *testBundle) { b.reserve(t, ann, seats...) }
	release := func(t *testing.T, b *testBundle) {
		require.NoError(t, b.locker.Release(t.Context(), event, seats, ann))
	}
	put := func(t *testing.T, b *testBundle) {
		b.put(t, seatlock.Put{Document: []byte("old"), Plan: []byte("plan")})
	}
	remove := func(t *testing.T, b *testBundle) { require.NoError(t, b.locker.DeleteEvent(t.Context(), event, false)) }
	putAgain := func(t *testing.T, b *testBundle) {
		remove(t, b)
		put(t, b)
		reserve(t, b)
		b.buy(t, ann, seats...)
	}
	callPut := func(t *testing.T, l *seatlock.Locker) error {
		_, _, err := l.PutEvent(t.Context(), event, seatlock.Put{Document: []byte("new"), Plan: []byte("new plan")})
		return err
	}
	callDelete := func(t *testing.T, l *seatlock.Locker) error { return l.DeleteEvent(t.Context(), event, false) }
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		for name, c := range map[string]lateCall{
			"Reserve": {reserve, func(t *testing.T, l *seatlock.Locker) error {
				_, err := l.Reserve(t.Context(), event, seats, ann)
				return err
			}, 1, release},
			"Release": {reserve, func(t *testing.T, l *seatlock.Locker) error {
				return l.Release(t.Context(), event, seats, ann)
			}, 1, func(t *testing.T, b *testBundle) { release(t, b); reserve(t, b) }},
			"Return": {func(t *testing.T, b *testBundle) {
				reserve(t, b)
				b.buy(t, ann, seats...)
			}, func(t *testing.T, l *seatlock.Locker) error {
				return l.Return(t.Context(), event, seats, ann, seatlock.Terms{})
			}, 1, nothing},
			"Exchange": {func(t *testing.T, b *testBundle) {
				reserve(t, b)
				b.buy(t, ann, seats...)
			}, func(t *testing.T, l *seatlock.Locker) error {
				return l.Exchange(t.Context(), event, seats, []string{"2A"}, ann, seatlock.Terms{})
			}, 1, nothing},
			"Buy": {reserve, func(t *testing.T, l *seatlock.Locker) error {
				return l.Buy(t.Context(), event, seats, ann)
			}, 1, nothing},
			"Extend": {reserve, func(t *testing.T, l *seatlock.Locker) error {
				_, err := l.Extend(t.Context(), event, seats, ann)
				return err
			}, 1, nothing},
			"Block": {put, func(t *testing.T, l *seatlock.Locker) error {
				return l.Block(t.Context(), event, seats, "house", seatlock.Terms{})
			}, 1, nothing},
			"Unblock": {func(t *testing.T, b *testBundle) { b.block(t, "house", seats...) }, func(t *testing.T, l *seatlock.Locker) error {
				return l.Unblock(t.Context(), event, seats, "house", seatlock.Terms{})
			}, 1, nothing},
			"Relay": {func(t *testing.T, b *testBundle) { put(t, b); reserve(t, b) }, func(t *testing.T, l *seatlock.Locker) error {
				relay, err := l.NewRelay(event, 100_000)
				require.NoError(t, err)
				_, err = relay.Refresh(t.Context(), "")
				return err
			}, 1, nothing},
			"Put":            {put, callPut, 1, nothing},
			"PutNew":         {nothing, callPut, 1, nothing},
			"PutLists":       {put, callPut, 2, remove},
			"Delete":         {put, callDelete, 1, nothing},
			"DeleteKeys":     {put, callDelete, 2, putAgain},
			"DeleteUnlists":  {put, callDelete, 4, putAgain},
			"DeleteSettings": {put, callDelete, 5, putAgain},
			"DeleteMark": {put, callDelete, 5, func(t *testing.T, b *testBundle) {
				putAgain(t, b)
				require.NoError(t, b.redis.HSet(t.Context(), "event:{gala}", "settings", "deleting").Err()) // as lua/delete.lua leaves it
			}},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c.run(t, another(t, r))
			})
		}
	})
}

// another returns a new Redis of the same kind as r.
func another(t *testing.T, r *redistest.Redis) *redistest.Redis {
	t.Helper()
	if r.Mini != nil {
		return redistest.Mini(t)
	}
	return redistest.Server(t)
}

func (c lateCall) run(t *testing.T, r *redistest.Redis) {
	b := setup(t, r)
	c.prepare(t, b)
	require.NoError(t, c.call(t, b.locker), "this loads the scripts")
	require.NoError(t, b.redis.FlushAll(t.Context()).Err())
	r.Advance(t, time.Minute)
	c.prepare(t, b)
	r.Advance(t, time.Minute)

	proxy := redistest.NewProxy(t, r)
	var scripts, held, replies atomic.Int64
	client := r.Client(t, proxy.Addr)
	client.AddHook(commandHook{before: func(name string) error {
		if name == "evalsha" {
			scripts.Add(1)
		}
		return nil
	}})
	delayed := newLocker(t, client, time.Second)
	require.Eventually(t, func() bool { return delayed.Ping(t.Context()) == nil }, redistest.WaitLimit, time.Millisecond)
	gate := make(chan struct{})
	proxy.Disturb(func(reply bool) redistest.Fault {
		switch {
		case scripts.Load() < c.script:
		case reply:
			replies.Add(1)
		default:
			held.Add(1)
			return redistest.Fault{Until: gate}
		}
		return redistest.Fault{}
	})
	require.ErrorIs(t, c.call(t, delayed), seatlock.ErrOutcomeUnknown)
	c.meanwhile(t, b)
	if r.Mini != nil { // its clock moves only if told
		r.Advance(t, 2*time.Second)
	}
	before := b.contents(t)
	require.Positive(t, held.Load())
	close(gate)
	require.Eventually(t, func() bool { return replies.Load() == held.Load() }, redistest.WaitLimit, time.Millisecond, "the late script does not arrive")
	require.Equal(t, before, b.contents(t))
}
