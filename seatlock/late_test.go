package seatlock_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// The network keeps what a call sends until the caller has its 503, has repeated the
// call, and others have acted on what they saw. What arrives then changes nothing.
func TestLocker_ChangesNothingAfterItsCallerWasAnswered(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		for _, c := range []struct {
			name      string
			call      func(*seatlock.Locker, string) error
			meanwhile func(*testing.T, *testBundle, string)
			want      seatlock.Status
		}{
			{"Reserve", func(l *seatlock.Locker, seat string) error {
				_, err := l.Reserve(t.Context(), event, []string{seat}, ann)
				return err
			}, func(t *testing.T, b *testBundle, seat string) {
				require.NoError(t, b.locker.Release(t.Context(), event, []string{seat}, ann))
			}, seatlock.Available},
			{"Release", func(l *seatlock.Locker, seat string) error {
				return l.Release(t.Context(), event, []string{seat}, ann)
			}, func(t *testing.T, b *testBundle, seat string) {
				require.NoError(t, b.locker.Release(t.Context(), event, []string{seat}, ann))
				b.reserve(t, ann, seat)
			}, seatlock.Reserved},
			{"Buy", func(l *seatlock.Locker, seat string) error {
				return l.Buy(t.Context(), event, []string{seat}, ann)
			}, func(t *testing.T, b *testBundle, seat string) {}, seatlock.Reserved},
			{"Extend", func(l *seatlock.Locker, seat string) error {
				_, err := l.Extend(t.Context(), event, []string{seat}, ann)
				return err
			}, func(t *testing.T, b *testBundle, seat string) { r.Advance(t, time.Minute) }, seatlock.Reserved},
		} {
			t.Run(c.name, func(t *testing.T) {
				b := setup(t, r)
				b.reserve(t, ann, c.name)
				proxy := redistest.NewProxy(t, r)
				cut := newLocker(t, r.Client(t, proxy.Addr), time.Second)
				require.Eventually(t, func() bool { return cut.Ping(t.Context()) == nil }, redistest.Patience, time.Millisecond)

				gate := make(chan struct{})
				var held, replies atomic.Int64
				proxy.Disturb(func(reply bool) redistest.Fault {
					if reply {
						replies.Add(1)
						return redistest.Fault{}
					}
					held.Add(1)
					return redistest.Fault{Until: gate}
				})
				require.ErrorIs(t, c.call(cut, c.name), seatlock.ErrOutcomeUnknown)
				c.meanwhile(t, b, c.name)
				if r.Mini != nil { // whose clock stands still otherwise
					r.Advance(t, 2*time.Second)
				}
				before := b.status(t, c.name, c.want)
				changes := b.changes(t, seatlock.NoChange)
				require.Positive(t, held.Load())
				close(gate)
				require.Eventually(t, func() bool { return replies.Load() == held.Load() }, redistest.Patience, time.Millisecond, "the late call does not arrive")

				after := b.status(t, c.name, c.want)
				require.LessOrEqual(t, after.ExpiresIn, before.ExpiresIn, "the hold is no longer")
				require.Equal(t, changes, b.changes(t, seatlock.NoChange))
			})
		}
	})
}

// An unknown clock, or one that jumped, is no reason to refuse a call.
func TestLocker_ReportsJumpsOfTheClock(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	var jumps []time.Duration
	locker, err := seatlock.New(r.Client(t), seatlock.Options{HoldTime: holdTime, Timeout: time.Minute,
		OnClockJump: func(by time.Duration) { jumps = append(jumps, by) }})
	require.NoError(t, err)
	b := &testBundle{locker: locker, redis: r.Admin(t)}
	first := b.reserve(t, ann, "1A")
	require.Empty(t, jumps)

	r.Advance(t, 10*time.Minute) // a failover to a server whose clock is ahead
	b.reserve(t, bob, "1A")      // ann's hold has ended
	require.Len(t, jumps, 1)
	require.InDelta(t, 10*time.Minute, jumps[0], float64(time.Minute))
	require.InDelta(t, 10*time.Minute, locker.ClockOffset(), float64(time.Minute))

	r.Advance(t, -10*time.Minute) // and to one whose clock is behind
	again := b.reserve(t, bob, "1A")
	require.Len(t, jumps, 2)
	require.InDelta(t, -10*time.Minute, jumps[1], float64(time.Minute))
	require.True(t, again.Deadline.After(first.Deadline))
	require.Equal(t, holdTime, again.ExpiresIn, "no hold is longer than it may be")
	require.LessOrEqual(t, b.status(t, "1A", seatlock.Reserved).ExpiresIn, holdTime)
	_, err = locker.Reserve(t.Context(), event, []string{"1A"}, ann)
	requireConflict(t, err, seatlock.ErrTaken, "1A Reserved")
	found, err := locker.Map(t.Context(), event)
	require.NoError(t, err)
	require.Len(t, found.Seats, 1)
	require.LessOrEqual(t, found.Seats[0].ExpiresIn, holdTime)
}
