package bestavailable

import (
	"cmp"
	"slices"

	"booking/functions/internal/plan"
)

// layout gives the seats of a plan their bits.
type layout struct {
	*Index
	pending [][]plan.Seat // the rows of the last zone
	members [][]cell      // by class; without heads

	accessible []bool // by class
	hasOwn     bool   // whether accessible seats are only for requests that name their category
}

// newLayout returns an Index with a layout, and nothing free. all: accessible seats are like others.
func newLayout(p *plan.Plan, all bool) *Index {
	l := &layout{
		hasOwn:  !all,
		Index:   &Index{plan: p, zones: map[string][]zone{}, classes: []class{{}}, classOf: map[string]int{}},
		members: [][]cell{nil}, accessible: []bool{false},
	}
	rows := p.Rows()
	var seats []plan.Seat
	for seat := range p.Seats() {
		if len(rows) == 0 {
			break // the rest are places of areas
		}
		if seats = append(seats, seat); len(seats) < len(rows[0].SeatIDs) {
			continue
		}
		if len(l.pending) > 0 && l.pending[0][0].Zone != seat.Zone {
			l.addZone()
		}
		l.pending = append(l.pending, seats)
		rows, seats = rows[1:], nil
	}
	l.addZone()
	l.addCells()
	return l.Index
}

// addZone adds the rows that are pending, if there are any. They are a zone: neighbors of the
// same name are one.
func (l *layout) addZone() {
	if len(l.pending) == 0 {
		return
	}
	first, name := len(l.words), l.pending[0][0].Zone
	for i, s := range newShapes(l.pending) {
		l.addRow(l.pending[i], s, uint32(first))
	}
	l.zones[name] = append(l.zones[name], zone{first, len(l.words)})
	l.pending = l.pending[:0]
}

// addRow adds a row after the last one.
func (l *layout) addRow(seats []plan.Seat, s shape, zone uint32) {
	first := len(l.words)
	count := s.columns[len(seats)-1]/64 + 1
	l.rows = append(l.rows, row{uint32(first), uint32(first + count), zone, int32(s.middle)})
	for range count {
		l.words = append(l.words, word{row: uint32(len(l.rows) - 1)})
	}
	l.bits = append(l.bits, make([]uint32, len(seats))...)
	for i, seat := range s.order {
		bit := first*64 + s.columns[i]
		l.bits[l.drawn+seat] = uint32(bit)
		w := &l.words[bit/64]
		if w.exist == 0 {
			w.first = uint32(len(l.seats))
		}
		w.exist |= 1 << (bit % 64)
		l.seats = append(l.seats, uint32(l.drawn+seat))
		l.addMember(l.class(seats[seat].Category), bit)
	}
	l.drawn += len(seats)
}

// class returns the class of a category.
func (l *layout) class(category string) int {
	n, known := l.classOf[category]
	if !known {
		n = len(l.classes)
		l.classOf[category] = n
		l.classes = append(l.classes, class{})
		l.members = append(l.members, nil)
		l.accessible = append(l.accessible, l.hasOwn && Accessible(category))
	}
	return n
}

// addMember adds a seat to its class, and to any. It comes after the others of its row.
func (l *layout) addMember(class, bit int) {
	of := []int{class, anyClass}
	if l.accessible[class] {
		of = of[:1]
	}
	for _, n := range of {
		cells := l.members[n]
		if len(cells) == 0 || int(cells[len(cells)-1].word) != bit/64 {
			cells = append(cells, cell{word: uint32(bit / 64), row: l.words[bit/64].row})
		}
		cells[len(cells)-1].class |= 1 << (bit % 64)
		l.members[n] = cells
	}
}

// addCells adds the cells of the classes. If only one class beside any is not accessible, the
// two have the same cells.
func (l *layout) addCells() {
	var only []int
	for n := range l.classes[1:] {
		if !l.accessible[n+1] {
			only = append(only, n+1)
		}
	}
	for n := range l.classes {
		if n != anyClass || len(only) > 1 {
			l.classes[n] = l.addClass(l.members[n])
		}
	}
	for _, n := range only {
		l.ordinary = append(l.ordinary, l.classes[n])
	}
	if len(only) == 1 {
		l.classes[anyClass] = l.ordinary[0]
	}
}

// addClass adds the cells of a class.
func (l *layout) addClass(members []cell) class {
	first := len(l.cells)
	for i, c := range members {
		k := len(l.cells)
		c.head = uint32(k)
		if i > 0 && c.row == members[i-1].row {
			c.head = l.cells[k-1].head
		}
		l.cells = append(l.cells, c)
		l.words[c.word].cells = append(l.words[c.word].cells, uint32(k))
	}
	return class{first, len(l.cells)}
}

// part is the cells first to end-1, which are of one class.
type part struct{ first, end int }

// appendParts appends the cells of a class that are in zones; all if zones is nil.
func (x *Index) appendParts(to []part, of class, zones []zone) []part {
	if zones == nil {
		return append(to, part(of))
	}
	find := func(word int) int {
		n, _ := slices.BinarySearchFunc(x.cells[of.first:of.end], word, func(c cell, word int) int { return cmp.Compare(int(c.word), word) })
		return of.first + n
	}
	for _, z := range zones {
		if p := (part{find(z.first), find(z.end)}); p.first < p.end {
			to = append(to, p)
		}
	}
	return to
}
