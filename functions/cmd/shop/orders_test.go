package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A crash while the file is written leaves a part of the last line.
func TestOrders_ReadsAFileThatWasCutOff(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "orders.jsonl")
	first := Order{ID: "o1", User: "ann", Seats: []string{"1A"}, Amount: 4500, State: Open}
	orders, err := OpenOrders(path)
	require.NoError(t, err)
	require.NoError(t, orders.Put(&first))
	size := fileSize(t, path)
	second := first
	second.State = Authorized
	require.NoError(t, orders.Put(&second))
	require.NoError(t, orders.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)

	for end := size; end <= int64(len(whole)); end++ {
		require.NoError(t, os.WriteFile(path, whole[:end], 0o600))
		orders, err := OpenOrders(path)
		require.NoError(t, err)
		want := first
		if end == int64(len(whole)) {
			want = second
		}
		require.Equal(t, []Order{want}, orders.All())
		want.State = Sold
		require.NoError(t, orders.Put(&want))
		require.NoError(t, orders.Close())

		orders, err = OpenOrders(path)
		require.NoError(t, err)
		require.Equal(t, want, orders.Get("o1"))
		require.NoError(t, orders.Close())
	}
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

// After a write that failed, the file may end with a part of a line.
func TestOrders_StoresNothingAfterAFault(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "orders.jsonl")
	orders, err := OpenOrders(path)
	require.NoError(t, err)
	first := Order{ID: "o1", State: Open}
	require.NoError(t, orders.Put(&first))
	require.NoError(t, orders.Close())
	for range 2 {
		next := Order{ID: "o1", State: Paid}
		require.ErrorIs(t, orders.Put(&next), os.ErrClosed)
	}
	require.Equal(t, first, orders.Get("o1"))

	require.NoError(t, os.WriteFile(path, []byte("no order\n"), 0o600))
	_, err = OpenOrders(path)
	require.ErrorContains(t, err, path)
}
