package seatlock_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

func TestBuy(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		t.Run("SellsHeldSeatForever", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "s1")
			b.buy(t, ann, "s1")
			r.Advance(t, 1000*holdTime)
			b.status(t, "s1", seatlock.Sold)
			ttl, err := b.redis.PTTL(t.Context(), "seat:{gala}:s1").Result()
			require.NoError(t, err)
			require.EqualValues(t, -1, ttl)
		})
		t.Run("AcceptsRepeatedCall", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "s2", "s3")
			b.buy(t, ann, "s2")
			b.buy(t, ann, "s2")
			b.buy(t, ann, "s2", "s3")
			b.status(t, "s3", seatlock.Sold)
		})
		t.Run("RefusesWithoutHold", func(t *testing.T) {
			b := setup(t, r)
			err := b.locker.Buy(t.Context(), event, []string{"none"}, ann)
			requireConflict(t, err, seatlock.ErrHoldExpired, "none Available")
		})
		t.Run("RefusesExpiredHold", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "late")
			r.Advance(t, holdTime+time.Second)
			err := b.locker.Buy(t.Context(), event, []string{"late"}, ann)
			requireConflict(t, err, seatlock.ErrHoldExpired, "late Available")
			b.status(t, "late", seatlock.Available)
		})
		t.Run("RefusesOtherHolder", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "hers")
			err := b.locker.Buy(t.Context(), event, []string{"hers"}, bob)
			requireConflict(t, err, seatlock.ErrHeldByOther, "hers Reserved")
			b.buy(t, ann, "hers")
			err = b.locker.Buy(t.Context(), event, []string{"hers"}, bob)
			requireConflict(t, err, seatlock.ErrHeldByOther, "hers Sold")
		})
		t.Run("SellsAllOfGroupOrNone", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "m1")
			b.reserve(t, bob, "m2")
			err := b.locker.Buy(t.Context(), event, []string{"m1", "m2", "m3"}, ann)
			requireConflict(t, err, seatlock.ErrHeldByOther, "m2 Reserved", "m3 Available")
			b.status(t, "m1", seatlock.Reserved)
			err = b.locker.Buy(t.Context(), event, []string{"m1", "m3"}, ann)
			requireConflict(t, err, seatlock.ErrHoldExpired, "m3 Available")
			b.status(t, "m1", seatlock.Reserved)
		})
	})
}

func TestExtend(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		t.Run("MovesDeadlineToHoldTimeFromNow", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "e1", "e2")
			r.Advance(t, 2*time.Minute)
			hold := b.extend(t, ann, "e1", "e2")
			require.Equal(t, holdTime, hold.ExpiresIn)
			require.Greater(t, b.status(t, "e1", seatlock.Reserved).ExpiresIn, holdTime-time.Minute)
			require.Equal(t, hold.Deadline, b.reserve(t, ann, "e1", "e2").Deadline)
		})
		t.Run("WritesSameDeadlineToValueAndTTL", func(t *testing.T) {
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
		t.Run("GivesRepeatedCallSameAnswer", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "e3")
			r.Advance(t, 2*time.Minute)
			require.Eventually(t, func() bool { // the clock may advance by a second between the two calls
				return b.extend(t, ann, "e3").Deadline.Equal(b.extend(t, ann, "e3").Deadline)
			}, redistest.WaitLimit, time.Millisecond)
		})
		t.Run("KeepsSoldSeat", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "e5", "e6")
			b.buy(t, ann, "e5")
			require.NotZero(t, b.extend(t, ann, "e5", "e6"))
			require.Zero(t, b.extend(t, ann, "e5"))
			ttl, err := b.redis.PTTL(t.Context(), "seat:{gala}:e5").Result()
			require.NoError(t, err)
			require.EqualValues(t, -1, ttl)
		})
		t.Run("RefusesLikeBuy", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "e7")
			_, err := b.locker.Extend(t.Context(), event, []string{"e7", "e8"}, ann)
			requireConflict(t, err, seatlock.ErrHoldExpired, "e8 Available")
			_, err = b.locker.Extend(t.Context(), event, []string{"e7", "e8"}, bob)
			requireConflict(t, err, seatlock.ErrHeldByOther, "e7 Reserved", "e8 Available")
		})
	})
}

func TestExtend_NeverPassesMaxHoldTime(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t) // only its clock can be moved
	b := setup(t, r)
	first := b.reserve(t, ann, "1A")
	latest := first.Deadline.Add(10 * time.Minute) // 15 from when the hold began
	for range 4 {
		r.Advance(t, 3*time.Minute)
		require.False(t, b.extend(t, ann, "1A").Deadline.After(latest))
	}
	require.Equal(t, latest, b.extend(t, ann, "1A").Deadline)
	r.Advance(t, 4*time.Minute)
	b.status(t, "1A", seatlock.Available)
}

// A repeated call gives the same answer, unless so much time has passed that it is a new one.
func TestExtend_GainsLeastTimeOrNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ holdTime, least time.Duration }{
		"Second":          {holdTime, time.Second},
		"TenthOfHoldTime": {2 * time.Second, 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := redistest.Mini(t) // only its clock can be moved
			b := setupWith(t, r, seatlock.Options{HoldTime: c.holdTime})
			first := b.reserve(t, ann, "1A").Deadline
			r.Advance(t, c.least-time.Millisecond)
			require.Equal(t, first, b.extend(t, ann, "1A").Deadline)
			r.Advance(t, time.Millisecond)
			require.Equal(t, first.Add(c.least), b.extend(t, ann, "1A").Deadline)
		})
	}
}

func TestRelease(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		release := func(t *testing.T, b *testBundle, user string, seats ...string) {
			t.Helper()
			require.NoError(t, b.locker.Release(t.Context(), event, seats, user))
		}
		t.Run("FreesOnlyHoldsOfUser", func(t *testing.T) {
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
		t.Run("RefusesSeatSoldToUser", func(t *testing.T) {
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
