package bestavailable

import (
	"cmp"
	"math/bits"
	"slices"
)

// choice is the best group of a place.
type choice struct {
	bits []uint32
	span int
}

// maxPlaces is how many places findApart compares.
const maxPlaces = 16

// place is neighboring rows of a class, from the row of a head to that of another. They have
// enough seats, and no fewer of them have.
type place struct{ first, last int }

// findApart finds groups of seats that are not adjacent. See Find.
func (s *search) findApart(parts []part) {
	s.places = s.appendRows(s.places[:0], parts)
	if len(s.places) == 0 {
		s.places = s.appendPlaces(s.places, parts, true)
	}
	if len(s.places) == 0 {
		s.places = s.appendPlaces(s.places, parts, false)
	}
	s.chosen, s.choices = slices.Grow(s.chosen[:0], len(s.places)*s.q), s.choices[:0]
	for _, p := range s.places {
		s.seats = s.appendSeats(s.seats[:0], p)
		first, span := closest(s.seats, s.q)
		start := len(s.chosen)
		for _, seat := range s.seats[first : first+s.q] {
			s.chosen = append(s.chosen, seat.bit)
		}
		group := s.chosen[start:]
		slices.Sort(group)
		s.choices = append(s.choices, choice{group, span})
	}
	slices.SortStableFunc(s.choices, func(a, b choice) int { return cmp.Compare(a.span, b.span) })
	for _, c := range s.choices {
		shares := func(bit uint32) bool { return slices.Contains(s.found, bit) }
		if len(s.found) < s.limit*s.q && !slices.ContainsFunc(c.bits, shares) {
			s.found = append(s.found, c.bits...)
		}
	}
}

// appendRows appends the first rows that have enough seats.
func (s *search) appendRows(to []place, parts []part) []place {
	rows := s.facts.atLeast[s.q-1]
	for _, p := range parts {
		for head := rows.next(p.first, p.end); head < p.end && len(to) < maxPlaces; head = rows.next(head+1, p.end) {
			to = append(to, place{head, head})
		}
	}
	return to
}

// appendPlaces appends the first places with the fewest rows to none, if no row has enough
// seats. inZone wants the rows of a place to be in one zone.
func (s *search) appendPlaces(places []place, parts []part, inZone bool) []place {
	const fewestPossible = 2
	type nonempty struct{ head, row, zone, count int }
	recent := make([]nonempty, 0, MaxQuantity+1) // the last rows that may begin a place
	fewest, total := len(s.rows), 0
	heads := s.facts.atLeast[0]
	for _, p := range parts {
		for head := heads.next(p.first, p.end); head < p.end; head = heads.next(head+1, p.end) {
			r := nonempty{head: head, row: s.rowOf(head), count: int(s.facts.counts[head])}
			if inZone {
				r.zone = int(s.rows[r.row].zone)
			}
			if len(recent) > 0 && r.zone != recent[0].zone {
				recent, total = recent[:0], 0
			}
			recent, total = append(recent, r), total+r.count
			for total-recent[0].count >= s.q {
				total -= recent[0].count
				recent = slices.Delete(recent, 0, 1)
			}
			if total < s.q {
				continue
			}
			rows := r.row - recent[0].row + 1
			if rows < fewest {
				fewest, places = rows, places[:0]
			}
			if rows == fewest && len(places) < maxPlaces {
				places = append(places, place{recent[0].head, head})
			}
			if fewest == fewestPossible && len(places) == maxPlaces {
				return places
			}
		}
	}
	return places
}

// position is a free seat, and where it is in its row.
type position struct {
	bit    uint32
	column int // twice the column, from the row's middle
}

// appendSeats appends the free seats of a place, from left to right.
func (s *search) appendSeats(to []position, p place) []position {
	for k := p.first; k < len(s.cells) && int(s.cells[k].head) >= p.first && int(s.cells[k].head) <= p.last; k++ {
		c := s.cells[k]
		r := s.rows[s.rowOf(k)]
		for free := s.free[c.word] & c.class; free != 0; free &= free - 1 {
			bit := int(c.word)*64 + bits.TrailingZeros64(free)
			to = append(to, position{uint32(bit), 2*(bit-int(r.first)*64) - int(r.middle)})
		}
	}
	slices.SortStableFunc(to, func(a, b position) int { return cmp.Compare(a.column, b.column) })
	return to
}

// closest returns the first of q seats that span the fewest columns; of those, the nearest to
// the middle.
func closest(seats []position, q int) (first, span int) {
	best, farness := -1, 0
	for i := range len(seats) - q + 1 {
		low, high := seats[i].column, seats[i+q-1].column
		d := max(low+high, -low-high)
		if best < 0 || high-low < span || high-low == span && d < farness {
			best, span, farness = i, high-low, d
		}
	}
	return best, span
}
