package load

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/rush/internal/client"
	"booking/seatlock/oracle"
)

func TestCountSingles_ComparesEachReserveWithAFirstFit(t *testing.T) {
	t.Parallel()
	h, err := NewHall("1-1:A-G", 0)
	require.NoError(t, err)
	call := func(op oracle.Op, at, hold time.Duration, seats ...string) oracle.Call {
		return oracle.Call{Op: op, Seats: seats, Sent: at, Answered: at + 1, Hold: hold, Outcome: oracle.Done}
	}
	others := []oracle.Call{
		call(oracle.Reserve, 0, 10, "1D"),
		call(oracle.Reserve, 30, 100, "1D"),
		call(oracle.Buy, 40, 0, "1D"),
		call(oracle.Return, 300, 0, "1D"),
	}
	best := []oracle.Call{
		call(oracle.Reserve, 5, 10, "1F", "1G"),   // leaves 1E; the first fit, 1A and 1B, leaves 1C
		call(oracle.Reserve, 20, 5, "1A", "1B"),   // the holds have ended: neither leaves one
		call(oracle.Reserve, 100, 10, "1E", "1F"), // leaves 1G; the first fit leaves 1C
		call(oracle.Reserve, 400, 10, "1C", "1D"), // leaves none; nor does the first fit
	}
	left, firstFit := h.countSingles(best, others, nil)
	require.Equal(t, []int{2, 2}, []int{left, firstFit})
	left, firstFit = h.countSingles(best[3:], nil, []string{"1A", "1E", "1F", "1G"}) // leaves 1B; the first fit leaves 1D
	require.Equal(t, []int{1, 1}, []int{left, firstFit})
}

func TestJudgeBest_FindsWhatBreaksItsPromises(t *testing.T) {
	t.Parallel()
	h, err := NewHall("1-2:A-D", 3)
	require.NoError(t, err)
	for _, c := range []struct {
		name     string
		adjacent bool
		first    []string
		repeat   []string
		breaks   []oracle.Promise
		area     string
		places   int // that count
	}{
		{"None", true, []string{"1B", "1C"}, []string{"1B", "1C"}, nil, "", 0},
		{"OtherSeatsForARepeat", true, []string{"1B", "1C"}, []string{"1A", "1B"}, []oracle.Promise{BestRepeats}, "", 0},
		{"Apart", true, []string{"1B", "1D"}, []string{"1B", "1D"}, []oracle.Promise{BestAdjacent}, "", 0},
		{"TwoRows", true, []string{"1D", "2A"}, []string{"1D", "2A"}, []oracle.Promise{BestAdjacent}, "", 0},
		{"NotOfThePlan", true, []string{"1D", "1E"}, []string{"1D", "1E"}, []oracle.Promise{BestAdjacent}, "", 0},
		{"SaysApart", false, []string{"1B", "1C"}, []string{"1B", "1C"}, []oracle.Promise{BestAdjacent}, "", 0},
		{"Places", false, []string{"floor.3", "floor.1"}, []string{"floor.3", "floor.1"}, nil, Area, 2},
		{"OnePlaceTwice", false, []string{"floor.3", "floor.3"}, []string{"floor.3", "floor.3"}, []oracle.Promise{BestOfArea}, Area, 0},
		{"NoSuchPlace", false, []string{"floor.3", "floor.4"}, []string{"floor.3", "floor.4"}, []oracle.Promise{BestOfArea}, Area, 0},
		{"SeatForAPlace", true, []string{"1A", "1B"}, []string{"1A", "1B"}, []oracle.Promise{BestOfArea}, Area, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := &client.BestRequest{User: "ann", Quantity: 2, Area: c.area, Key: "k"}
			call := func(sent time.Duration, outcome oracle.Outcome, seats ...string) client.Call {
				return client.Call{Best: want, Adjacent: c.adjacent, Call: oracle.Call{Op: client.Best, User: "ann", Seats: seats, Sent: sent, Answered: sent + 1, Outcome: outcome}}
			}
			reserves, best, findings := (&Load{Hall: h}).judgeBest([]client.Call{call(1, oracle.Unknown), call(5, oracle.Done, c.first...), call(9, oracle.Done, c.repeat...)})
			require.Equal(t, []oracle.Call{{Op: oracle.Reserve, User: "ann", Seats: c.first, Sent: 1, Answered: 6, Outcome: oracle.Done}}, reserves)
			require.Equal(t, Best{Keys: 1, Holds: 1, Places: c.places}, best)
			var promises []oracle.Promise
			for _, f := range findings {
				promises = append(promises, f.Promise)
			}
			require.Equal(t, c.breaks, promises)
		})
	}
}
