package bestavailable

import "math/bits"

// window is 64 columns of a row, and what is beside them in the row. A bit is a column, the
// lowest first. Columns without a seat, which are aisles and what follows a row's end, are never
// free.
type window struct {
	before, free, after uint64 // free seats
	usable, usableAfter uint64 // free seats of a class
}

// windowAt returns the window of word i of a row, given its free seats and the seats of a class
// in that word and in the next.
func windowAt(free []uint64, i int, class, classAfter uint64) window {
	v := window{free: free[i], usable: free[i] & class}
	if i > 0 {
		v.before = free[i-1]
	}
	if i+1 < len(free) {
		v.after = free[i+1]
		v.usableAfter = free[i+1] & classAfter
	}
	return v
}

// extend returns the columns with groups of q adjacent usable seats, each group at its first
// column, given those with groups of q-1.
func (v *window) extend(groups uint64, q int) uint64 {
	return groups & (v.usable>>(q-1) | v.usableAfter<<(65-q))
}

// groups returns the columns with groups of q adjacent usable seats.
func (v *window) groups(q int) uint64 {
	groups := ^uint64(0)
	for n := 1; n <= q; n++ {
		groups = v.extend(groups, n)
	}
	return groups
}

// split splits groups of q seats by how many single seats each leaves: none, one or two.
func (v *window) split(groups uint64, q int) [3]uint64 {
	beside := v.free<<1 | v.before>>63
	second := v.free<<2 | v.before>>62
	left := beside &^ second
	beside = v.free>>q | v.after<<(64-q)
	second = v.free>>(q+1) | v.after<<(63-q)
	right := beside &^ second
	return [3]uint64{groups &^ (left | right), groups & (left ^ right), groups & left & right}
}

// nearest returns the column in groups that is nearest to twice/2; the lower one of two. groups
// has at least one column, and its lowest bit is column base.
func nearest(groups uint64, base, twice int) int {
	below := uint64(0)
	if split := twice>>1 - base; split >= 0 {
		below = groups & (uint64(2)<<split - 1) // all if split is 63 or more
	}
	above := groups &^ below
	low, high := base+63-bits.LeadingZeros64(below), base+bits.TrailingZeros64(above)
	if above == 0 || below != 0 && twice-2*low <= 2*high-twice {
		return low
	}
	return high
}
