package load

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestSeatPlan_HasThatManySeats(t *testing.T) {
	t.Parallel()
	for seats := 1; seats < 2000; seats += 7 {
		hall, err := NewHall(SeatPlan(seats), 0)
		require.NoError(t, err)
		require.Len(t, hall.Seats, seats)
	}
	hall, err := NewHall("1-40:A-Y", 0)
	require.NoError(t, err)
	require.Equal(t, "1M", hall.Seats[0], "the middle of the first row is the most popular")
}

func TestSome_ReturnsAShare(t *testing.T) {
	t.Parallel()
	hall, err := NewHall(SeatPlan(101), 0)
	require.NoError(t, err)
	require.Empty(t, Some(hall.Seats, 0, 7))
	some := Some(hall.Seats, 0.05, 7)
	require.Len(t, some, 6)
	require.Subset(t, hall.Seats, some)
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(some))), 6)
	require.Equal(t, some, Some(hall.Seats, 0.05, 7))
	require.NotEqual(t, some, Some(hall.Seats, 0.05, 8))
	require.Len(t, Some(hall.Seats, 1, 7), 101)
}

// A choice has as many seats as the buyer wants, all of them free, and exists if enough
// seats are free.
func TestChoose_ReturnsFreeSeats(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		hall, err := NewHall(SeatPlan(rapid.IntRange(1, 30).Draw(t, "seats")), 0)
		require.NoError(t, err)
		taken := map[string]bool{}
		free := 0
		for _, seat := range hall.Seats {
			if taken[seat] = rapid.Bool().Draw(t, seat); !taken[seat] {
				free++
			}
		}
		n := rapid.IntRange(1, 6).Draw(t, "n")
		chosen := hall.NewChooser(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), 1.2).Choose(n, taken)
		if free < n {
			require.Nil(t, chosen)
			return
		}
		require.Len(t, chosen, n)
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(chosen))), n)
		for _, seat := range chosen {
			require.False(t, taken[seat])
		}
	})
}

func TestChoose_KeepsGroupsTogether(t *testing.T) {
	t.Parallel()
	hall, err := NewHall("1-2:A-D", 0)
	require.NoError(t, err)
	taken := map[string]bool{"1B": true, "1D": true}
	for seed := range uint64(50) {
		chooser := hall.NewChooser(rand.New(rand.NewPCG(seed, 0)), 1.2)
		require.Equal(t, []string{"2A", "2B", "2C", "2D"}, chooser.Choose(4, taken))
		require.Len(t, chooser.Choose(6, taken), 6)
		require.Nil(t, chooser.Choose(7, taken))
	}
}
