package bestavailable

import (
	"cmp"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"booking/functions/internal/plan"
)

// area is the places of general admission.
type area struct {
	plan.Area
	first int      // the position of its first place in the plan
	free  []uint64 // the free places; the first is bit 0
	count int      // how many they are
}

// newArea returns an area with no place free.
func newArea(of plan.Area, first int) *area {
	return &area{Area: of, first: first, free: make([]uint64, (of.Capacity+63)/64)}
}

// areaAt returns the area of the place at a position in the plan.
func (x *Index) areaAt(n int) *area {
	i, found := slices.BinarySearchFunc(x.areas, n, func(a *area, n int) int { return cmp.Compare(a.first, n) })
	if !found {
		i--
	}
	return x.areas[i]
}

// clear makes all places free.
func (a *area) clear() {
	for w := range a.free {
		a.free[w] = ^uint64(0)
	}
	if used := a.Capacity % 64; used > 0 {
		a.free[len(a.free)-1] = 1<<used - 1
	}
	a.count = a.Capacity
}

// set makes the place at a position in the plan free or taken.
func (a *area) set(n int, free bool) {
	w, mask := (n-a.first)/64, uint64(1)<<((n-a.first)%64)
	if a.free[w]&mask != 0 == free {
		return
	}
	a.free[w] ^= mask
	if free {
		a.count++
	} else {
		a.count--
	}
}

// findPlaces is find for an area.
func (x *Index) findPlaces(r Request, most int) ([]Candidate, error) {
	a := x.areaOf[r.Area]
	switch {
	case a == nil:
		return nil, &UnknownError{"area", r.Area}
	case r.Category != "" && r.Category != a.Category:
		return nil, &UnknownError{"category", r.Category}
	case r.Zone != "":
		return nil, &UnknownError{"zone", r.Zone}
	}
	places := a.random(r.Seed, most*r.Quantity)
	count := len(places) / r.Quantity
	if count == 0 {
		return nil, ErrSoldOut
	}
	ids, found := a.ids(places), make([]Candidate, count)
	for i := range found {
		found[i].SeatIDs = ids[i*r.Quantity : (i+1)*r.Quantity : (i+1)*r.Quantity]
	}
	return found, nil
}

// random returns the first free places after a random one, at most most.
func (a *area) random(seed uint64, most int) []int {
	most = min(most, a.count)
	n, _ := bits.Mul64(rand.NewPCG(seed, 0).Uint64(), uint64(a.Capacity)) // 0 to Capacity-1
	start := int(n)
	before := uint64(1)<<(start%64) - 1
	places := make([]int, 0, most)
	for i := range len(a.free) + 1 { // the word of start is the first and the last
		w := (start/64 + i) % len(a.free)
		free := a.free[w]
		switch i {
		case 0:
			free &^= before
		case len(a.free):
			free &= before
		}
		for ; free != 0 && len(places) < most; free &= free - 1 {
			places = append(places, w*64+bits.TrailingZeros64(free))
		}
		if len(places) == most {
			break
		}
	}
	return places
}

// ids returns the ids of places. They share one string.
func (a *area) ids(places []int) []string {
	var text strings.Builder
	text.Grow(len(places) * (len(a.ID) + len(".100000")))
	ids := make([]string, len(places))
	for i, place := range places {
		start := text.Len()
		text.WriteString(a.ID)
		text.WriteByte('.')
		text.WriteString(strconv.Itoa(place + 1))
		ids[i] = text.String()[start:]
	}
	return ids
}
