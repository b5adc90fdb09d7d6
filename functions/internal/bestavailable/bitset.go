package bestavailable

import "math/bits"

// bitset is a set of numbers.
type bitset []uint64

func newBitset(size int) bitset { return make(bitset, (size+63)/64) }

// flip adds i if it is not in the set, and otherwise removes it.
func (b bitset) flip(i int) { b[i/64] ^= 1 << (i % 64) }

// next returns the first number from i on that is in the set; end if there is none before end.
func (b bitset) next(i, end int) int {
	if i >= end {
		return end
	}
	w := i / 64
	rest := b[w] &^ (1<<(i%64) - 1)
	for rest == 0 {
		if w++; w*64 >= end {
			return end
		}
		rest = b[w]
	}
	return min(w*64+bits.TrailingZeros64(rest), end)
}
