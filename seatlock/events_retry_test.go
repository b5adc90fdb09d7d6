package seatlock_test

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// loseFrom makes a proxy lose requests or replies: the n-th from now, from 0 on, and with all
// those that follow, until restore. restore reports whether any was lost.
func loseFrom(proxy *redistest.Proxy, n int, replies, all bool) (restore func() bool) {
	passed, lost := 0, proxy.Lost.Load()
	proxy.Disturb(func(reply bool) redistest.Fault {
		if reply != replies {
			return redistest.Fault{}
		}
		passed++
		return redistest.Fault{Lose: passed == n+1 || all && passed > n}
	})
	return func() bool {
		proxy.Disturb(nil)
		return proxy.Lost.Load() > lost
	}
}

// DeleteEvent loses its connection at each step: before Redis runs the step, or before its
// reply arrives. Nothing gets in until it is repeated, and then no key is left.
func TestDeleteEvent_GoesOnAfterOutageAtEachStep(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setupWith(t, r, seatlock.Options{HoldTime: holdTime, MaxSeatsPerUser: 10})
		proxy := redistest.NewProxy(t, r)
		cut := newLocker(t, r.Client(t, proxy.Addr), time.Minute)
		for _, replies := range []bool{false, true} {
			marked := 0 // how often the event was being deleted
			for n, lost := 0, true; lost; n++ {
				b.put(t, seatlock.Put{Plan: []byte("plan")})
				b.reserve(t, ann, "1A", "1B")
				b.buy(t, ann, "1A", "1B")
				b.block(t, "house", "1C")
				before := b.contents(t)
				restore := loseFrom(proxy, n, replies, true)
				err := cut.DeleteEvent(t.Context(), event, true)
				if lost = restore(); !lost {
					require.NoError(t, err)
					require.Empty(t, b.keys(t))
					continue
				}
				require.True(t, errors.Is(err, seatlock.ErrUnavailable) || errors.Is(err, seatlock.ErrOutcomeUnknown), "%v", err)
				var want error
				switch b.redis.HGet(t.Context(), "event:{gala}", "settings").Val() {
				case "": // it lost only the last reply
					require.Empty(t, b.keys(t))
					want = seatlock.ErrUnknownEvent
				case "deleting":
					marked++
					requireNoEvent(t, b)
				default:
					require.Equal(t, before, b.contents(t))
				}
				require.ErrorIs(t, cut.DeleteEvent(t.Context(), event, true), want)
				require.Empty(t, b.keys(t), "step %d", n)
			}
			require.Greater(t, marked, 3)
		}
	})
}

// requireNoEvent requires that no call gets in, and that none changes anything.
func requireNoEvent(t *testing.T, b *testBundle) {
	t.Helper()
	before, seats := b.contents(t), []string{"1A"}
	_, reserveErr := b.locker.Reserve(t.Context(), event, []string{"2A"}, bob)
	_, extendErr := b.locker.Extend(t.Context(), event, seats, ann)
	_, statusErr := b.locker.Status(t.Context(), event, "1A")
	_, mapErr := b.locker.Map(t.Context(), event)
	_, eventErr := b.locker.Event(t.Context(), event)
	_, _, planErr := b.locker.Plan(t.Context(), event)
	_, _, putErr := b.locker.PutEvent(t.Context(), event, seatlock.Put{})
	for i, err := range []error{
		reserveErr, extendErr, statusErr, mapErr, eventErr, planErr, putErr, b.reserveFrom(t, "house", bob, "1C"),
		b.locker.Buy(t.Context(), event, seats, ann), b.locker.Release(t.Context(), event, seats, ann),
		b.locker.Block(t.Context(), event, []string{"2A"}, "house", seatlock.Terms{}),
		b.locker.Unblock(t.Context(), event, []string{"1C"}, "house", seatlock.Terms{}),
	} {
		require.ErrorIs(t, err, seatlock.ErrUnknownEvent, "call %d", i)
	}
	require.Equal(t, before, b.contents(t))
}

// Each request and each reply of PutEvent is lost once. It succeeds all the same, and writes once.
func TestPutEvent_WritesOnceIfReplyIsLost(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		proxy := redistest.NewProxy(t, r)
		cut := newLocker(t, r.Client(t, proxy.Addr), time.Minute)
		for _, exists := range []bool{false, true} {
			for _, replies := range []bool{false, true} {
				for n, lost := 0, true; lost; n++ {
					require.NoError(t, b.redis.FlushAll(t.Context()).Err())
					b.reserve(t, ann, "1A")
					var before seatlock.Event
					if exists {
						before = b.put(t, seatlock.Put{Document: []byte("old"), Plan: []byte("old plan")})
					}
					put := seatlock.Put{Version: &before.Version, Document: fmt.Append(nil, "new", n), Plan: []byte("new plan"), HasSeat: oneOf("1A")}
					restore := loseFrom(proxy, n, replies, false)
					e, isNew, err := cut.PutEvent(t.Context(), event, put)
					lost = restore()
					require.NoError(t, err, "%d", n)
					require.Equal(t, !exists, isNew)
					found, err := b.locker.Event(t.Context(), event)
					require.NoError(t, err)
					require.Equal(t, found, e)
					require.Equal(t, put.Document, found.Document)
					if exists && r.Mini != nil { // its clock does not run, so each write adds one
						require.Equal(t, before.Version+1, e.Version)
					}
					events, err := b.locker.Events(t.Context(), "", 10)
					require.NoError(t, err)
					require.Equal(t, []string{event}, events)
				}
			}
		}
	})
}

// PutEvent does not take the write of another call for its own: the two differ in their
// settings or plan only.
func TestPutEvent_TellsOwnWriteFromAnothers(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]seatlock.Put{
		"Settings": {Plan: []byte("plan"), Settings: seatlock.Settings{HoldTime: time.Second}},
		"Plan":     {Plan: []byte("other plan")},
		"Document": {Plan: []byte("plan"), Document: []byte("other")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := redistest.Mini(t)
			b := setup(t, r)
			own := seatlock.Put{Plan: []byte("plan")}
			for _, anyVersion := range []bool{false, true} {
				version := b.put(t, seatlock.Put{Document: []byte("old")}).Version
				client, sent := r.Client(t), 0
				client.AddHook(commandHook{before: func(name string) error {
					if name != "evalsha" && name != "eval" {
						return nil
					}
					if sent++; sent > 1 {
						return nil
					}
					b.put(t, other)
					return io.ErrUnexpectedEOF // the request is lost
				}})
				if own.Version = &version; anyVersion {
					own.Version = nil
				}
				e, _, err := newLocker(t, client, time.Minute).PutEvent(t.Context(), event, own)
				require.Greater(t, sent, 1)
				if !anyVersion {
					require.ErrorIs(t, err, seatlock.ErrVersion)
					continue
				}
				require.NoError(t, err)
				require.Empty(t, e.Document)
				_, plan, err := b.locker.Plan(t.Context(), event)
				require.NoError(t, err)
				require.Equal(t, "plan", string(plan))
				require.Equal(t, holdTime, b.reserve(t, ann, "1A").ExpiresIn)
			}
		})
	}
}
