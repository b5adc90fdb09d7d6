package seatlock_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// limited is setup with a limit, so that there are sets of users' seats, too.
func limited(t *testing.T, r *redistest.Redis) *testBundle {
	t.Helper()
	locker, err := seatlock.New(r.Client(t), seatlock.Options{HoldTime: holdTime, Timeout: time.Minute, MaxSeatsPerUser: 100})
	require.NoError(t, err)
	return &testBundle{locker: locker, redis: r.Admin(t)}
}

// keys returns the names of all keys that Redis has.
func (b *testBundle) keys(t *testing.T) []string {
	t.Helper()
	keys, err := b.redis.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	return keys
}

const day = 24 * time.Hour

func TestReserve_LeavesNothingOfAnAbandonedEvent(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := limited(t, r)
		b.reserve(t, ann, "1A", "1B")
		b.reserve(t, bob, "2A")
		b.extend(t, ann, "1A")
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1A", "1B"}, ann))
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"2A"}, bob)) // which empties the index
		b.reserve(t, ann, "1A")
		require.Subset(t, b.keys(t), []string{"seats:{gala}", "changes:{gala}", "user:{gala}:" + ann})
		r.Advance(t, day)
		// Redis deletes what has ended by itself, some time later.
		require.Eventually(t, func() bool { return b.redis.DBSize(t.Context()).Val() == 0 }, redistest.Patience, time.Millisecond)
	})
}

// As long as there are holds, the index and the changes are there: also of holds that
// are extended as far as they may, and of later ones.
func TestReserve_KeepsTheIndexWhileThereAreHolds(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t) // a real server's clock can't be moved on
	b := limited(t, r)
	for i := range 20 {
		b.reserve(t, ann, fmt.Sprint(i))
		r.Advance(t, 4*time.Minute)
		b.extend(t, ann, fmt.Sprint(i))
		found, err := b.locker.Map(t.Context(), event)
		require.NoError(t, err)
		require.NotEmpty(t, found.Seats)
		require.Equal(t, "held[0]", b.changes(t, seatlock.NoChange)[0])
	}
}

func TestBuy_KeepsTheEventForGood(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := limited(t, r)
		b.reserve(t, ann, "1A", "1B")
		b.buy(t, ann, "1A")
		b.reserve(t, ann, "2A") // after the sale
		b.reserve(t, bob, "2B")
		require.Positive(t, b.redis.PTTL(t.Context(), "user:{gala}:"+bob).Val(), "bob has bought nothing")
		r.Advance(t, day)
		require.ElementsMatch(t, []string{"seat:{gala}:1A", "seats:{gala}", "changes:{gala}", "user:{gala}:" + ann}, b.keys(t))
		for _, key := range b.keys(t) {
			require.EqualValues(t, -1, b.redis.PTTL(t.Context(), key).Val(), key)
		}
		require.Contains(t, b.changes(t, seatlock.NoChange), "sold[1A]")
	})
}

// An operator who deletes a seat's key frees the seat. The map follows the keys, and the
// change is told.
func TestMap_FollowsTheKeys(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		const hall = 1000 // more than one run compares
		for row := range hall / 100 {
			seats := make([]string, 100)
			for i := range seats {
				seats[i] = fmt.Sprint(row, "-", i)
			}
			b.reserve(t, ann, seats...)
			if row%2 == 0 {
				b.buy(t, ann, seats...)
			}
		}
		require.NoError(t, b.redis.Del(t.Context(), "seat:{gala}:0-7", "seat:{gala}:1-7").Err())
		require.Eventually(t, func() bool {
			found, err := b.locker.Map(t.Context(), event)
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(found.Seats), hall-2)
			return len(found.Seats) == hall-2
		}, redistest.Patience, time.Microsecond)
		var released []string
		for _, line := range b.changes(t, seatlock.NoChange) {
			if strings.HasPrefix(line, "released") {
				released = append(released, line)
			}
		}
		require.ElementsMatch(t, []string{"released[0-7]", "released[1-7]"}, released)
		b.status(t, "0-7", seatlock.Available)
		b.reserve(t, bob, "0-7")
	})
}

