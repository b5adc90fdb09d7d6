package plan

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"booking/functions/internal/seatplan"
)

// Hall is the seats of a plan, in the order in which people want them.
type Hall struct {
	Rows  []seatplan.Row
	Seats []string // the most wanted first
	at    map[string]place
}

type place struct{ row, number int }

// SeatPlan returns the SEAT_PLAN of a hall of so many seats, in rows of 26 at most.
func SeatPlan(seats int) string {
	wide := min(26, int(math.Ceil(math.Sqrt(0.6*float64(seats)))))
	deep, rest := seats/wide, seats%wide
	last := func(n int) string { return string(rune('A' + n - 1)) }
	s := fmt.Sprintf("1-%d:A-%s", deep, last(wide))
	if rest > 0 {
		s += fmt.Sprintf(",%d:A-%s", deep+1, last(rest))
	}
	return s
}

// NewHall reads a SEAT_PLAN. Wanted most is the middle of the first row.
func NewHall(seatPlan string) (*Hall, error) {
	p, err := seatplan.Parse(seatPlan)
	if err != nil {
		return nil, err
	}
	h := &Hall{Rows: p.Rows(), at: map[string]place{}}
	for r, row := range h.Rows {
		for n, id := range row.SeatIDs {
			h.at[id] = place{r, n}
			h.Seats = append(h.Seats, id)
		}
	}
	away := func(id string) float64 {
		p := h.at[id]
		return math.Hypot(float64(p.row)/2, float64(p.number)-float64(len(h.Rows[p.row].SeatIDs)-1)/2)
	}
	slices.SortStableFunc(h.Seats, func(a, b string) int { return cmp.Compare(away(a), away(b)) })
	return h, nil
}

// Wish draws seats by how much they are wanted.
type Wish struct {
	hall *Hall
	rand *rand.Rand
	zipf *rand.Zipf
}

// NewWish returns the wishes of one person; exponent is Zipf's, over 1.
func (h *Hall) NewWish(r *rand.Rand, exponent float64) *Wish {
	// The 20 best are wanted about alike, or nobody would want any other.
	return &Wish{h, r, rand.NewZipf(r, exponent, 20, uint64(len(h.Seats)-1))}
}

// draws is how often a person looks elsewhere before taking what there is.
const draws = 6

// Choose returns n seats that are not taken: side by side near a wanted one where
// it finds such, else side by side anywhere, else any; nil where there are fewer.
func (w *Wish) Choose(n int, taken map[string]bool) []string {
	for range draws {
		p := w.hall.at[w.hall.Seats[w.zipf.Uint64()]]
		if block := w.block(p, n, taken); block != nil {
			return block
		}
	}
	first := int(w.zipf.Uint64())
	var apart []string
	for i := range w.hall.Seats {
		id := w.hall.Seats[(first+i)%len(w.hall.Seats)]
		if taken[id] {
			continue
		}
		if block := w.block(w.hall.at[id], n, taken); block != nil {
			return block
		}
		if len(apart) < n {
			apart = append(apart, id)
		}
	}
	if len(apart) < n {
		return nil
	}
	return apart
}

// block returns n seats of p's row from p on, or up to it, all free; nil where
// there are none.
func (w *Wish) block(p place, n int, taken map[string]bool) []string {
	row := w.hall.Rows[p.row].SeatIDs
	for from := p.number; from >= max(0, p.number-n+1); from-- {
		if from+n > len(row) {
			continue
		}
		block := row[from : from+n]
		if !slices.ContainsFunc(block, func(id string) bool { return taken[id] }) {
			return slices.Clone(block)
		}
	}
	return nil
}
