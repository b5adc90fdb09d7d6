package seatlock_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

func TestReserve(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		t.Run("HoldsFreeSeatUntilDeadline", func(t *testing.T) {
			b := setup(t, r)
			before := redisNow(t, b)
			hold := b.reserve(t, ann, "free")
			require.Equal(t, holdTime, hold.ExpiresIn)
			require.WithinRange(t, hold.Deadline, before.Add(holdTime), redisNow(t, b).Add(holdTime))
			require.Equal(t, time.UTC, hold.Deadline.Location())
			seat := b.status(t, "free", seatlock.Reserved)
			require.Greater(t, seat.ExpiresIn, time.Duration(0))
			require.LessOrEqual(t, seat.ExpiresIn, holdTime)
		})
		t.Run("KeepsDeadlineOfRepeatedCall", func(t *testing.T) {
			b := setup(t, r)
			first := b.reserve(t, ann, "again")
			r.Advance(t, time.Minute)
			second := b.reserve(t, ann, "again")
			if r.Mini != nil {
				require.Equal(t, first.Deadline, second.Deadline)
				require.Equal(t, first.ExpiresIn-time.Minute, second.ExpiresIn)
			} else { // Advance moves the deadline, not the clock
				require.Equal(t, first.Deadline.Add(-time.Minute), second.Deadline)
			}
		})
		t.Run("RefusesSeatOfOtherUser", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "held")
			b.reserve(t, ann, "sold")
			b.buy(t, ann, "sold")
			_, err := b.locker.Reserve(t.Context(), event, []string{"held"}, bob)
			requireConflict(t, err, seatlock.ErrTaken, "held Reserved")
			_, err = b.locker.Reserve(t.Context(), event, []string{"sold"}, bob)
			requireConflict(t, err, seatlock.ErrTaken, "sold Sold")
		})
		t.Run("MarksSeatOwnedByCaller", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "mine")
			b.buy(t, ann, "mine")
			_, err := b.locker.Reserve(t.Context(), event, []string{"mine"}, ann)
			requireConflict(t, err, seatlock.ErrOwned, "mine Sold")
			require.ErrorIs(t, err, seatlock.ErrTaken)
			var conflict *seatlock.ConflictError
			require.ErrorAs(t, err, &conflict)
			require.True(t, conflict.Seats[0].OwnedByCaller)
			_, err = b.locker.Reserve(t.Context(), event, []string{"mine"}, bob)
			require.NotErrorIs(t, err, seatlock.ErrOwned)
			require.ErrorAs(t, err, &conflict)
			require.False(t, conflict.Seats[0].OwnedByCaller)
			b.reserve(t, bob, "his")
			_, err = b.locker.Reserve(t.Context(), event, []string{"free", "mine", "his"}, ann)
			requireConflict(t, err, seatlock.ErrTaken, "mine Sold", "his Reserved")
			require.NotErrorIs(t, err, seatlock.ErrOwned)
			_, err = b.locker.Reserve(t.Context(), event, []string{"free", "mine"}, ann)
			requireConflict(t, err, seatlock.ErrOwned, "mine Sold")
		})
		t.Run("HoldsAllOfGroupOrNone", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "g2")
			b.reserve(t, ann, "g4")
			b.buy(t, ann, "g4")
			_, err := b.locker.Reserve(t.Context(), event, []string{"g1", "g2", "g3", "g4"}, bob)
			requireConflict(t, err, seatlock.ErrTaken, "g2 Reserved", "g4 Sold")
			b.status(t, "g1", seatlock.Available)
			b.status(t, "g3", seatlock.Available)
			b.reserve(t, bob, "g1", "g3")
		})
		t.Run("ReturnsEarliestDeadlineOfGroup", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "early")
			r.Advance(t, time.Minute)
			early := b.reserve(t, ann, "early")
			hold := b.reserve(t, ann, "late", "early")
			require.Equal(t, early.Deadline, hold.Deadline)
			require.Greater(t, b.status(t, "late", seatlock.Reserved).ExpiresIn, b.status(t, "early", seatlock.Reserved).ExpiresIn)
		})
		t.Run("FreesSeatAtDeadline", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "lapse")
			r.Advance(t, holdTime+time.Second)
			b.status(t, "lapse", seatlock.Available)
			b.reserve(t, bob, "lapse")
		})
		t.Run("KeepsEventsApart", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "both")
			_, err := b.locker.Reserve(t.Context(), "matinee", []string{"both"}, bob)
			require.NoError(t, err)
		})
		t.Run("DistinguishesUsersNamedLikeValues", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, "x", "odd")
			for _, user := range []string{"held:1:x", "1:x", ":x", "sold:x", "%d+", "X"} {
				_, err := b.locker.Reserve(t.Context(), event, []string{"odd"}, user)
				requireConflict(t, err, seatlock.ErrTaken, "odd Reserved")
			}
			b.reserve(t, "1:x", "odd2")
			_, err := b.locker.Reserve(t.Context(), event, []string{"odd2"}, "x")
			requireConflict(t, err, seatlock.ErrTaken, "odd2 Reserved")
		})
	})
}

