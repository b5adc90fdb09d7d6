package plan

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var crowd = Options{Seed: 42, Users: 20_000, Arrivals: 30 * time.Second, Peak: 5, Zipf: 1.2, Think: time.Second, Hold: 5 * time.Second,
	Groups: 0.3, MaxGroup: 6, Abandon: 0.2, Dawdle: 0.1, Twice: 0.1, Hoard: 0.05, Cheat: 0.05}

func TestASeedIsACrowd(t *testing.T) {
	t.Parallel()
	require.Equal(t, Buyers(crowd), Buyers(crowd))
	other := crowd
	other.Seed++
	require.NotEqual(t, Buyers(crowd), Buyers(other))
	hall, err := NewHall(SeatPlan(500))
	require.NoError(t, err)
	choices := func() (seats [][]string) {
		for _, b := range Buyers(crowd)[:100] {
			seats = append(seats, hall.NewWish(b.Rand(), crowd.Zipf).Choose(b.Seats, nil))
		}
		return seats
	}
	require.Equal(t, choices(), choices())
}

func TestSharesAreAsAskedFor(t *testing.T) {
	t.Parallel()
	kinds := map[Kind]float64{}
	groups, twice, early := 0.0, 0.0, 0.0
	buyers := Buyers(crowd)
	require.Len(t, buyers, crowd.Users)
	for i, b := range buyers {
		kinds[b.Kind] += 1.0 / float64(crowd.Users)
		if b.Seats > 1 {
			groups += 1.0 / float64(crowd.Users)
		}
		if b.Twice {
			twice += 1.0 / float64(crowd.Users)
		}
		if b.Arrives < crowd.Arrivals/10 {
			early += 1.0 / float64(crowd.Users)
		}
		require.LessOrEqual(t, b.Seats, crowd.MaxGroup)
		require.True(t, i == 0 || buyers[i-1].Arrives <= b.Arrives)
		require.Less(t, b.Arrives, crowd.Arrivals)
	}
	for kind, want := range map[Kind]float64{Abandoner: 0.2, Dawdler: 0.1, Hoarder: 0.05, Cheat: 0.05, Payer: 0.6} {
		require.InDelta(t, want, kinds[kind], 0.02, kind)
	}
	require.InDelta(t, 0.3, groups, 0.02)
	require.InDelta(t, 0.1, twice, 0.02)
	require.Greater(t, early, 0.2, "they come in a surge")
}

func TestAHallHasAsManySeatsAsAskedFor(t *testing.T) {
	t.Parallel()
	for seats := 1; seats < 2000; seats += 7 {
		hall, err := NewHall(SeatPlan(seats))
		require.NoError(t, err)
		require.Len(t, hall.Seats, seats)
	}
	hall, err := NewHall("1-40:A-Y")
	require.NoError(t, err)
	require.Equal(t, "1M", hall.Seats[0], "the middle of the first row is wanted most")
}

// Whatever is taken, a choice is of free seats, of as many as asked for, and none is
// left out as long as there are enough.
func TestChoices(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		hall, err := NewHall(SeatPlan(rapid.IntRange(1, 30).Draw(t, "seats")))
		require.NoError(t, err)
		taken := map[string]bool{}
		free := 0
		for _, seat := range hall.Seats {
			if taken[seat] = rapid.Bool().Draw(t, seat); !taken[seat] {
				free++
			}
		}
		n := rapid.IntRange(1, 6).Draw(t, "n")
		chosen := hall.NewWish(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), 1.2).Choose(n, taken)
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

func TestAGroupSitsTogetherWhereItCan(t *testing.T) {
	t.Parallel()
	hall, err := NewHall("1-2:A-D")
	require.NoError(t, err)
	taken := map[string]bool{"1B": true, "1D": true}
	for seed := range uint64(50) {
		wish := hall.NewWish(rand.New(rand.NewPCG(seed, 0)), 1.2)
		require.Equal(t, []string{"2A", "2B", "2C", "2D"}, wish.Choose(4, taken))
		require.Len(t, wish.Choose(6, taken), 6)
		require.Nil(t, wish.Choose(7, taken))
	}
}
