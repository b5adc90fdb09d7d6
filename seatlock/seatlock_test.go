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

const (
	holdTime = 5 * time.Minute
	event    = "gala"
	ann      = "ann@example.com"
	bob      = "auth0|bob"
)

type testBundle struct {
	locker *seatlock.Locker
	redis  *redis.Client // as one who may do everything
}

func setup(t *testing.T, r *redistest.Redis) *testBundle {
	t.Helper()
	client := r.Client(t)
	locker, err := seatlock.New(client, seatlock.Options{HoldTime: holdTime, Timeout: time.Minute})
	require.NoError(t, err)
	return &testBundle{locker: locker, redis: r.Admin(t)}
}

// status asserts what anyone sees of a seat and returns it.
func (b *testBundle) status(t *testing.T, id string, want seatlock.Status) seatlock.Seat {
	t.Helper()
	seat, err := b.locker.Status(t.Context(), event, id)
	require.NoError(t, err)
	require.Equal(t, id, seat.ID)
	require.Equal(t, want, seat.Status)
	return seat
}

func (b *testBundle) reserve(t *testing.T, user string, seats ...string) seatlock.Hold {
	t.Helper()
	hold, err := b.locker.Reserve(t.Context(), event, seats, user)
	require.NoError(t, err)
	return hold
}

func (b *testBundle) buy(t *testing.T, user string, seats ...string) {
	t.Helper()
	require.NoError(t, b.locker.Buy(t.Context(), event, seats, user))
}

// requireConflict asserts that err is a refusal for the reason want, and that
// it names the seats "ID Status", in order.
func requireConflict(t *testing.T, err, want error, seats ...string) {
	t.Helper()
	require.ErrorIs(t, err, want)
	var conflict *seatlock.ConflictError
	require.ErrorAs(t, err, &conflict)
	var got []string
	for _, s := range conflict.Seats {
		got = append(got, s.ID+" "+s.Status.String())
		require.Equal(t, s.Status == seatlock.Reserved, s.ExpiresIn > 0, "%+v", s)
		require.LessOrEqual(t, s.ExpiresIn, holdTime)
	}
	require.Equal(t, seats, got)
	require.NotContains(t, err.Error(), ann)
	require.NotContains(t, err.Error(), bob)
}

