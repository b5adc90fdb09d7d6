package seatlock_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

func (b *testBundle) extend(t *testing.T, user string, seats ...string) seatlock.Hold {
	t.Helper()
	hold, err := b.locker.Extend(t.Context(), event, seats, user)
	require.NoError(t, err)
	return hold
}

func TestExtend(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		t.Run("MovesTheDeadlineToAWholeHoldFromNow", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "e1", "e2")
			r.Advance(t, 2*time.Minute)
			hold := b.extend(t, ann, "e1", "e2")
			require.Equal(t, holdTime, hold.ExpiresIn)
			require.Greater(t, b.status(t, "e1", seatlock.Reserved).ExpiresIn, holdTime-time.Minute)
			require.Equal(t, hold.Deadline, b.reserve(t, ann, "e1", "e2").Deadline)
		})
		t.Run("KeepsTheDeadlineInTheValueThatOfTheKey", func(t *testing.T) {
			b := setup(t, r)
			deadline := b.reserve(t, ann, "e9").Deadline
			for range 2 {
				expires, err := b.redis.PExpireTime(t.Context(), "seat:{gala}:e9").Result()
				require.NoError(t, err)
				require.Equal(t, deadline.UnixMilli(), expires.Milliseconds())
				value, err := b.redis.Get(t.Context(), "seat:{gala}:e9").Result()
				require.NoError(t, err)
				require.Contains(t, value, fmt.Sprintf("held:%d:", deadline.UnixMilli()))
				r.Advance(t, 2*time.Minute)
				deadline = b.extend(t, ann, "e9").Deadline
			}
		})
		t.Run("SentTwiceIsAnsweredTheSame", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "e3")
			r.Advance(t, 2*time.Minute)
			require.Eventually(t, func() bool { // a real clock may go on by a second between the two
				return b.extend(t, ann, "e3").Deadline.Equal(b.extend(t, ann, "e3").Deadline)
			}, redistest.Patience, time.Millisecond)
		})
		t.Run("NeverPassesTheLongestHold", func(t *testing.T) {
			if r.Mini == nil {
				return // a real clock can't be moved on; miniredis shows it
			}
			b := setup(t, r)
			first := b.reserve(t, ann, "e4")
			latest := first.Deadline.Add(10 * time.Minute) // 15 from when the hold began
			for range 4 {
				r.Advance(t, 3*time.Minute)
				require.False(t, b.extend(t, ann, "e4").Deadline.After(latest))
			}
			require.Equal(t, latest, b.extend(t, ann, "e4").Deadline)
			r.Advance(t, 4*time.Minute)
			b.status(t, "e4", seatlock.Available)
		})
		t.Run("LeavesASoldSeatAsItIs", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "e5", "e6")
			b.buy(t, ann, "e5")
			require.NotZero(t, b.extend(t, ann, "e5", "e6"))
			require.Zero(t, b.extend(t, ann, "e5"))
			ttl, err := b.redis.PTTL(t.Context(), "seat:{gala}:e5").Result()
			require.NoError(t, err)
			require.EqualValues(t, -1, ttl)
		})
		t.Run("RefusesAsBuyDoes", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "e7")
			_, err := b.locker.Extend(t.Context(), event, []string{"e7", "e8"}, ann)
			requireConflict(t, err, seatlock.ErrHoldExpired, "e8 Available")
			_, err = b.locker.Extend(t.Context(), event, []string{"e7", "e8"}, bob)
			requireConflict(t, err, seatlock.ErrHeldByOther, "e7 Reserved", "e8 Available")
		})
	})
}

func TestRelease(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		release := func(t *testing.T, b *testBundle, user string, seats ...string) {
			t.Helper()
			require.NoError(t, b.locker.Release(t.Context(), event, seats, user))
		}
		t.Run("FreesTheUsersHoldsAndNoOthers", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "r1", "r2")
			b.reserve(t, bob, "r3")
			release(t, b, ann, "r1", "r3", "r4")
			b.status(t, "r1", seatlock.Available)
			b.status(t, "r2", seatlock.Reserved)
			b.status(t, "r3", seatlock.Reserved)
			release(t, b, ann, "r1", "r3", "r4")
			b.reserve(t, bob, "r1")
			release(t, b, ann, "r1")
			b.status(t, "r1", seatlock.Reserved)
		})
		t.Run("RefusesASeatThatIsSoldToTheUser", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "r5", "r6")
			b.buy(t, ann, "r5")
			requireConflict(t, b.locker.Release(t.Context(), event, []string{"r5", "r6"}, ann), seatlock.ErrSold, "r5 Sold")
			b.status(t, "r6", seatlock.Reserved)
			release(t, b, bob, "r5")
			b.status(t, "r5", seatlock.Sold)
		})
	})
}

func TestMaxSeatsPerUser(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		locker, err := seatlock.New(r.Client(t), seatlock.Options{MaxSeatsPerUser: 3, Timeout: time.Minute})
		require.NoError(t, err)
		b := &testBundle{locker: locker, redis: r.Admin(t)}
		limited := func(held, sold int, seats ...string) {
			t.Helper()
			_, err := locker.Reserve(t.Context(), event, seats, ann)
			var limit *seatlock.LimitError
			require.ErrorAs(t, err, &limit)
			require.ErrorIs(t, err, seatlock.ErrSeatLimit)
			require.Equal(t, seatlock.LimitError{Limit: 3, Held: held, Sold: sold}, *limit)
		}
		b.reserve(t, ann, "1", "2")
		b.buy(t, ann, "1")
		limited(1, 1, "3", "4")
		b.status(t, "3", seatlock.Available)
		b.reserve(t, ann, "3")
		limited(2, 1, "4")
		b.reserve(t, ann, "2", "3") // what is held already counts once
		b.reserve(t, bob, "4", "5", "6")
		_, err = locker.Reserve(t.Context(), "matinee", []string{"1", "2", "3"}, ann)
		require.NoError(t, err, "each event has a limit of its own")

		require.NoError(t, locker.Release(t.Context(), event, []string{"2"}, ann))
		b.reserve(t, ann, "7")
		limited(2, 1, "8")
	})
}
