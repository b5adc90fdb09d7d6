package load

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"booking/functions/internal/plan"
)

// Area is the area of general admission of a Hall that has one.
const Area = "floor"

// Hall is the seats of a plan, in rows and by popularity, and the places of its Area.
type Hall struct {
	Rows      []plan.Row
	Seats     []string // the most popular first
	Places    []string // of Area
	positions map[string]position
}

// position is where a seat is.
type position struct{ row, number int }

// SeatPlan returns a SEAT_PLAN with that many seats, in rows of at most 26.
func SeatPlan(seats int) string {
	width := min(26, int(math.Ceil(math.Sqrt(0.6*float64(seats)))))
	rows, rest := seats/width, seats%width
	letter := func(n int) string { return string(rune('A' + n - 1)) }
	s := fmt.Sprintf("1-%d:A-%s", rows, letter(width))
	if rest > 0 {
		s += fmt.Sprintf(",%d:A-%s", rows+1, letter(rest))
	}
	return s
}

// NewHall reads a SEAT_PLAN. The middle of the first row is the most popular. Beside the seats, the
// hall has that many places of general admission.
func NewHall(seatPlan string, places int) (*Hall, error) {
	p, err := plan.ParseShort(seatPlan)
	if err != nil {
		return nil, err
	}
	h := &Hall{Rows: p.Rows(), positions: map[string]position{}}
	for r, row := range h.Rows {
		for n, id := range row.SeatIDs {
			h.positions[id] = position{r, n}
			h.Seats = append(h.Seats, id)
		}
	}
	distance := func(id string) float64 {
		p := h.positions[id]
		return math.Hypot(float64(p.row)/2, float64(p.number)-float64(len(h.Rows[p.row].SeatIDs)-1)/2)
	}
	slices.SortStableFunc(h.Seats, func(a, b string) int { return cmp.Compare(distance(a), distance(b)) })
	for n := range places {
		h.Places = append(h.Places, fmt.Sprintf("%s.%d", Area, n+1))
	}
	return h, nil
}

// Size returns how many seats and places there are.
func (h *Hall) Size() int { return len(h.Seats) + len(h.Places) }

// isPlace reports whether a seat is a place of Area.
func (h *Hall) isPlace(seat string) bool {
	number, is := strings.CutPrefix(seat, Area+".")
	n, err := strconv.Atoi(number)
	return is && err == nil && 1 <= n && n <= len(h.Places)
}

// Some returns a share of the seats, chosen at random: none if the share is 0, otherwise at
// least one. The same seed returns the same seats.
func Some(seats []string, share float64, seed uint64) []string {
	n := int(math.Ceil(share * float64(len(seats))))
	some := slices.Clone(seats)
	rand.New(rand.NewPCG(seed, 2)).Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	return some[:n]
}

// Chooser chooses seats as one buyer does: popular ones more often.
type Chooser struct {
	hall *Hall
	zipf *rand.Zipf
}

// NewChooser returns a Chooser that draws from r. exponent is Zipf's, over 1.
func (h *Hall) NewChooser(r *rand.Rand, exponent float64) *Chooser {
	// The offset of 20 makes about 20 seats equally popular. Without it, nearly all
	// buyers would want one seat.
	return &Chooser{h, rand.NewZipf(r, exponent, 20, uint64(len(h.Seats)-1))}
}

// draws is how many blocks a buyer looks at before taking the next block that is free.
const draws = 6

// Choose returns n seats that are not taken, next to each other if there are such
// seats. It returns nil if fewer than n are left.
func (c *Chooser) Choose(n int, taken map[string]bool) []string {
	for range draws {
		p := c.hall.positions[c.hall.Seats[c.zipf.Uint64()]]
		if block := c.block(p, n, taken); block != nil {
			return block
		}
	}
	first := int(c.zipf.Uint64())
	var apart []string
	for i := range c.hall.Seats {
		id := c.hall.Seats[(first+i)%len(c.hall.Seats)]
		if taken[id] {
			continue
		}
		if block := c.block(c.hall.positions[id], n, taken); block != nil {
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

// block returns n free seats next to each other, p among them, or nil.
func (c *Chooser) block(p position, n int, taken map[string]bool) []string {
	row := c.hall.Rows[p.row].SeatIDs
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
