package seatlock_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

func (b *testBundle) changes(t *testing.T, after string) []string {
	t.Helper()
	found, err := b.locker.Changes(t.Context(), event, after, 0)
	require.NoError(t, err)
	var lines []string
	for _, c := range found {
		lines = append(lines, fmt.Sprint(c.Type, c.SeatIDs))
	}
	return lines
}

func TestChanges(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		first, err := b.locker.LastChange(t.Context(), event)
		require.NoError(t, err)
		require.Equal(t, seatlock.NoChange, first)

		b.reserve(t, ann, "1A", "1B")
		b.reserve(t, ann, "1A", "1B") // changes nothing
		_, err = b.locker.Reserve(t.Context(), event, []string{"1A"}, bob)
		require.ErrorIs(t, err, seatlock.ErrTaken)
		b.buy(t, ann, "1A")
		b.buy(t, ann, "1A")
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1B"}, ann))
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1B"}, ann))
		require.Equal(t, []string{"held[1A 1B]", "sold[1A]", "released[1B]"}, b.changes(t, first))

		last, err := b.locker.LastChange(t.Context(), event)
		require.NoError(t, err)
		require.Empty(t, b.changes(t, last))
		found, err := b.locker.Map(t.Context(), event)
		require.NoError(t, err)
		require.Equal(t, last, found.Change)
		require.NoError(t, b.locker.Kept(t.Context(), event, first))
	})
}

// A hold that ends by itself is one change, whether its end is noted because
// somebody settles or because somebody takes the seat; and it comes before that.
func TestAHoldThatEndsIsOneChange(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t) // a real server's clock can't be moved on
	b := setup(t, r)
	wait, err := b.locker.Settle(t.Context(), event)
	require.NoError(t, err)
	require.Negative(t, wait, "nothing is held")

	b.reserve(t, ann, "1A", "1B")
	wait, err = b.locker.Settle(t.Context(), event)
	require.NoError(t, err)
	require.Equal(t, holdTime+time.Millisecond, wait)
	r.Advance(t, wait)
	b.reserve(t, bob, "1B")
	for range 2 {
		_, err = b.locker.Settle(t.Context(), event)
		require.NoError(t, err)
	}
	require.Equal(t, []string{"held[1A 1B]", "expired[1A]", "expired[1B]", "held[1B]"}, b.changes(t, seatlock.NoChange))
}

func TestHoldsOnARealServerEndAsChanges(t *testing.T) {
	t.Parallel()
	locker, err := seatlock.New(redistest.Server(t).Client(t), seatlock.Options{HoldTime: 50 * time.Millisecond, Timeout: time.Minute})
	require.NoError(t, err)
	_, err = locker.Reserve(t.Context(), event, []string{"1A"}, ann)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := locker.Settle(t.Context(), event)
		require.NoError(t, err)
		found, err := locker.Changes(t.Context(), event, seatlock.NoChange, 0)
		require.NoError(t, err)
		return len(found) == 2 && found[1].Type == seatlock.ChangeExpired
	}, 20*time.Second, 5*time.Millisecond)
}

func TestChangesWaitForTheNextOne(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		found := make(chan []seatlock.Change)
		go func() {
			changes, _ := b.locker.Changes(t.Context(), event, seatlock.NoChange, time.Minute)
			found <- changes
		}()
		b.reserve(t, ann, "1A")
		changes := <-found
		require.Len(t, changes, 1)
		require.Equal(t, []string{"1A"}, changes[0].SeatIDs)
	})
}

func TestOldChangesAreTrimmed(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A")
		first, err := b.locker.LastChange(t.Context(), event)
		require.NoError(t, err)
		// As many changes as are kept, and more: the stream is cut in steps.
		require.NoError(t, b.redis.Eval(t.Context(), `
			for i = 1, 10300 do
				redis.call('XADD', KEYS[1], 'MAXLEN', '~', 10000, '*', 'type', 'sold', 'seats', '1A', 'deadline', '')
			end
			return 1`, []string{"changes:{gala}"}).Err())
		require.ErrorIs(t, b.locker.Kept(t.Context(), event, first), seatlock.ErrTrimmed)
		last, err := b.locker.LastChange(t.Context(), event)
		require.NoError(t, err)
		require.NoError(t, b.locker.Kept(t.Context(), event, last))
		require.ErrorIs(t, b.locker.Kept(t.Context(), event, "x"), seatlock.ErrInvalid)
	})
}
