package seatlock_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// The network delays the script of a call until the caller has its error and has repeated the
// call, and others have acted on what they saw. The script then changes nothing.
func TestLocker_ChangesNothingAfterDeadline(t *testing.T) {
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
			}, func(*testing.T, *testBundle, string) {}, seatlock.Reserved},
			{"Extend", func(l *seatlock.Locker, seat string) error {
				_, err := l.Extend(t.Context(), event, []string{seat}, ann)
				return err
			}, func(t *testing.T, _ *testBundle, _ string) { r.Advance(t, time.Minute) }, seatlock.Reserved},
		} {
			t.Run(c.name, func(t *testing.T) {
				b := setup(t, r)
				b.reserve(t, ann, c.name)
				proxy := redistest.NewProxy(t, r)
				delayed := newLocker(t, r.Client(t, proxy.Addr), time.Second)
				require.Eventually(t, func() bool { return delayed.Ping(t.Context()) == nil }, redistest.WaitLimit, time.Millisecond)

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
				require.ErrorIs(t, c.call(delayed, c.name), seatlock.ErrOutcomeUnknown)
				c.meanwhile(t, b, c.name)
				if r.Mini != nil { // its clock moves only if told
					r.Advance(t, 2*time.Second)
				}
				before := b.status(t, c.name, c.want)
				changes := b.changes(t, seatlock.NoChange)
				require.Positive(t, held.Load())
				close(gate)
				require.Eventually(t, func() bool { return replies.Load() == held.Load() }, redistest.WaitLimit, time.Millisecond, "the late script does not arrive")

				after := b.status(t, c.name, c.want)
				require.LessOrEqual(t, after.ExpiresIn, before.ExpiresIn, "the hold is not longer")
				require.Equal(t, changes, b.changes(t, seatlock.NoChange))
			})
		}
	})
}
