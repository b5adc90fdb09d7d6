package seatlock_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// setupLimited is setup with a limit. Then Redis has a set of each user's seats, too.
func setupLimited(t *testing.T, r *redistest.Redis) *testBundle {
	t.Helper()
	return setupWith(t, r, seatlock.Options{HoldTime: holdTime, MaxSeatsPerUser: 100})
}

const day = 24 * time.Hour

func TestReserve_LeavesNothingOfAbandonedEvent(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setupLimited(t, r)
		b.reserve(t, ann, "1A", "1B")
		b.reserve(t, bob, "2A")
		b.extend(t, ann, "1A")
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1A", "1B"}, ann))
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"2A"}, bob)) // the index is empty now
		b.reserve(t, ann, "1A")
		require.Subset(t, b.keys(t), []string{"seats:{gala}", "changes:{gala}", "user:{gala}:" + ann})
		for _, key := range b.keys(t) {
			require.Positive(t, b.redis.PTTL(t.Context(), key).Val(), "%s has no TTL", key)
		}
		r.Advance(t, day)
		// Redis deletes expired keys some time later.
		require.Eventually(t, func() bool { return b.redis.DBSize(t.Context()).Val() == 0 }, redistest.WaitLimit, time.Millisecond)
	})
}

// The index and the changes last as long as any hold, with all its extensions.
func TestReserve_KeepsIndexWhileSeatsAreHeld(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t) // only its clock can be moved
	b := setupLimited(t, r)
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

func TestBuy_KeepsEventForever(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setupLimited(t, r)
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

// An operator who deletes a seat's key frees the seat. A View removes it from the index and
// appends a change.
func TestMap_FollowsSeatKeys(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		const hall = 1000 // more seats than one script compares
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
		}, redistest.WaitLimit, time.Microsecond)
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

// Each Map compares all seats of a small event.
func TestMap_FollowsSeatKeysOfSmallEventAtOnce(t *testing.T) {
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
