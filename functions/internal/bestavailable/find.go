package bestavailable

import (
	"math/bits"
	"math/rand/v2"
	"sync"
)

// Find returns candidates for a request, at least one and at most MaxCandidates. No two of
// them have a seat in common.
//
// If there are adjacent seats, all candidates are adjacent, of one category unless only a mixed
// group is free, and leave as few single seats as any group of their category. They are the
// best ones by rank, after Spread.
//
// Otherwise, with Apart, they are of any category that the request allows, and as close
// together as possible: in a row if one has enough seats, then in neighboring rows of a zone,
// the fewest, then in any neighboring rows. Among the first 16 such places by rank, the seats
// that span the fewest columns are best.
//
// It fails with ErrQuantity, ErrNoRows, *UnknownError, ErrSoldOut or *NotAdjacentError.
func (x *Index) Find(r Request) ([]Candidate, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.find(r, MaxCandidates)
}

// Take returns the first candidate of Find and makes its seats taken, in one step. So the calls
// of a process that take and then reserve don't compete for seats; only those of different
// processes do. Set those seats free again that the caller did not reserve, unless others have
// them: the view tells when such seats are free.
func (x *Index) Take(r Request) (Candidate, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	found, err := x.find(r, 1)
	if err != nil {
		return Candidate{}, err
	}
	x.set(found[0].SeatIDs, false)
	return found[0], nil
}

// find returns candidates, at most most. Index.mu is locked.
func (x *Index) find(r Request, most int) ([]Candidate, error) {
	if r.Quantity < 1 || r.Quantity > MaxQuantity {
		return nil, ErrQuantity
	}
	if r.Area != "" {
		return x.findPlaces(r, most)
	}
	if x.drawn == 0 {
		return nil, ErrNoRows
	}
	wanted, err := x.wanted(r)
	if err != nil {
		return nil, err
	}
	s := searches.Get().(*search)
	defer searches.Put(s)
	s.Index, s.wants, s.q, s.limit = x, wanted, r.Quantity, min(max(r.Spread, most), MaxSpread)
	adjacent, err := s.run(r.Apart)
	if err != nil {
		return nil, err
	}
	return s.candidates(r, most, adjacent), nil
}

// wanted is what a request allows.
type wanted struct {
	classes []class // each has groups of one category
	mixed   class   // all of them
	zones   []zone  // nil: all
}

// wanted returns what a request allows.
func (x *Index) wanted(r Request) (wanted, error) {
	w := wanted{classes: x.ordinary, mixed: x.classes[anyClass]}
	if r.Category != "" {
		n, known := x.classOf[r.Category]
		if !known {
			return w, &UnknownError{"category", r.Category}
		}
		w.classes, w.mixed = x.classes[n:n+1], x.classes[n]
	}
	if r.Zone != "" {
		if w.zones = x.zones[r.Zone]; w.zones == nil {
			return w, &UnknownError{"zone", r.Zone}
		}
	}
	return w, nil
}

// search is one Find.
type search struct {
	*Index
	wants wanted
	q     int
	limit int      // of groups
	found []uint32 // the bits of the groups that were found, the best group first

	// What follows is memory that the next search uses again.
	parts   []part
	sources []source
	rest    []uint64 // the free seats of a row that no group has
	places  []place
	chosen  []uint32
	choices []choice
	seats   []position
}

var searches = sync.Pool{New: func() any { return new(search) }}

// run finds groups.
func (s *search) run(apart bool) (adjacent bool, err error) {
	s.found = s.found[:0]
	if s.findAdjacent(); len(s.found) > 0 {
		return true, nil
	}
	s.parts = s.appendParts(s.parts[:0], s.wants.mixed, s.wants.zones)
	if !s.facts.hasFree(s.q, s.parts) {
		return false, ErrSoldOut
	}
	if !apart {
		return false, &NotAdjacentError{s.facts.largestBlock(s.q-1, s.parts)}
	}
	s.findApart(s.parts)
	return false, nil
}

// candidates returns the candidates that were found, at most most, after Request.Spread.
func (s *search) candidates(r Request, most int, adjacent bool) []Candidate {
	var order [MaxSpread]uint8
	count := len(s.found) / s.q
	for i := range count {
		order[i] = uint8(i)
	}
	random := rand.NewPCG(r.Seed, 0)
	spread := min(r.Spread, count)
	for i := range min(spread-1, most) {
		n, _ := bits.Mul64(random.Uint64(), uint64(spread-i)) // 0 to spread-i-1
		j := i + int(n)
		order[i], order[j] = order[j], order[i]
	}
	count = min(count, most)
	ids := make([]string, 0, count*s.q)
	found := make([]Candidate, count)
	for i := range found {
		group := s.found[int(order[i])*s.q:][:s.q]
		for _, bit := range group {
			ids = append(ids, s.id(bit))
		}
		found[i] = Candidate{SeatIDs: ids[i*s.q : (i+1)*s.q : (i+1)*s.q], Adjacent: adjacent}
	}
	return found
}

// id returns the id of the seat of a bit.
func (x *Index) id(bit uint32) string {
	w := &x.words[bit/64]
	before := bits.OnesCount64(w.exist & (1<<(bit%64) - 1))
	return x.plan.ID(int(x.seats[int(w.first)+before]))
}
