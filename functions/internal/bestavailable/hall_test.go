package bestavailable_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/bestavailable"
	"booking/functions/internal/plan"
)

// categories are those of the letters in a drawing. x is a seat that is never free.
var categories = map[byte]string{'a': "Stalls", 'b': "Side", 'w': "Wheelchair places", 'x': "Stalls"}

// hall is the naive model of a hall: each row as it is drawn, and which columns are free.
type hall struct {
	plan *plan.Plan
	rows []*drawnRow
}

// drawnRow is a row. A column of its drawing is a seat, by the letter of its category, or an
// aisle: _.
type drawnRow struct {
	zone, drawing string
	free          []bool
	ids           []string // "" for an aisle
}

// draw returns a hall of zones, with all seats free but x. A drawing is the name of a zone and its
// rows: "Floor aaa_aaa aaa_aaa".
func draw(t require.TestingT, zones ...string) *hall {
	h := &hall{}
	var body []string
	for z, text := range zones {
		zone, drawings, _ := strings.Cut(text, " ")
		var rows []string
		for r, drawing := range strings.Fields(drawings) {
			row := &drawnRow{zone: zone, drawing: drawing, free: make([]bool, len(drawing)), ids: make([]string, len(drawing))}
			var seats []string
			for c := range drawing {
				if drawing[c] == '_' {
					continue
				}
				row.free[c], row.ids[c] = drawing[c] != 'x', fmt.Sprintf("%s%d-%d-%d", zone, z, r, c)
				seats = append(seats, fmt.Sprintf(`{"seat_guid":%q,"category":%q,"position":{"x":%d,"y":%d}}`,
					row.ids[c], categories[drawing[c]], 10*c, 12*r))
			}
			h.rows = append(h.rows, row)
			rows = append(rows, `{"seats":[`+strings.Join(seats, ",")+`]}`)
		}
		body = append(body, fmt.Sprintf(`{"name":%q,"rows":[%s]}`, zone, strings.Join(rows, ",")))
	}
	var err error
	h.plan, err = plan.Parse([]byte(`{"zones":[` + strings.Join(body, ",") + `]}`))
	require.NoError(t, err)
	return h
}

// seats calls do with each seat.
func (h *hall) seats(do func(row *drawnRow, column int)) {
	for _, row := range h.rows {
		for c, id := range row.ids {
			if id != "" {
				do(row, c)
			}
		}
	}
}

// set makes each seat but x free or taken by the bits of pattern, the first seat first.
func (h *hall) set(pattern uint64) {
	h.seats(func(row *drawnRow, c int) {
		if row.drawing[c] != 'x' {
			row.free[c] = pattern&1 == 1
			pattern >>= 1
		}
	})
}

// patterns returns how many patterns set has.
func (h *hall) patterns() uint64 {
	count := uint64(1)
	h.seats(func(row *drawnRow, c int) {
		if row.drawing[c] != 'x' {
			count *= 2
		}
	})
	return count
}

// split returns the ids of the seats that are free, and of those that are not.
func (h *hall) split() (free, taken []string) {
	h.seats(func(row *drawnRow, c int) {
		if row.free[c] {
			free = append(free, row.ids[c])
		} else {
			taken = append(taken, row.ids[c])
		}
	})
	return free, taken
}

// index returns an Index of the hall as it is.
func (h *hall) index() *bestavailable.Index {
	x := bestavailable.New(h.plan)
	_, taken := h.split()
	x.Load(slices.Values(taken))
	return x
}

// isFree reports whether a column has a free seat. There is none beside the row.
func (r *drawnRow) isFree(column int) bool {
	return column >= 0 && column < len(r.free) && r.free[column]
}

// singles returns the free columns beside which no column is free.
func (r *drawnRow) singles() (columns []int) {
	for c := range r.free {
		if r.free[c] && !r.isFree(c-1) && !r.isFree(c+1) {
			columns = append(columns, c)
		}
	}
	return columns
}

// singles returns the number of single seats of the hall.
func (h *hall) singles() (n int) {
	for _, row := range h.rows {
		n += len(row.singles())
	}
	return n
}

// take makes a group of a row taken. It returns how many seats became single.
func (r *drawnRow) take(first, q int) (singles int) {
	before := r.singles()
	for c := first; c < first+q; c++ {
		r.free[c] = false
	}
	for _, c := range r.singles() {
		if !slices.Contains(before, c) {
			singles++
		}
	}
	return singles
}

// untake makes the group free again.
func (r *drawnRow) untake(first, q int) {
	for c := first; c < first+q; c++ {
		r.free[c] = true
	}
}

// takeSeats makes seats taken, by their ids.
func (h *hall) takeSeats(t require.TestingT, ids []string) {
	for _, id := range ids {
		found := false
		h.seats(func(row *drawnRow, c int) {
			if row.ids[c] == id {
				require.True(t, row.free[c], "%s is taken twice", id)
				row.free[c], found = false, true
			}
		})
		require.True(t, found, id)
	}
}

// String draws the hall: taken seats are dots.
func (h *hall) String() string {
	var s strings.Builder
	for _, row := range h.rows {
		fmt.Fprintf(&s, "\n%s ", row.zone)
		for c := range row.drawing {
			if row.ids[c] != "" && !row.free[c] {
				s.WriteByte('.')
			} else {
				s.WriteByte(row.drawing[c])
			}
		}
	}
	return s.String()
}