// A small hall is compared whole each time.
func TestMap_FollowsTheKeysOfASmallHallAtOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A", "1B")
		b.buy(t, ann, "1A")
		require.NoError(t, b.redis.Del(t.Context(), "seat:{gala}:1A").Err())
		found, err := b.locker.Map(t.Context(), event)
		require.NoError(t, err)
		require.Len(t, found.Seats, 1)
		require.Equal(t, "1B", found.Seats[0].ID)
	})
}

// The end of a hold is told when its key is gone, not before: Redis may still see the
// key when its clock is past the deadline.
func TestSettle_WaitsForTheKey(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A")
		require.NoError(t, b.redis.ZAdd(t.Context(), "seats:{gala}", redis.Z{Score: 1, Member: "1A"}).Err())
		_, err := b.locker.Settle(t.Context(), event)
		require.NoError(t, err)
		b.reserve(t, bob, "1B")
		require.Equal(t, []string{"held[1A]", "held[1B]"}, b.changes(t, seatlock.NoChange))
	})
}

// A script that can't write all of a transition writes nothing of it.
func TestEveryCall_ChangesNothingIfAKeyIsOfAnotherType(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		for _, c := range []struct {
			b   *testBundle
			key string
		}{
			{setup(t, r), "seats:{gala}"}, {setup(t, r), "changes:{gala}"},
			{limited(t, r), "seats:{gala}"}, {limited(t, r), "changes:{gala}"}, {limited(t, r), "user:{gala}:" + ann},
		} {
			b, key := c.b, c.key
			require.NoError(t, b.redis.FlushAll(t.Context()).Err())
			b.reserve(t, ann, "1A")
			r.Advance(t, time.Minute)
			before, err := b.redis.Get(t.Context(), "seat:{gala}:1A").Result()
			require.NoError(t, err)
			require.NoError(t, b.redis.Set(t.Context(), key, "a string", 0).Err())
			_, err = b.locker.Reserve(t.Context(), event, []string{"1B"}, ann)
			require.ErrorContains(t, err, "WRONGTYPE", key)
			_, err = b.locker.Extend(t.Context(), event, []string{"1A"}, ann)
			require.ErrorContains(t, err, "WRONGTYPE", key)
			require.ErrorContains(t, b.locker.Buy(t.Context(), event, []string{"1A"}, ann), "WRONGTYPE", key)
			require.ErrorContains(t, b.locker.Release(t.Context(), event, []string{"1A"}, ann), "WRONGTYPE", key)
			b.status(t, "1B", seatlock.Available)
			require.Equal(t, before, b.redis.Get(t.Context(), "seat:{gala}:1A").Val(), key)
		}
	})
}

func TestMaxSeatsPerUser_CountsExtendedHolds(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	locker, err := seatlock.New(r.Client(t), seatlock.Options{HoldTime: holdTime, MaxSeatsPerUser: 2, Timeout: time.Minute})
	require.NoError(t, err)
	b := &testBundle{locker: locker, redis: r.Admin(t)}
	b.reserve(t, ann, "1A", "1B")
	r.Advance(t, holdTime-time.Minute)
	b.extend(t, ann, "1A")
	r.Advance(t, 2*time.Minute) // 1B has ended
	_, err = locker.Reserve(t.Context(), event, []string{"1C", "1D"}, ann)
	var limit *seatlock.LimitError
	require.ErrorAs(t, err, &limit)
	require.Equal(t, seatlock.LimitError{Limit: 2, Held: 1}, *limit)
	b.reserve(t, ann, "1C")
	require.Equal(t, []string{"1A", "1C"}, b.redis.ZRange(t.Context(), "user:{gala}:"+ann, 0, -1).Val(), "ended holds are not kept")
}

func TestChanges_KeepsTheLastTenThousand(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	for range 1_500 {
		b.reserve(t, ann, "1A")
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1A"}, ann))
	}
	require.EqualValues(t, 3_000, b.redis.XLen(t.Context(), "changes:{gala}").Val())
}
