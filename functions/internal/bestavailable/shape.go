package bestavailable

import (
	"cmp"
	"math"
	"slices"

	"booking/functions/internal/plan"
)

const (
	// aisleGap is how many times a row's usual spacing a gap must exceed to be an aisle. One
	// missing seat makes it 2. Curves, hand-drawn rows and wide places stay below 1.75.
	aisleGap = 1.75
	// shorter is how much shorter than the plan's order a row must be in the order of its
	// positions, for that to be the order of the row.
	shorter = 0.75
)

// fewGaps is how many gaps are too few to tell a row's usual spacing. It is then the zone's.
const fewGaps = 2

// shape is how the seats of a row are arranged along it.
type shape struct {
	order   []int     // the seats from one end to the other, as positions in the row of the plan
	gaps    []float64 // the distance between each and the next
	columns []int     // the column of each, from 0; an aisle takes one, too
	middle  int       // twice the column of the row's middle
}

// newShapes returns the shapes of the rows of a zone. A row has at least one seat.
func newShapes(rows [][]plan.Seat) []shape {
	shapes := make([]shape, len(rows))
	var all []float64
	for i, seats := range rows {
		s := &shapes[i]
		s.order = alongRow(seats)
		for j := range len(seats) - 1 {
			s.gaps = append(s.gaps, distance(seats[s.order[j]], seats[s.order[j+1]]))
		}
		all = append(all, s.gaps...)
	}
	ofZone := usual(all)
	for i := range shapes {
		s, spacing := &shapes[i], ofZone
		if len(s.gaps) > fewGaps {
			spacing = usual(s.gaps)
		}
		s.columns = columns(s.gaps, spacing)
		s.middle = middle(s.columns, s.gaps)
	}
	return shapes
}

// usual returns the median of gaps: the smaller of two, because one of them may be an aisle. It
// is 0 if there is no gap, or if the seats have no positions.
func usual(gaps []float64) float64 {
	if len(gaps) == 0 {
		return 0
	}
	sorted := slices.Clone(gaps)
	slices.Sort(sorted)
	return sorted[(len(sorted)-1)/2]
}

// columns returns the columns of the seats that have these gaps.
func columns(gaps []float64, spacing float64) []int {
	columns := make([]int, len(gaps)+1)
	for i, gap := range gaps {
		columns[i+1] = columns[i] + 1
		if spacing > 0 && gap > aisleGap*spacing {
			columns[i+1]++
		}
	}
	return columns
}

// middle returns twice the column that is halfway from the first seat to the last.
func middle(columns []int, gaps []float64) int {
	half := 0.0
	for _, gap := range gaps {
		half += gap / 2
	}
	for i, gap := range gaps {
		if half <= gap && gap > 0 {
			return int(math.Round(2 * (float64(columns[i]) + half/gap*float64(columns[i+1]-columns[i]))))
		}
		half -= gap
	}
	return columns[len(gaps)]
}

// alongRow returns the order of a row's seats along it. It is the plan's order, unless that
// jumps to and fro: some plans list odd numbers before even ones, which are on the other side
// of the hall.
func alongRow(seats []plan.Seat) []int {
	listed := make([]int, len(seats))
	for i := range listed {
		listed[i] = i
	}
	compare := func(i, j int) int {
		return cmp.Or(cmp.Compare(seats[i].X, seats[j].X), cmp.Compare(seats[i].Y, seats[j].Y))
	}
	if width, height := extent(seats); height > width {
		byX := compare
		compare = func(i, j int) int { return cmp.Or(cmp.Compare(seats[i].Y, seats[j].Y), byX(i, j)) }
	}
	if slices.IsSortedFunc(listed, compare) {
		return listed
	}
	placed := slices.Clone(listed)
	slices.SortStableFunc(placed, compare)
	if length(seats, placed) < shorter*length(seats, listed) {
		return placed
	}
	return listed
}

// extent returns the width and the height of what the seats cover.
func extent(seats []plan.Seat) (width, height float64) {
	low, high := seats[0], seats[0]
	for _, s := range seats {
		low.X, low.Y = min(low.X, s.X), min(low.Y, s.Y)
		high.X, high.Y = max(high.X, s.X), max(high.Y, s.Y)
	}
	return high.X - low.X, high.Y - low.Y
}

// length returns the length of the way from seat to seat.
func length(seats []plan.Seat, order []int) (sum float64) {
	for i := range len(order) - 1 {
		sum += distance(seats[order[i]], seats[order[i+1]])
	}
	return sum
}

func distance(a, b plan.Seat) float64 { return math.Hypot(a.X-b.X, a.Y-b.Y) }
