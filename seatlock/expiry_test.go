package seatlock_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// The end of a hold is one change, whether Refresh or the next Reserve of the seat
// appends it; and it comes before that of the Reserve.
func TestRefresh_AppendsEachExpiryOnce(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t) // only its clock can be moved
	b := setup(t, r)
	require.Negative(t, b.refresh(t).NextExpiry, "nothing is held")

	b.reserve(t, ann, "1A", "1B")
	wait := b.refresh(t).NextExpiry
	require.Equal(t, holdTime+time.Millisecond, wait)
	r.Advance(t, wait)
	b.reserve(t, bob, "1B")
	for range 2 {
		b.refresh(t)
	}
	require.Equal(t, []string{"held[1A 1B]", "expired[1A]", "expired[1B]", "held[1B]"}, b.changes(t, seatlock.NoChange))
}

func TestRefresh_AppendsExpiryOnRealServer(t *testing.T) {
	t.Parallel()
	b := setupWith(t, redistest.Server(t), seatlock.Options{HoldTime: 50 * time.Millisecond})
	b.reserve(t, ann, "1A")
	require.Eventually(t, func() bool {
		b.refresh(t)
		found, err := b.locker.Changes(t.Context(), event, seatlock.NoChange, 10)
		require.NoError(t, err)
		return len(found) == 2 && found[1].Type == seatlock.ChangeExpired
	}, redistest.WaitLimit, 5*time.Millisecond)
}

// The expired change comes when the key is gone, not before: Redis may still have the key when
// its clock is past the deadline.
func TestRefresh_WaitsForKey(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A")
		require.NoError(t, b.redis.ZAdd(t.Context(), "seats:{gala}", redis.Z{Score: 1, Member: "1A"}).Err())
		b.refresh(t)
		b.reserve(t, bob, "1B")
		require.Equal(t, []string{"held[1A]", "held[1B]"}, b.changes(t, seatlock.NoChange))
	})
}

// An operator who deletes the key of a held seat frees it. The end of that hold comes before the next one.
func TestReserve_EndsHoldWhoseKeyIsGone(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A", "1B")
		require.NoError(t, b.redis.Del(t.Context(), "seat:{gala}:1A").Err())
		r.Advance(t, 2*time.Millisecond) // another deadline
		hold := b.reserve(t, bob, "1A", "1C")
		require.Equal(t, []string{"held[1A 1B]", "expired[1A]", "held[1A 1C]"}, b.changes(t, seatlock.NoChange))
		score, err := b.redis.ZScore(t.Context(), "seats:{gala}", "1A").Result()
		require.NoError(t, err)
		require.Equal(t, hold.Deadline.UnixMilli(), int64(score))

		_, err = b.locker.Reserve(t.Context(), "opera", []string{"1A"}, ann)
		require.NoError(t, err)
		require.NoError(t, b.redis.Del(t.Context(), "seat:{opera}:1A").Err())
		r.Advance(t, 2*time.Millisecond)
		_, err = b.locker.Reserve(t.Context(), "opera", []string{"1A"}, bob)
		require.NoError(t, err)
		require.Positive(t, b.redis.PTTL(t.Context(), "seats:{opera}").Val(), "an index that was empty for a moment")
	})
}
