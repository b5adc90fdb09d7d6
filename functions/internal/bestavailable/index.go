package bestavailable

import (
	"iter"
	"math/bits"
	"sync"

	"booking/functions/internal/plan"
)

// Index knows which seats of a plan are free, and in which rows there are groups of adjacent
// free seats. It is safe for concurrent use: many goroutines may call Find and Take, while one
// that follows the event calls Set and Load.
//
// A row of seats is one word of 64 columns, or several if it is long. A seat is a bit, and its
// number is word * 64 + column. So bits are in the plan's order of rows.
//
// A cell is the seats of a class in a word. Cells are what the index keeps facts about: a Set
// looks at the seat's cells and those beside them, and a Find at the cells that have what it
// wants.
type Index struct {
	plan  *plan.Plan
	drawn int // the number of seats in rows

	// The layout, which does not change.
	bits     []uint32 // of the seats, in the plan's order
	seats    []uint32 // positions in the plan, in the order of bits
	words    []word
	rows     []row
	zones    map[string][]zone // by name: zones of one name may be apart
	classes  []class           // anyClass, and then one for each category
	classOf  map[string]int    // by category
	ordinary []class           // those of the categories that are not accessible
	cells    []cell            // by class and then by word

	mu     sync.RWMutex // guards what follows
	free   []uint64     // by word
	facts  facts
	areas  []*area // in the plan's order
	areaOf map[string]*area
}

// word is 64 columns of a row.
type word struct {
	exist uint64 // the columns with a seat
	first uint32 // the position in Index.seats of the first seat
	row   uint32
	cells []uint32 // one for each class
}

// row is the words first to end-1.
type row struct {
	first, end uint32
	zone       uint32 // the first word of its zone
	middle     int32  // twice the column of its middle, counted from its first word
}

// zone is the words first to end-1.
type zone struct{ first, end int }

// class is the seats of a category: the cells first to end-1.
type class struct{ first, end int }

// cell is the seats of a class in a word.
type cell struct {
	class uint64 // the columns of the class
	word  uint32
	row   uint32
	head  uint32 // the first cell of the class in the same row
}

// anyClass is the class of all seats that are not accessible.
const anyClass = 0

// New returns the Index of a plan. All seats are free. A plan that has every seat has no rows.
func New(p *plan.Plan) *Index { return newIndex(p, false) }

// NewWithAccessible is New for those who may give out accessible seats like others.
func NewWithAccessible(p *plan.Plan) *Index { return newIndex(p, true) }

func newIndex(p *plan.Plan, all bool) *Index {
	x := newLayout(p, all)
	x.areaOf = map[string]*area{}
	first := x.drawn
	for _, of := range p.Areas() {
		a := newArea(of, first)
		x.areas, x.areaOf[of.ID] = append(x.areas, a), a
		first += of.Capacity
	}
	x.facts = newFacts(len(x.cells))
	x.Load(func(func(string) bool) {})
	return x
}

// Load makes all seats free but those in taken. It ignores ids that the plan does not have.
func (x *Index) Load(taken iter.Seq[string]) {
	free := make([]uint64, len(x.words))
	for w := range x.words {
		free[w] = x.words[w].exist
	}
	var places []int
	for id := range taken {
		switch n, found := x.plan.Position(id); {
		case !found:
		case n >= x.drawn:
			places = append(places, n)
		default:
			free[x.bits[n]/64] &^= 1 << (x.bits[n] % 64)
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.free = free
	x.recount()
	for _, a := range x.areas {
		a.clear()
	}
	for _, n := range places {
		x.areaAt(n).set(n, false)
	}
}

// Set makes seats free or taken, all at once: a Find sees all of the seats changed or none. It
// ignores ids that the plan does not have, and seats that are so already.
func (x *Index) Set(seatIDs []string, free bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.set(seatIDs, free)
}

// set is Set. Index.mu is locked.
func (x *Index) set(seatIDs []string, free bool) {
	for _, id := range seatIDs {
		switch n, found := x.plan.Position(id); {
		case !found:
		case n >= x.drawn:
			x.areaAt(n).set(n, free)
		default:
			x.setBit(int(x.bits[n]), free)
		}
	}
}

// setBit makes the seat of a bit free or taken.
func (x *Index) setBit(bit int, free bool) {
	w, mask := bit/64, uint64(1)<<(bit%64)
	if x.free[w]&mask != 0 == free {
		return
	}
	x.free[w] ^= mask
	for _, k := range x.words[w].cells {
		if x.cells[k].class&mask != 0 {
			x.facts.count(int(x.cells[k].head), free)
		}
		x.refresh(int(k))
	}
	// Groups reach into the next word, and single seats are seen from both sides.
	r := x.rows[x.words[w].row]
	if w > int(r.first) {
		x.refreshWord(w - 1)
	}
	if w+1 < int(r.end) {
		x.refreshWord(w + 1)
	}
}

func (x *Index) refreshWord(w int) {
	for _, k := range x.words[w].cells {
		x.refresh(int(k))
	}
}

// refresh updates the facts of a cell.
func (x *Index) refresh(k int) {
	r := x.rows[x.rowOf(k)]
	v := x.window(x.free[r.first:r.end], k)
	x.facts.put(k, &v)
}

// window returns the window of a cell. free is the free seats of its row.
func (x *Index) window(free []uint64, k int) window {
	c, after := x.cells[k], uint64(0)
	if k+1 < len(x.cells) {
		if next := x.cells[k+1]; next.head == c.head && next.word == c.word+1 {
			after = next.class
		}
	}
	r := x.rows[c.row]
	return windowAt(free, int(c.word-r.first), c.class, after)
}

// recount updates the facts of all cells.
func (x *Index) recount() {
	x.facts.clear()
	for k, c := range x.cells {
		for range bits.OnesCount64(x.free[c.word] & c.class) {
			x.facts.count(int(c.head), true)
		}
		x.refresh(k)
	}
}

// rowOf returns the position of a cell's row.
func (x *Index) rowOf(k int) int { return int(x.cells[k].row) }

// afterRow returns the first cell after k that is in another row, or of another class.
func (x *Index) afterRow(k int) int {
	head := x.cells[k].head
	for k < len(x.cells) && x.cells[k].head == head {
		k++
	}
	return k
}

// Adjacent reports whether seats are next to one another, in the order of their row. A single seat
// is, and a place of an area is not.
func (x *Index) Adjacent(seatIDs []string) bool {
	var last uint32
	for i, id := range seatIDs {
		n, found := x.plan.Position(id)
		if !found || n >= x.drawn {
			return false
		}
		bit := x.bits[n]
		if i > 0 && (bit != last+1 || x.words[bit/64].row != x.words[last/64].row) {
			return false
		}
		last = bit
	}
	return true
}
