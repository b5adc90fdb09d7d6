package bestavailable

import (
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/plan"
)

// rowAt returns seats at positions x, y, x, y …
func rowAt(positions ...float64) (seats []plan.Seat) {
	for i := 0; i < len(positions); i += 2 {
		seats = append(seats, plan.Seat{X: positions[i], Y: positions[i+1]})
	}
	return seats
}

func TestNewShapes_ReadsPositions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		seats          []plan.Seat
		order, columns []int
		middle         int
	}{
		"one seat":          {rowAt(5, 5), []int{0}, []int{0}, 0},
		"even":              {rowAt(0, 0, 10, 0, 20, 0, 30, 0), []int{0, 1, 2, 3}, []int{0, 1, 2, 3}, 3},
		"no positions":      {rowAt(0, 0, 0, 0, 0, 0), []int{0, 1, 2}, []int{0, 1, 2}, 2},
		"an aisle":          {rowAt(0, 0, 10, 0, 20, 0, 45, 0, 55, 0), []int{0, 1, 2, 3, 4}, []int{0, 1, 2, 4, 5}, 5},
		"a missing seat":    {rowAt(0, 0, 10, 0, 30, 0, 40, 0, 50, 0), []int{0, 1, 2, 3, 4}, []int{0, 1, 3, 4, 5}, 5},
		"an aisle left":     {rowAt(0, 0, 30, 0, 40, 0, 50, 0, 60, 0, 70, 0), []int{0, 1, 2, 3, 4, 5}, []int{0, 2, 3, 4, 5, 6}, 5},
		"wide places":       {rowAt(0, 0, 17, 0, 34, 0, 44, 0, 54, 0, 64, 0), []int{0, 1, 2, 3, 4, 5}, []int{0, 1, 2, 3, 4, 5}, 4},
		"drawn by hand":     {rowAt(0, 0, 11, 1, 19, 2, 31, 2, 40, 1), []int{0, 1, 2, 3, 4}, []int{0, 1, 2, 3, 4}, 4},
		"right to left":     {rowAt(30, 0, 20, 0, 10, 0, 0, 0), []int{0, 1, 2, 3}, []int{0, 1, 2, 3}, 3},
		"upwards":           {rowAt(0, 40, 0, 30, 1, 20, 0, 0), []int{0, 1, 2, 3}, []int{0, 1, 2, 4}, 4},
		"odd and even":      {rowAt(30, 0, 40, 0, 20, 0, 50, 0, 10, 0, 60, 0), []int{4, 2, 0, 1, 3, 5}, []int{0, 1, 2, 3, 4, 5}, 5},
		"odd, then even":    {rowAt(30, 0, 20, 0, 10, 0, 0, 0, 40, 0, 50, 0, 60, 0, 70, 0), []int{3, 2, 1, 0, 4, 5, 6, 7}, []int{0, 1, 2, 3, 4, 5, 6, 7}, 7},
		"odd and even down": {rowAt(0, 30, 0, 40, 0, 20, 0, 50, 0, 10, 0, 60), []int{4, 2, 0, 1, 3, 5}, []int{0, 1, 2, 3, 4, 5}, 5},
		"a box":             {rowAt(0, 0, 22, 0, 0, 22, 22, 22), []int{0, 1, 2, 3}, []int{0, 1, 2, 3}, 3},
		"two lines":         {rowAt(0, 0, 10, 0, 20, 0, 0, 10, 10, 10, 20, 10), []int{0, 1, 2, 3, 4, 5}, []int{0, 1, 2, 4, 5, 6}, 6},
		"a horseshoe":       {rowAt(0, 0, 0, 10, 0, 20, 10, 30, 20, 30, 30, 20, 30, 10, 30, 0), []int{0, 1, 2, 3, 4, 5, 6, 7}, []int{0, 1, 2, 3, 4, 5, 6, 7}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShapes([][]plan.Seat{test.seats})[0]
			require.Equal(t, test.order, s.order)
			require.Equal(t, test.columns, s.columns)
			require.Equal(t, test.middle, s.middle)
		})
	}
}

func TestNewShapes_ShortRowHasTheSpacingOfItsZone(t *testing.T) {
	t.Parallel()
	even := rowAt(0, 0, 10, 0, 20, 0, 30, 0)
	shapes := newShapes([][]plan.Seat{even, even, rowAt(0, 0, 30, 0), rowAt(0, 0, 30, 0, 40, 0), rowAt(0, 0, 30, 0, 60, 0, 90, 0)})
	require.Equal(t, []int{0, 2}, shapes[2].columns)
	require.Equal(t, []int{0, 2, 3}, shapes[3].columns)
	require.Equal(t, []int{0, 1, 2, 3}, shapes[4].columns, "three gaps tell a spacing of their own")
	alone := newShapes([][]plan.Seat{rowAt(0, 0, 30, 0)})
	require.Equal(t, []int{0, 1}, alone[0].columns)
}