func TestReserve_HasOneWinnerAmongThousand(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		var wg sync.WaitGroup
		winners := make(chan string, 1000)
		for i := range 1000 {
			wg.Go(func() {
				user := fmt.Sprintf("user_%d", i)
				_, err := b.locker.Reserve(context.Background(), event, []string{"1A"}, user)
				switch {
				case err == nil:
					winners <- user
				case !errors.Is(err, seatlock.ErrTaken):
					t.Errorf("%s: %v", user, err)
				}
			})
		}
		wg.Wait()
		require.Len(t, winners, 1)
		b.buy(t, <-winners, "1A")
	})
}

func TestReserve_NeverHoldsPartOfOverlappingGroup(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rng := rand.New(rand.NewPCG(seed, 0))
		groups := make([][]string, 300)
		for i := range groups {
			for _, n := range rng.Perm(24)[:1+rng.IntN(10)] {
				groups[i] = append(groups[i], fmt.Sprintf("s%d", n))
			}
		}
		won := make([]atomic.Bool, len(groups))
		var wg sync.WaitGroup
		for i, group := range groups {
			wg.Go(func() {
				_, err := b.locker.Reserve(context.Background(), event, group, fmt.Sprintf("user_%d", i))
				if err != nil && !errors.Is(err, seatlock.ErrTaken) {
					t.Error(err)
				}
				won[i].Store(err == nil)
			})
		}
		wg.Wait()
		holder := map[string]string{}
		for i, group := range groups {
			for _, seat := range group {
				if won[i].Load() {
					require.Empty(t, holder[seat], "seat %s is held by two users", seat)
					holder[seat] = fmt.Sprintf("user_%d", i)
				}
			}
		}
		for n := range 24 {
			seat := fmt.Sprintf("s%d", n)
			value, err := b.redis.Get(t.Context(), "seat:{gala}:"+seat).Result()
			if holder[seat] == "" {
				require.ErrorIs(t, err, redis.Nil, "seat %s is held by a user who was refused", seat)
				continue
			}
			require.True(t, strings.HasSuffix(value, ":"+holder[seat]), "%s: %s", seat, value)
		}
	})
}

func TestReserve_RefusesMoreThanMaxSeatsPerUser(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setupWith(t, r, seatlock.Options{MaxSeatsPerUser: 3})
		refused := func(held, sold int, seats ...string) {
			t.Helper()
			_, err := b.locker.Reserve(t.Context(), event, seats, ann)
			var limit *seatlock.LimitError
			require.ErrorAs(t, err, &limit)
			require.ErrorIs(t, err, seatlock.ErrSeatLimit)
			require.Equal(t, seatlock.LimitError{Limit: 3, Held: held, Sold: sold}, *limit)
		}
		b.reserve(t, ann, "1", "2")
		b.buy(t, ann, "1")
		refused(1, 1, "3", "4")
		b.status(t, "3", seatlock.Available)
		b.reserve(t, ann, "3")
		refused(2, 1, "4")
		b.reserve(t, ann, "2", "3") // held already: each counts once
		b.reserve(t, bob, "4", "5", "6")
		_, err := b.locker.Reserve(t.Context(), "matinee", []string{"1", "2", "3"}, ann)
		require.NoError(t, err, "each event has a limit of its own")

		require.NoError(t, b.locker.Release(t.Context(), event, []string{"2"}, ann))
		b.reserve(t, ann, "7")
		refused(2, 1, "8")
	})
}

func TestReserve_CountsExtendedHoldsToLimit(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	b := setupWith(t, r, seatlock.Options{HoldTime: holdTime, MaxSeatsPerUser: 2})
	b.reserve(t, ann, "1A", "1B")
	r.Advance(t, holdTime-time.Minute)
	b.extend(t, ann, "1A")
	r.Advance(t, 2*time.Minute) // 1B has ended
	_, err := b.locker.Reserve(t.Context(), event, []string{"1C", "1D"}, ann)
	var limit *seatlock.LimitError
	require.ErrorAs(t, err, &limit)
	require.Equal(t, seatlock.LimitError{Limit: 2, Held: 1}, *limit)
	b.reserve(t, ann, "1C")
	require.Equal(t, []string{"1A", "1C"}, b.redis.ZRange(t.Context(), "user:{gala}:"+ann, 0, -1).Val(), "holds that have ended are removed")
}
