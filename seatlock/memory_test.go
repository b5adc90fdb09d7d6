package seatlock_test

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

func TestReserve_HoldsNoPartIfMemoryIsFull(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t, "--maxmemory-policy", "noeviction")
	b := setup(t, r)
	b.reserve(t, ann, "1A")
	b.buy(t, ann, "1A")
	require.NoError(t, b.redis.ConfigSet(t.Context(), "maxmemory", "1").Err())
	_, err := b.locker.Reserve(t.Context(), event, []string{"2A", "2B", "2C"}, bob)
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	require.NoError(t, b.redis.ConfigSet(t.Context(), "maxmemory", "0").Err())
	b.status(t, "1A", seatlock.Sold)
	for _, seat := range []string{"2A", "2B", "2C"} {
		b.status(t, seat, seatlock.Available)
	}
}

// Redis would refuse a retry, too.
func TestReserve_DoesNotRetryIfMemoryIsFull(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t, "--maxmemory-policy", "noeviction")
	var batches atomic.Int64
	b := setupWith(t, r, seatlock.Options{OnBatch: func(int) { batches.Add(1) }})
	require.NoError(t, b.redis.ConfigSet(t.Context(), "maxmemory", "1").Err())
	_, err := b.locker.Reserve(t.Context(), event, []string{"1A"}, ann)
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	require.EqualValues(t, 1, batches.Load())
}

// If holds fill the memory of Redis, their users can still buy and release them.
func TestBuy_SellsWhenMemoryIsFull(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t, "--maxmemory-policy", "noeviction")
	b := setup(t, r)
	b.reserve(t, ann, "1A", "1B", "1C")
	require.NoError(t, b.redis.ConfigSet(t.Context(), "maxmemory", "1").Err())
	_, err := b.locker.Reserve(t.Context(), event, []string{"2A"}, bob)
	require.ErrorIs(t, err, seatlock.ErrUnavailable)
	b.buy(t, ann, "1A", "1B")
	require.NoError(t, b.locker.Release(t.Context(), event, []string{"1C"}, ann))
	require.NoError(t, b.exchange(t, "", ann, []string{"1B"}, []string{"1C"}))
	require.NoError(t, b.locker.Return(t.Context(), event, []string{"1C"}, ann, keyed("k")))
	b.status(t, "1A", seatlock.Sold)
	b.status(t, "1C", seatlock.Available)
	require.Equal(t, []string{"held[1A 1B 1C]", "sold[1A 1B]", "released[1C]", "exchanged[1B]", "returned[1C]"}, b.changes(t, seatlock.NoChange))
}