func TestReserve(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		t.Run("HoldsAFreeSeatUntilItsDeadline", func(t *testing.T) {
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
		t.Run("TellsTheHolderTheSameDeadlineAgain", func(t *testing.T) {
			b := setup(t, r)
			first := b.reserve(t, ann, "again")
			r.Advance(t, time.Minute)
			second := b.reserve(t, ann, "again")
			if r.Mini != nil {
				require.Equal(t, first.Deadline, second.Deadline)
				require.Equal(t, first.ExpiresIn-time.Minute, second.ExpiresIn)
			} else { // there the deadline, not the clock, was moved
				require.Equal(t, first.Deadline.Add(-time.Minute), second.Deadline)
			}
		})
		t.Run("RefusesASeatOfAnother", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "held")
			b.reserve(t, ann, "sold")
			b.buy(t, ann, "sold")
			_, err := b.locker.Reserve(t.Context(), event, []string{"held"}, bob)
			requireConflict(t, err, seatlock.ErrTaken, "held Reserved")
			_, err = b.locker.Reserve(t.Context(), event, []string{"sold"}, bob)
			requireConflict(t, err, seatlock.ErrTaken, "sold Sold")
		})
		t.Run("TellsTheBuyerThatTheSeatIsTheirs", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "mine")
			b.buy(t, ann, "mine")
			_, err := b.locker.Reserve(t.Context(), event, []string{"mine"}, ann)
			requireConflict(t, err, seatlock.ErrTaken, "mine Sold")
			var conflict *seatlock.ConflictError
			require.ErrorAs(t, err, &conflict)
			require.True(t, conflict.Seats[0].Yours)
			_, err = b.locker.Reserve(t.Context(), event, []string{"mine"}, bob)
			require.ErrorAs(t, err, &conflict)
			require.False(t, conflict.Seats[0].Yours)
		})
		t.Run("HoldsAGroupWholeOrNotAtAll", func(t *testing.T) {
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
		t.Run("TellsTheEarliestDeadlineOfAGroup", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "early")
			r.Advance(t, time.Minute)
			early := b.reserve(t, ann, "early")
			hold := b.reserve(t, ann, "late", "early")
			require.Equal(t, early.Deadline, hold.Deadline)
			require.Greater(t, b.status(t, "late", seatlock.Reserved).ExpiresIn, b.status(t, "early", seatlock.Reserved).ExpiresIn)
		})
		t.Run("FreesTheSeatWhenTheDeadlineHasPassed", func(t *testing.T) {
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
		t.Run("TellsUsersApartWhoseNamesResembleAValue", func(t *testing.T) {
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

func TestBuy(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		t.Run("SellsAHeldSeatForEver", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "s1")
			b.buy(t, ann, "s1")
			r.Advance(t, 1000*holdTime)
			b.status(t, "s1", seatlock.Sold)
			ttl, err := b.redis.PTTL(t.Context(), "seat:{gala}:s1").Result()
			require.NoError(t, err)
			require.EqualValues(t, -1, ttl)
		})
		t.Run("AnswersTheBuyerTheSameAgain", func(t *testing.T) {
			b := setup(t, r)
			b.reserve(t, ann, "s2", "s3")
			b.buy(t, ann, "s2")
			b.buy(t, ann, "s2")
			b.buy(t, ann, "s2", "s3")
			b.status(t, "s3", seatlock.Sold)
		})
		t.Run("RefusesWithoutAHold", func(t *testing.T) {
			b := setup(t, r)
			err := b.locker.Buy(t.Context(), event, []string{"none"}, ann)
			requireConflict(t, err, seatlock.ErrHoldExpired, "none Available")
		})
		t.Run("RefusesAfterTheHoldHasExpired", func(t *testing.T) {
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
		t.Run("SellsAGroupWholeOrNotAtAll", func(t *testing.T) {
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

func TestStatusOfAnUnknownSeatIsAvailable(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		require.Zero(t, b.status(t, "1A", seatlock.Available).ExpiresIn)
	})
}

func seatNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	return names
}

func TestEveryCall_TakesMaxSeats(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		all := seatNames(seatlock.MaxSeats)
		b.reserve(t, ann, all...)
		b.extend(t, ann, all...)
		b.buy(t, ann, all...)
	})
}

func TestInvalidArgumentsReachNoRedis(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	locker, err := seatlock.New(client, seatlock.Options{})
	require.NoError(t, err)
	for name, args := range map[string]struct {
		event string
		seats []string
		user  string
	}{
		"NoEvent":      {"", []string{"1A"}, ann},
		"EventBraces":  {"a}b", []string{"1A"}, ann},
		"NoSeats":      {event, nil, ann},
		"CyrillicSeat": {event, []string{"1A", "1А"}, ann},
		"SeatTwice":    {event, []string{"1A", "1B", "1A"}, ann},
		"TooManySeats": {event, seatNames(seatlock.MaxSeats + 1), ann},
		"NoUser":       {event, []string{"1A"}, ""},
		"UserSpace":    {event, []string{"1A"}, "a b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := locker.Reserve(t.Context(), args.event, args.seats, args.user)
			require.ErrorIs(t, err, seatlock.ErrInvalid)
			require.ErrorIs(t, locker.Buy(t.Context(), args.event, args.seats, args.user), seatlock.ErrInvalid)
		})
	}
	_, err = locker.Status(t.Context(), event, "")
	require.ErrorIs(t, err, seatlock.ErrInvalid)
}

func TestNewRefusesHoldsThatContradict(t *testing.T) {
	t.Parallel()
	_, err := seatlock.New(redistest.Mini(t).Client(t), seatlock.Options{HoldTime: time.Hour, MaxHoldTime: time.Minute})
	require.ErrorIs(t, err, seatlock.ErrInvalid)
}

func TestNewRefusesAClientThatOutlastsContexts(t *testing.T) {
	t.Parallel()
	for _, client := range []interface {
		seatlock.Client
		Close() error
	}{
		redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"}),
		redis.NewFailoverClient(&redis.FailoverOptions{MasterName: "seats", SentinelAddrs: []string{"127.0.0.1:1"}}),
		redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}}),
	} {
		_, err := seatlock.New(client, seatlock.Options{})
		require.ErrorIs(t, err, seatlock.ErrInvalid)
		require.ErrorContains(t, err, "ContextTimeoutEnabled")
		require.NoError(t, client.Close())
	}
}

func TestOneWinnerAmongAThousand(t *testing.T) {
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

func TestOverlappingGroupsAreNeverHalfTaken(t *testing.T) {
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
					require.Empty(t, holder[seat], "seat %s was given twice", seat)
					holder[seat] = fmt.Sprintf("user_%d", i)
				}
			}
		}
		for n := range 24 {
			seat := fmt.Sprintf("s%d", n)
			value, err := b.redis.Get(t.Context(), "seat:{gala}:"+seat).Result()
			if holder[seat] == "" {
				require.ErrorIs(t, err, redis.Nil, "seat %s is held by one who was refused", seat)
				continue
			}
			require.True(t, strings.HasSuffix(value, ":"+holder[seat]), "%s: %s", seat, value)
		}
	})
}

func redisNow(t *testing.T, b *testBundle) time.Time {
	t.Helper()
	now, err := b.redis.Time(t.Context()).Result()
	require.NoError(t, err)
	return now.Truncate(time.Millisecond)
}
