package seatlock_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

func TestHoldings_NamesOwners(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		before, err := b.redis.Time(t.Context()).Result()
		require.NoError(t, err)
		b.block(t, "house", "2A")
		b.reserve(t, ann, "1A", "1B")
		require.NoError(t, b.buyOrder(t, "o:1", ann, "1B"))
		require.NoError(t, b.redis.Set(t.Context(), "seat:{gala}:1C", "sold:"+bob, 0).Err()) // of an earlier version
		after, err := b.redis.Time(t.Context()).Result()
		require.NoError(t, err)

		holdings, err := b.locker.Holdings(t.Context(), event, []string{"1C", "1A", "1X", "2A", "1B"})
		require.NoError(t, err)
		require.Len(t, holdings, 3)
		require.Equal(t, seatlock.Holding{Seat: seatlock.Seat{ID: "1C", Status: seatlock.Sold}, User: bob}, holdings[0])
		require.Equal(t, "1A Reserved "+ann, fmt.Sprint(holdings[1].ID, " ", holdings[1].Status, " ", holdings[1].User, holdings[1].Order))
		require.LessOrEqual(t, holdings[1].ExpiresIn, holdTime)
		require.Positive(t, holdings[1].ExpiresIn)
		require.Equal(t, "1B Sold "+ann+" o:1", fmt.Sprint(holdings[2].ID, " ", holdings[2].Status, " ", holdings[2].User, " ", holdings[2].Order))
		require.False(t, holdings[2].SoldAt.Before(before.Truncate(time.Millisecond)) || holdings[2].SoldAt.After(after), holdings[2].SoldAt)

		var many []string
		for i := range 1200 {
			many = append(many, fmt.Sprintf("m%d", i))
		}
		holdings, err = b.locker.Holdings(t.Context(), event, append(many, "1B"))
		require.NoError(t, err)
		require.Len(t, holdings, 1)
		for _, bad := range []struct{ event, seat string }{{"no event", "1A"}, {event, "1 A"}} {
			_, err := b.locker.Holdings(t.Context(), bad.event, []string{bad.seat})
			require.ErrorIs(t, err, seatlock.ErrInvalid)
		}
	})
}

func TestView_KnowsSeatsOfUser(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A", "1B")
		b.reserve(t, bob, "1C")
		view := b.newView(t)
		requireSeats := func(user string, want ...string) {
			t.Helper()
			seats, err := view.SeatsOf(t.Context(), user)
			require.NoError(t, err)
			require.ElementsMatch(t, want, seats, user)
		}
		refresh := func() {
			t.Helper()
			_, err := view.Refresh(t.Context())
			require.NoError(t, err)
		}
		b.reserve(t, ann, "1D") // the first call of SeatsOf comes before the View knows of it
		requireSeats(ann, "1A", "1B")
		requireSeats(bob, "1C")
		refresh()
		requireSeats(ann, "1A", "1B", "1D")

		require.NoError(t, b.buyOrder(t, "o:1", ann, "1A", "1B"))
		require.NoError(t, b.exchange(t, "o:1", ann, []string{"1A"}, []string{"2A"}))
		require.NoError(t, b.giveBack(t, "o:1", ann, "1B"))
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1C", "1D"}, bob))
		b.block(t, "house", "1A")
		b.reserve(t, bob, "1B")
		refresh()
		requireSeats(ann, "1D", "2A")
		requireSeats(bob, "1B")
		requireSeats("carl")

		require.NoError(t, b.redis.FlushAll(t.Context()).Err())
		b.reserve(t, bob, "3A")
		refresh()
		requireSeats(ann)
		requireSeats(bob, "3A")

		last := view.Position()
		for _, command := range [][]any{ // what an earlier version wrote
			{"set", "seat:{gala}:9A", "sold:" + bob}, {"zadd", "seats:{gala}", "+inf", "9A"},
			{"xadd", "changes:{gala}", "*", "type", "sold", "seats", "9A", "deadline", ""},
		} {
			require.NoError(t, b.redis.Do(t.Context(), command...).Err())
		}
		refresh()
		require.NotEqual(t, last, view.Position())
		requireSeats(bob, "3A", "9A")
	})
}
