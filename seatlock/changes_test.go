package seatlock_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// fill appends n changes to the event's stream as lua/event.lua does, with trim as MAXLEN.
func (b *testBundle) fill(t *testing.T, n, trim int) {
	t.Helper()
	require.NoError(t, b.redis.Eval(t.Context(), `
		for i = 1, tonumber(ARGV[1]) do
			redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 'type', 'sold', 'seats', i, 'deadline', '')
		end
		return 1`, []string{"changes:{gala}"}, n, trim).Err())
}

// last returns the position of the newest change.
func (b *testBundle) last(t *testing.T) string {
	t.Helper()
	found, err := b.locker.Map(t.Context(), event)
	require.NoError(t, err)
	return found.Change
}

// requireReset requires ErrReset for the changes after a position, with any limit.
func (b *testBundle) requireReset(t *testing.T, after string) {
	t.Helper()
	for _, limit := range []int{1, 10_000} {
		found, err := b.locker.Changes(t.Context(), event, after, limit)
		require.ErrorIs(t, err, seatlock.ErrReset, "after %s: %v", after, found)
	}
}

func TestChanges_HasEachTransitionOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		first := b.last(t)
		require.Equal(t, seatlock.NoChange, first)

		b.reserve(t, ann, "1A", "1B")
		b.reserve(t, ann, "1A", "1B") // repeated: changes nothing
		_, err := b.locker.Reserve(t.Context(), event, []string{"1A"}, bob)
		require.ErrorIs(t, err, seatlock.ErrTaken)
		b.buy(t, ann, "1A")
		b.buy(t, ann, "1A")
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1B"}, ann))
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1B"}, ann))
		require.Equal(t, []string{"held[1A 1B]", "sold[1A]", "released[1B]"}, b.changes(t, first))
		require.Empty(t, b.changes(t, b.last(t)))
	})
}

func TestChanges_ReadsPages(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.fill(t, 5, 10_000)
		var pages [][]string
		for after := seatlock.NoChange; ; {
			page, err := b.locker.Changes(t.Context(), event, after, 2)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			pages, after = append(pages, lines(page)), page[len(page)-1].ID
		}
		require.Equal(t, [][]string{{"sold[1]", "sold[2]"}, {"sold[3]", "sold[4]"}, {"sold[5]"}}, pages)
		_, err := b.locker.Changes(t.Context(), event, seatlock.NoChange, 0)
		require.ErrorIs(t, err, seatlock.ErrInvalid)
	})
}

// The scripts keep ten thousand changes and few more.
func TestChanges_ResetsTrimmedPositionsOnly(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A")
		first := b.last(t)
		b.fill(t, 9_997, 100_000)
		b.reserve(t, ann, "1B")
		found, err := b.locker.Changes(t.Context(), event, seatlock.NoChange, 1)
		require.NoError(t, err)
		require.Equal(t, []string{"held[1A]"}, lines(found))
		b.reserve(t, ann, "1C")
		found, err = b.locker.Changes(t.Context(), event, first, 10_000)
		require.NoError(t, err)
		require.Len(t, found, 9_999)

		b.fill(t, 300, 100_000)
		b.reserve(t, ann, "1D")
		b.requireReset(t, first)
		b.requireReset(t, seatlock.NoChange)
		require.Empty(t, b.changes(t, b.last(t)))
	})
}

// A stream with as many changes as scripts keep may lack the first ones.
func TestChanges_ResetsTrimmedBeginning(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.fill(t, 10_001, 100_000)
		require.NoError(t, b.redis.XTrimMaxLen(t.Context(), "changes:{gala}", 10_000).Err())
		b.requireReset(t, seatlock.NoChange)
	})
}

func TestChanges_ResetsUnknownPositions(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A")
		position := b.last(t)
		t.Run("Malformed", func(t *testing.T) {
			for _, after := range []string{"", "x", "0", "-", "+", "$", "(" + position, "5", "1-", "-1-0", "1-0-0", "0" + position, "99999999999999999999-0"} {
				b.requireReset(t, after)
			}
		})
		t.Run("InTheFuture", func(t *testing.T) { b.requireReset(t, "9999999999999-0") })
		t.Run("Between", func(t *testing.T) { b.requireReset(t, "1-0") })
		t.Run("OfDeletedStream", func(t *testing.T) {
			require.NoError(t, b.redis.Del(t.Context(), "changes:{gala}").Err())
			b.requireReset(t, position)
			require.Equal(t, seatlock.NoChange, b.last(t))
			require.Empty(t, b.changes(t, seatlock.NoChange))
		})
		t.Run("OfEmptiedRedis", func(t *testing.T) {
			require.NoError(t, b.redis.FlushAll(t.Context()).Err())
			r.Advance(t, time.Millisecond) // otherwise miniredis gives the same ID
			b.reserve(t, ann, "1B")
			b.requireReset(t, position)
			require.Equal(t, []string{"held[1B]"}, b.changes(t, seatlock.NoChange))
		})
	})
}

func TestChanges_KeepsLastTenThousand(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	for range 1_500 {
		b.reserve(t, ann, "1A")
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1A"}, ann))
	}
	require.EqualValues(t, 3_000, b.redis.XLen(t.Context(), "changes:{gala}").Val())
}
