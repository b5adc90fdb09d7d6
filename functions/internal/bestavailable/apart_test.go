package bestavailable_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/bestavailable"
)

// spread tells how far seats are apart: how many zones they are in, if not in one, how many
// rows they span, and how many columns, counted from the rows' middles, in half columns.
type spread struct {
	zones, rows, columns int
}

func (s spread) less(other spread) bool {
	switch {
	case s.zones != other.zones:
		return s.zones < other.zones
	case s.rows != other.rows:
		return s.rows < other.rows
	}
	return s.columns < other.columns
}

// place is a seat of a hall.
type place struct{ row, column int }

// spreadOf returns the spread of seats, in the order of rows.
func (h *hall) spreadOf(seats []place) spread {
	s := spread{zones: 1, rows: seats[len(seats)-1].row - seats[0].row + 1}
	low, high := 1<<30, -1<<30
	for _, seat := range seats {
		if h.rows[seat.row].zone != h.rows[seats[0].row].zone {
			s.zones = 2
		}
		column := 2*seat.column - (len(h.rows[seat.row].drawing) - 1)
		low, high = min(low, column), max(high, column)
	}
	s.columns = high - low
	return s
}

// closest returns the least spread of any q free seats that are not accessible.
func (h *hall) closest(q int) (least spread) {
	var free []place
	for i, row := range h.rows {
		for c := range row.free {
			if row.free[c] && !bestavailable.Accessible(categories[row.drawing[c]]) {
				free = append(free, place{i, c})
			}
		}
	}
	least = spread{zones: 3}
	chosen := make([]place, 0, q)
	var choose func(from int)
	choose = func(from int) {
		if len(chosen) == q {
			if s := h.spreadOf(chosen); s.less(least) {
				least = s
			}
			return
		}
		for i := from; i < len(free); i++ {
			chosen = append(chosen, free[i])
			choose(i + 1)
			chosen = chosen[:len(chosen)-1]
		}
	}
	choose(0)
	return least
}

// find returns the seats of ids, in the order of rows.
func (h *hall) find(ids []string) (seats []place) {
	for i, row := range h.rows {
		for c, id := range row.ids {
			for _, wanted := range ids {
				if id != "" && id == wanted {
					seats = append(seats, place{i, c})
				}
			}
		}
	}
	return seats
}

func TestFind_ApartIsAsCloseAsPossible(t *testing.T) {
	t.Parallel()
	for _, zones := range [][]string{
		{"Floor aaaaaaaaaaa"},
		{"Floor aaaa aabaa a"},
		{"Floor aaa_a bb", "Balcony aa wa"},
		{"A aa a", "B aa aa", "C aa"},
		{"Floor " + strings.Repeat("x", 60) + "aaaaaaaa aa"},
	} {
		t.Run(fmt.Sprint(zones), func(t *testing.T) {
			t.Parallel()
			h := draw(t, zones...)
			for pattern := range h.patterns() {
				for q := 2; q <= 6; q++ {
					h.set(pattern)
					requireClosest(t, h, bestavailable.Request{Quantity: q, Apart: true})
				}
			}
		})
	}
}

// requireClosest requires that Find returns seats that no others are closer than, and that its
// candidates have no seat in common. It takes them.
func requireClosest(t *testing.T, h *hall, r bestavailable.Request) {
	x := h.index()
	if h.freeSeats(r) < r.Quantity || len(h.groups(r)) > 0 {
		requireNaive(t, h, x, r)
		return
	}
	found, err := x.Find(r)
	require.NoError(t, err)
	want, got := h.closest(r.Quantity), h.spreadOf(h.find(found[0].SeatIDs))
	require.Equal(t, want, got, "%+v of%v: %v", r, h, found)
	for _, c := range found {
		require.False(t, c.Adjacent)
		require.Len(t, c.SeatIDs, r.Quantity)
		h.takeSeats(t, c.SeatIDs)
	}
}

func TestFind_ApartPrefersRowsToColumns(t *testing.T) {
	t.Parallel()
	h := draw(t, "Floor aaaaaaaaa aaaaaaaaa")
	x := bestavailable.New(h.plan)
	x.Load(func(yield func(string) bool) {
		for _, row := range h.rows {
			for c, id := range row.ids {
				if c%4 != 0 && !yield(id) {
					return
				}
			}
		}
	})
	found, err := x.Find(bestavailable.Request{Quantity: 2, Apart: true})
	require.NoError(t, err)
	require.Equal(t, []string{"Floor0-0-0", "Floor0-0-4"}, found[0].SeatIDs, "not the two seats of column 4")
	found, err = x.Find(bestavailable.Request{Quantity: 4, Apart: true})
	require.NoError(t, err)
	require.Equal(t, []string{"Floor0-0-0", "Floor0-0-4", "Floor0-1-0", "Floor0-1-4"}, found[0].SeatIDs)
}

func TestFind_ApartPrefersTheMiddleOfARow(t *testing.T) {
	t.Parallel()
	h := draw(t, "Floor axaxaxaxaxx")
	found, err := h.index().Find(bestavailable.Request{Quantity: 2, Apart: true})
	require.NoError(t, err)
	require.Equal(t, []string{"Floor0-0-4", "Floor0-0-6"}, found[0].SeatIDs)
}
