package seatlock_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// buyOrder and giveBack make a sale under an order, and end it.
func (b *testBundle) buyOrder(t *testing.T, order, user string, seats ...string) error {
	t.Helper()
	return b.locker.BuyOn(t.Context(), event, seats, user, seatlock.Terms{Order: order})
}

func (b *testBundle) giveBack(t *testing.T, order, user string, seats ...string) error {
	t.Helper()
	return b.locker.Return(t.Context(), event, seats, user, seatlock.Terms{Order: order})
}

func TestBuy_KeepsOrder(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A", "1B", "1C")
		require.NoError(t, b.buyOrder(t, "o:1", ann, "1A"))
		require.NoError(t, b.buyOrder(t, "o:1", ann, "1A", "1B"), "again, and one more")
		requireConflict(t, b.buyOrder(t, "o:2", ann, "1A", "1C"), seatlock.ErrSold, "1A Sold")
		requireConflict(t, b.buyOrder(t, "", ann, "1A"), seatlock.ErrSold, "1A Sold")
		require.NoError(t, b.buyOrder(t, "", ann, "1C"))
		requireConflict(t, b.buyOrder(t, "o:1", ann, "1C"), seatlock.ErrSold, "1C Sold")
		require.NoError(t, b.buyOrder(t, "", ann, "1C"))
		requireConflict(t, b.buyOrder(t, "o:1", bob, "1A"), seatlock.ErrHeldByOther, "1A Sold")
		requireConflict(t, b.buyOrder(t, "o:2", ann, "1A", "1X"), seatlock.ErrSold, "1A Sold", "1X Available")
		b.reserve(t, bob, "1Y")
		requireConflict(t, b.buyOrder(t, "o:2", ann, "1A", "1Y"), seatlock.ErrHeldByOther, "1A Sold", "1Y Reserved")
		user, order, sold := redistest.SaleOf(b.redis.Get(t.Context(), "seat:{gala}:1A").Val())
		require.Equal(t, []any{ann, "o:1", true}, []any{user, order, sold})
		require.ErrorIs(t, b.buyOrder(t, "no order", ann, "1A"), seatlock.ErrInvalid)
	})
}

func TestReturn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setupWith(t, r, seatlock.Options{HoldTime: holdTime, MaxSeatsPerUser: 3})
		b.reserve(t, ann, "1A", "1B", "1C")
		require.NoError(t, b.buyOrder(t, "o:1", ann, "1A", "1B"))
		require.NoError(t, b.buyOrder(t, "o:2", ann, "1C"))
		b.reserve(t, bob, "1D", "1E")
		b.buy(t, bob, "1E")
		requireConflict(t, b.giveBack(t, "o:1", ann, "1A", "1C", "1D", "1E", "1X"), seatlock.ErrNotReturnable, "1C Sold", "1D Reserved", "1E Sold")
		requireConflict(t, b.giveBack(t, "", ann, "1A"), seatlock.ErrNotReturnable, "1A Sold")
		requireConflict(t, b.giveBack(t, "", ann, "1E"), seatlock.ErrNotReturnable, "1E Sold")
		b.status(t, "1A", seatlock.Sold)

		require.NoError(t, b.giveBack(t, "o:1", ann, "1A", "1B"))
		require.NoError(t, b.giveBack(t, "o:1", ann, "1A", "1B"), "again")
		require.NoError(t, b.giveBack(t, "o:1", ann, "1X"), "never sold")
		b.status(t, "1A", seatlock.Available)
		require.Equal(t, []string{"1C Sold", "1D Reserved", "1E Sold"}, seatLines(b.newView(t)))
		b.reserve(t, ann, "1A", "1F") // within the limit
		require.NoError(t, b.buyOrder(t, "o:3", ann, "1A"))
		requireConflict(t, b.giveBack(t, "o:1", ann, "1A"), seatlock.ErrNotReturnable, "1A Sold")
		require.Equal(t, []string{
			"held[1A 1B 1C]", "sold[1A 1B]", "sold[1C]", "held[1D 1E]", "sold[1E]", "returned[1A 1B]", "held[1A 1F]", "sold[1A]",
		}, b.changes(t, seatlock.NoChange))
	})
}

func TestReturn_EndsSaleOfEarlierVersion(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.reserve(t, ann, "1A")
		b.buy(t, ann, "1A")
		require.NoError(t, b.redis.Set(t.Context(), "seat:{gala}:1A", "sold:"+ann, 0).Err())
		b.buy(t, ann, "1A")
		requireConflict(t, b.buyOrder(t, "o:1", ann, "1A"), seatlock.ErrSold, "1A Sold")
		requireConflict(t, b.giveBack(t, "o:1", ann, "1A"), seatlock.ErrNotReturnable, "1A Sold")
		require.NoError(t, b.giveBack(t, "", ann, "1A"))
		b.reserve(t, bob, "1A")
	})
}

func TestReturn_FallsBackToChannel(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.block(t, "house", "1A")
		require.NoError(t, b.reserveFrom(t, "house", ann, "1A"))
		require.NoError(t, b.buyOrder(t, "o:1", ann, "1A"))
		view := b.newView(t)
		require.NoError(t, b.giveBack(t, "o:1", ann, "1A"))
		b.status(t, "1A", seatlock.Blocked)
		require.NoError(t, b.giveBack(t, "o:1", ann, "1A"))
		_, err := view.Refresh(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"1A Blocked"}, seatLines(view))
	})
}
