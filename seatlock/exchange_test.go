package seatlock_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

func (b *testBundle) exchange(t *testing.T, order, user string, seats, to []string) error {
	t.Helper()
	return b.locker.Exchange(t.Context(), event, seats, to, user, seatlock.Terms{Order: order})
}

func TestExchange(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setupWith(t, r, seatlock.Options{HoldTime: holdTime, MaxSeatsPerUser: 4})
		b.reserve(t, ann, "1A", "1B", "1C")
		require.NoError(t, b.buyOrder(t, "o:1", ann, "1A", "1B"))
		view := b.newView(t)
		require.NoError(t, b.exchange(t, "o:1", ann, []string{"1A", "1B"}, []string{"2A", "1C"}), "one is free, the other one is ann's hold")
		require.NoError(t, b.exchange(t, "o:1", ann, []string{"1A", "1B"}, []string{"2A", "1C"}), "again")
		for id, want := range map[string]seatlock.Status{"1A": seatlock.Available, "1B": seatlock.Available, "2A": seatlock.Sold, "1C": seatlock.Sold} {
			b.status(t, id, want)
		}
		user, order, sold := redistest.SaleOf(b.redis.Get(t.Context(), "seat:{gala}:2A").Val())
		require.Equal(t, []any{ann, "o:1", true}, []any{user, order, sold})
		require.Equal(t, []string{"held[1A 1B 1C]", "sold[1A 1B]", "exchanged[1A 1B]"}, b.changes(t, seatlock.NoChange))

		update, err := view.Refresh(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"2A", "1C"}, update.Changes[0].ToSeatIDs)
		require.Equal(t, []string{"1C Sold", "2A Sold"}, seatLines(view))
		require.Equal(t, []string{"1C Sold", "2A Sold"}, seatLines(b.newView(t)))

		b.reserve(t, ann, "3A", "3B") // ann has two seats
		_, err = b.locker.Reserve(t.Context(), event, []string{"3C"}, ann)
		require.ErrorIs(t, err, seatlock.ErrSeatLimit)
		require.NoError(t, b.giveBack(t, "o:1", ann, "2A", "1C"))
		require.ErrorIs(t, b.exchange(t, "o:1", ann, []string{"1A", "1B"}, []string{"2A", "1C"}), seatlock.ErrNotReturnable, "late")
	})
}

func TestExchange_RefusesAll(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.block(t, "house", "2D")
		b.reserve(t, ann, "1A", "1B", "1C", "1D", "2E")
		require.NoError(t, b.buyOrder(t, "o:1", ann, "1A", "1B"))
		require.NoError(t, b.buyOrder(t, "o:2", ann, "1C"))
		b.reserve(t, bob, "2A", "2B")
		b.buy(t, bob, "2B")
		before := b.contents(t)

		refuse := func(order, user string, seats, to []string, want error, conflicts ...string) {
			t.Helper()
			requireConflict(t, b.exchange(t, order, user, seats, to), want, conflicts...)
		}
		refuse("o:1", ann, []string{"1A", "1C", "1D", "2B", "1X", "2D"}, []string{"3A", "3B", "3C", "3D", "3E", "2A"},
			seatlock.ErrNotReturnable, "1C Sold", "1D Reserved", "2B Sold", "1X Available", "2D Blocked")
		refuse("", ann, []string{"1A"}, []string{"3A"}, seatlock.ErrNotReturnable, "1A Sold")
		refuse("o:1", bob, []string{"1A"}, []string{"3A"}, seatlock.ErrNotReturnable, "1A Sold")
		refuse("o:1", ann, []string{"1A", "1B"}, []string{"3A", "2A"}, seatlock.ErrTaken, "2A Reserved")
		refuse("o:1", ann, []string{"1A", "1B"}, []string{"2B", "2D"}, seatlock.ErrTaken, "2B Sold", "2D Blocked")
		refuse("o:1", ann, []string{"1A"}, []string{"1B"}, seatlock.ErrTaken, "1B Sold")
		refuse("o:1", ann, []string{"1A"}, []string{"1C"}, seatlock.ErrTaken, "1C Sold")
		require.Equal(t, before, b.contents(t))

		for name, err := range map[string]error{
			"Counts":  b.exchange(t, "o:1", ann, []string{"1A", "1B"}, []string{"3A"}),
			"Overlap": b.exchange(t, "o:1", ann, []string{"1A", "1B"}, []string{"3A", "1A"}),
			"Twice":   b.exchange(t, "o:1", ann, []string{"1A", "1B"}, []string{"3A", "3A"}),
			"None":    b.exchange(t, "o:1", ann, nil, nil),
			"Order":   b.exchange(t, "no order", ann, []string{"1A"}, []string{"3A"}),
		} {
			require.ErrorIs(t, err, seatlock.ErrInvalid, name)
		}
	})
}

func TestExchange_FallsBackToChannelAndRecordsExpiredHold(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.block(t, "house", "1A")
		b.reserve(t, bob, "1B")
		require.NoError(t, b.reserveFrom(t, "house", ann, "1A"))
		require.NoError(t, b.buyOrder(t, "", ann, "1A"))
		view := b.newView(t)
		r.Advance(t, holdTime)
		require.NoError(t, b.exchange(t, "", ann, []string{"1A"}, []string{"1B"}))
		b.status(t, "1A", seatlock.Blocked)
		update, err := view.Refresh(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"expired[1B]", "exchanged[1A]", "blocked[1A]"}, lines(update.Changes))
		require.Equal(t, []string{"1A Blocked", "1B Sold"}, seatLines(view))
		r.Advance(t, 24*holdTime)
		b.status(t, "1B", seatlock.Sold)
	})
}
