package plan

// builder makes a plan, seat by seat.
type builder struct {
	plan    *Plan
	numbers map[string]uint32 // the positions in plan.names
}

func newBuilder() *builder {
	b := &builder{plan: &Plan{seats: newIndex()}, numbers: map[string]uint32{}}
	b.name(nil) // the zero detail has no name
	return b
}

// name returns the position of a name in plan.names. It adds a new one.
func (b *builder) name(name []byte) uint32 {
	n, known := b.numbers[string(name)]
	if !known {
		n = uint32(len(b.plan.names))
		b.plan.names = append(b.plan.names, string(name))
		b.numbers[string(name)] = n
	}
	return n
}

// full reports whether the plan has as many seats as it may have.
func (b *builder) full() bool { return b.plan.seats.len() == MaxSeats }

// add adds a seat to the row that endRow ends. It returns false if the plan has the seat
// already.
func (b *builder) add(id string, d detail) bool {
	if !b.plan.seats.add(id) {
		return false
	}
	b.plan.details = append(b.plan.details, d)
	return true
}

// rowStart returns the position of the first seat after the last row.
func (b *builder) rowStart() int {
	if n := len(b.plan.rows); n > 0 {
		return b.plan.rows[n-1].end
	}
	return 0
}

// endRow makes a row of the seats that were added since the last one, if there are any.
func (b *builder) endRow(label uint32) {
	if end := b.plan.seats.len(); end > b.rowStart() {
		b.plan.rows = append(b.plan.rows, row{label: label, end: end})
	}
}

// move moves the seats from a position on.
func (b *builder) move(from int, by point) {
	for i := range b.plan.details[from:] {
		d := &b.plan.details[from+i]
		d.x, d.y = d.x+by.x, d.y+by.y
	}
}

// finish returns the plan. listed are its categories. It adds those that only seats have.
func (b *builder) finish(listed []Category) *Plan {
	last := uint32(0)
	for _, d := range b.plan.details {
		if d.category != last {
			listed = append(listed, Category{Name: b.plan.names[d.category]})
			last = d.category
		}
	}
	b.plan.categories = distinct(listed)
	return b.plan
}

// distinct returns the first category of each name.
func distinct(all []Category) []Category {
	var first []Category
	seen := map[string]bool{"": true}
	for _, c := range all {
		if !seen[c.Name] {
			seen[c.Name] = true
			first = append(first, c)
		}
	}
	return first
}
