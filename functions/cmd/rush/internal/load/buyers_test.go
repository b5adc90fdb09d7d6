package load

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var testOptions = Options{Seed: 42, Users: 20_000, Arrivals: 30 * time.Second, Peak: 5, Zipf: 1.2, Think: time.Second, Hold: 5 * time.Second,
	Groups: 0.3, MaxGroup: 6, Abandon: 0.2, Dawdle: 0.1, Twice: 0.1, Hoard: 0.05, Cheat: 0.05, DoublePay: 0.04, Return: 0.06, Exchange: 0.08}

func TestNewBuyers_DependsOnSeedAlone(t *testing.T) {
	t.Parallel()
	require.Equal(t, NewBuyers(testOptions), NewBuyers(testOptions))
	other := testOptions
	other.Seed++
	require.NotEqual(t, NewBuyers(testOptions), NewBuyers(other))
	hall, err := NewHall(SeatPlan(500), 0)
	require.NoError(t, err)
	choices := func() (seats [][]string) {
		for _, b := range NewBuyers(testOptions)[:100] {
			seats = append(seats, hall.NewChooser(b.Rand(), testOptions.Zipf).Choose(b.Seats, nil))
		}
		return seats
	}
	require.Equal(t, choices(), choices())
}

func TestNewBuyers_HasTheUserIDs(t *testing.T) {
	t.Parallel()
	o := testOptions
	o.Users, o.UserIDs = 2, []string{"ann", "bob", "eve"}
	var users []string
	for _, b := range NewBuyers(o) {
		users = append(users, b.User)
	}
	require.ElementsMatch(t, []string{"ann", "bob"}, users)
}

func TestNewBuyers_HasTheShares(t *testing.T) {
	t.Parallel()
	kinds := map[Kind]float64{}
	groups, twice, early, double, returns, moves := 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
	orders := map[string]bool{}
	buyers := NewBuyers(testOptions)
	require.Len(t, buyers, testOptions.Users)
	for i, b := range buyers {
		kinds[b.Kind] += 1.0 / float64(testOptions.Users)
		if b.Seats > 1 {
			groups += 1.0 / float64(testOptions.Users)
		}
		if b.Twice {
			twice += 1.0 / float64(testOptions.Users)
		}
		if b.Double {
			double += 1.0 / float64(testOptions.Users)
		}
		if b.Returns {
			returns += 1.0 / float64(testOptions.Users)
		}
		if b.Moves {
			moves += 1.0 / float64(testOptions.Users)
		}
		orders[b.Order] = true
		if b.Arrives < testOptions.Arrivals/10 {
			early += 1.0 / float64(testOptions.Users)
		}
		require.LessOrEqual(t, b.Seats, testOptions.MaxGroup)
		require.True(t, i == 0 || buyers[i-1].Arrives <= b.Arrives)
		require.Less(t, b.Arrives, testOptions.Arrivals)
	}
	for kind, want := range map[Kind]float64{Abandoner: 0.2, Dawdler: 0.1, Hoarder: 0.05, Cheat: 0.05, Payer: 0.6} {
		require.InDelta(t, want, kinds[kind], 0.02, kind)
	}
	require.InDelta(t, 0.3, groups, 0.02)
	require.InDelta(t, 0.1, twice, 0.02)
	require.InDelta(t, 0.04, double, 0.01)
	require.InDelta(t, 0.06, returns, 0.01)
	require.InDelta(t, 0.08, moves, 0.01)
	require.Len(t, orders, testOptions.Users)
	require.Greater(t, early, 0.2, "more than a tenth arrive in the first tenth")
}
