package plan

import (
	"hash/maphash"
	"strings"
)

// index is a set of ids, each with its position in the order of adding. It is a hash table
// with open addressing, of positions instead of strings: a map[string]int takes several
// times its memory.
type index struct {
	seed  maphash.Seed
	text  strings.Builder // the ids, one after another
	ends  []uint32        // where each id ends in text
	slots []uint32        // position + 1, or 0 if the slot is free; a power of two
}

func newIndex() *index { return &index{seed: maphash.MakeSeed(), slots: make([]uint32, 16)} }

func (x *index) len() int { return len(x.ends) }

// id returns the id at a position.
func (x *index) id(position int) string {
	start := uint32(0)
	if position > 0 {
		start = x.ends[position-1]
	}
	return x.text.String()[start:x.ends[position]]
}

// find returns the position of an id, and whether the index has it.
func (x *index) find(id string) (int, bool) {
	position, _, found := x.probe(id)
	return position, found
}

// add adds an id. It returns false if the index has it already.
func (x *index) add(id string) bool {
	if 2*len(x.ends) >= len(x.slots) {
		x.grow()
	}
	_, slot, found := x.probe(id)
	if found {
		return false
	}
	x.text.WriteString(id)
	x.ends = append(x.ends, uint32(x.text.Len()))
	x.slots[slot] = uint32(len(x.ends))
	return true
}

// probe returns the slot of an id: that of its position if the index has it, else a free one.
func (x *index) probe(id string) (position int, slot uint64, found bool) {
	mask := uint64(len(x.slots) - 1)
	for slot = maphash.String(x.seed, id) & mask; x.slots[slot] != 0; slot = (slot + 1) & mask {
		position = int(x.slots[slot] - 1)
		if x.id(position) == id {
			return position, slot, true
		}
	}
	return 0, slot, false
}

// grow doubles the slots.
func (x *index) grow() {
	x.slots = make([]uint32, 2*len(x.slots))
	for position := range x.ends {
		_, slot, _ := x.probe(x.id(position))
		x.slots[slot] = uint32(position + 1)
	}
}
