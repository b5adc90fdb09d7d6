package seatlock_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

func (b *testBundle) block(t *testing.T, channel string, seats ...string) {
	t.Helper()
	require.NoError(t, b.locker.Block(t.Context(), event, seats, channel, seatlock.Terms{}))
}

func (b *testBundle) unblock(t *testing.T, channel string, seats ...string) {
	t.Helper()
	require.NoError(t, b.locker.Unblock(t.Context(), event, seats, channel, seatlock.Terms{}))
}

// reserveFrom reserves seats of a channel.
func (b *testBundle) reserveFrom(t *testing.T, channel, user string, seats ...string) error {
	t.Helper()
	_, err := b.locker.ReserveOn(t.Context(), event, seats, user, seatlock.Terms{Channel: channel})
	return err
}

func TestBlock(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.block(t, "house", "1A", "1B")
		b.status(t, "1A", seatlock.Blocked)
		b.status(t, "1C", seatlock.Available)
		b.block(t, "house", "1B", "1A", "1C")
		require.Equal(t, []string{"blocked[1A 1B]", "blocked[1C]"}, b.changes(t, seatlock.NoChange))
		_, err := b.locker.Reserve(t.Context(), event, []string{"1D", "1A"}, ann)
		requireConflict(t, err, seatlock.ErrTaken, "1A Blocked")
		requireConflict(t, b.locker.Buy(t.Context(), event, []string{"1A"}, ann), seatlock.ErrHoldExpired, "1A Blocked")

		requireConflict(t, b.locker.Block(t.Context(), event, []string{"1D", "1A"}, "sponsor", seatlock.Terms{}), seatlock.ErrTaken, "1A Blocked")
		requireConflict(t, b.locker.Unblock(t.Context(), event, []string{"1B", "1A"}, "sponsor", seatlock.Terms{}), seatlock.ErrTaken, "1B Blocked", "1A Blocked")
		b.reserve(t, ann, "1D")
		b.reserve(t, bob, "1E")
		b.buy(t, bob, "1E")
		for _, channel := range []string{"house", "sponsor"} {
			requireConflict(t, b.locker.Block(t.Context(), event, []string{"1D", "1E", "1F"}, channel, seatlock.Terms{}), seatlock.ErrTaken, "1D Reserved", "1E Sold")
		}
		b.status(t, "1F", seatlock.Available)

		b.unblock(t, "house", "1A", "1X")
		b.unblock(t, "house", "1A")
		b.reserve(t, ann, "1A")
		b.unblock(t, "house", "1B", "1C")
		require.Zero(t, b.redis.Exists(t.Context(), "event:{gala}", "blocked:{gala}").Val())
	})
}

func TestBlock_KeepsSeatsThroughHoldsOfChannel(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.put(t, seatlock.Put{Settings: seatlock.Settings{OnSale: redisNow(t, b).Add(time.Hour), HoldTime: 2 * time.Second}})
		b.block(t, "house", "1A", "1B")
		requireConflict(t, b.reserveFrom(t, "sponsor", ann, "1A"), seatlock.ErrTaken, "1A Blocked")
		requireConflict(t, b.reserveFrom(t, "house", ann, "1A", "1C"), seatlock.ErrTaken, "1C Available")
		require.NoError(t, b.reserveFrom(t, "house", ann, "1A"), "also before the sale")
		b.status(t, "1A", seatlock.Reserved)
		requireConflict(t, b.locker.Unblock(t.Context(), event, []string{"1A"}, "house", seatlock.Terms{}), seatlock.ErrTaken, "1A Reserved")
		view := b.newView(t)
		requireView := func(want ...string) {
			t.Helper()
			_, err := view.Refresh(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, seatLines(view))
			require.Equal(t, want, seatLines(b.newView(t)), "a new view")
		}
		requireView("1A Reserved", "1B Blocked")
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1A"}, ann))
		b.status(t, "1A", seatlock.Blocked)
		requireView("1A Blocked", "1B Blocked")
		require.NoError(t, b.reserveFrom(t, "house", bob, "1A"))
		if r.Mini != nil {
			r.Advance(t, 2*time.Second)
		}
		require.Eventually(t, func() bool {
			b.refresh(t)
			changes := b.changes(t, seatlock.NoChange)
			return changes[len(changes)-1] == "blocked[1A]"
		}, redistest.WaitLimit, 10*time.Millisecond)
		requireView("1A Blocked", "1B Blocked")
		require.NoError(t, b.reserveFrom(t, "house", bob, "1B"))
		b.buy(t, bob, "1B")
		b.unblock(t, "house", "1A")
		requireView("1B Sold")
		require.Equal(t, []string{
			"blocked[1A 1B]", "held[1A]", "released[1A]", "blocked[1A]", "held[1A]", "expired[1A]", "blocked[1A]", "held[1B]", "sold[1B]", "unblocked[1A]",
		}, b.changes(t, seatlock.NoChange))
	})
}

// A hold of a seat has ended, and no change says so yet.
func TestBlock_RecordsHoldsThatEnded(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A")
		b.block(t, "house", "1B")
		require.NoError(t, b.reserveFrom(t, "house", ann, "1B"))
		r.Advance(t, holdTime+time.Second)
		b.block(t, "house", "1A", "1C")
		b.unblock(t, "house", "1B")
		require.Equal(t, []string{
			"held[1A]", "blocked[1B]", "held[1B]", "expired[1A]", "blocked[1A 1C]", "expired[1B]", "blocked[1B]", "unblocked[1B]",
		}, b.changes(t, seatlock.NoChange))
		require.Equal(t, []string{"1A Blocked", "1C Blocked"}, seatLines(b.newView(t)))
	})
}

// Only seats of the channel are blocked again when their hold ends.
func TestBlock_KeepsOtherSeatsAvailable(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.block(t, "house", "1A")
		b.reserve(t, ann, "1B")
		require.NoError(t, b.locker.Release(t.Context(), event, []string{"1B"}, ann))
		require.Equal(t, []string{"blocked[1A]", "held[1B]", "released[1B]"}, b.changes(t, seatlock.NoChange))
	})
}

func TestBlock_TakesThousandSeats(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.block(t, "house", seatNames(1000)...)
		require.Len(t, seatLines(b.newView(t)), 1000)
		b.unblock(t, "house", seatNames(1000)...)
		require.Empty(t, seatLines(b.newView(t)))
		require.Len(t, b.changes(t, seatlock.NoChange), 20)
		require.Equal(t, []string{"changes:{gala}"}, b.keys(t))
		require.Positive(t, b.redis.PTTL(t.Context(), "changes:{gala}").Val(), "it ends by itself")
	})
}

func TestBlock_RefusesInvalidArguments(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	for _, c := range []struct {
		event, channel string
		seats          []string
	}{
		{"no event", "house", []string{"1A"}}, {event, "", []string{"1A"}}, {event, "no channel", []string{"1A"}}, {event, "house", nil},
		{event, "house", seatNames(1001)}, {event, "house", []string{"1A", "1B", "1A"}}, {event, "house", []string{"no seat"}},
	} {
		require.ErrorIs(t, b.locker.Block(t.Context(), c.event, c.seats, c.channel, seatlock.Terms{}), seatlock.ErrInvalid)
		require.ErrorIs(t, b.locker.Unblock(t.Context(), c.event, c.seats, c.channel, seatlock.Terms{}), seatlock.ErrInvalid)
	}
	require.Empty(t, b.keys(t))
}
