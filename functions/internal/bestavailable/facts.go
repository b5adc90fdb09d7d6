package bestavailable

import (
	"math/bits"
	"slices"
)

// facts are what an Index knows of its cells, beside which seats are free.
type facts struct {
	// groups[n][q-1] has the cells in which a group of q adjacent seats begins that leaves n
	// single seats.
	groups [3][MaxQuantity]bitset
	states []uint32 // by cell: bit 3*(q-1)+n is whether groups[n][q-1] has it
	// atLeast[q-1] has the heads of the rows with at least q free seats of the class.
	atLeast [MaxQuantity]bitset
	counts  []uint32 // by head: how many they are
}

func newFacts(cells int) facts {
	var f facts
	for q := range MaxQuantity {
		for n := range f.groups {
			f.groups[n][q] = newBitset(cells)
		}
		f.atLeast[q] = newBitset(cells)
	}
	f.states, f.counts = make([]uint32, cells), make([]uint32, cells)
	return f
}

// put sets which groups begin in a cell.
func (f *facts) put(k int, v *window) {
	state, groups := uint32(0), v.usable
	for q := 1; groups != 0 && q <= MaxQuantity; q++ {
		groups = v.extend(groups, q)
		for n, some := range v.split(groups, q) {
			if some != 0 {
				state |= 1 << (3*(q-1) + n)
			}
		}
	}
	changed := state ^ f.states[k]
	f.states[k] = state
	for ; changed != 0; changed &= changed - 1 {
		i := bits.TrailingZeros32(changed)
		f.groups[i%3][i/3].flip(k)
	}
}

// count changes how many free seats a row of a class has, by 1 or -1.
func (f *facts) count(head int, free bool) {
	if !free {
		f.counts[head]--
	}
	if n := f.counts[head]; n < MaxQuantity {
		f.atLeast[n].flip(head)
	}
	if free {
		f.counts[head]++
	}
}

// clear makes all counts 0.
func (f *facts) clear() {
	clear(f.counts)
	for _, b := range f.atLeast {
		clear(b)
	}
}

// fewest returns how few single seats a group of q adjacent seats leaves that begins in one of
// the cells first to end-1. ok is false if there is no such group.
func (f *facts) fewest(q int, parts []part) (singles int, ok bool) {
	for n := range f.groups {
		if slices.ContainsFunc(parts, func(p part) bool { return f.groups[n][q-1].next(p.first, p.end) < p.end }) {
			return n, true
		}
	}
	return 0, false
}

// largestBlock returns the size of the largest group of adjacent seats, at most most.
func (f *facts) largestBlock(most int, parts []part) int {
	for q := most; q > 0; q-- {
		if _, ok := f.fewest(q, parts); ok {
			return q
		}
	}
	return 0
}

// hasFree reports whether there are q free seats.
func (f *facts) hasFree(q int, parts []part) bool {
	for _, p := range parts {
		rows := f.atLeast[0]
		for head := rows.next(p.first, p.end); head < p.end; head = rows.next(head+1, p.end) {
			if q -= int(f.counts[head]); q <= 0 {
				return true
			}
		}
	}
	return false
}
