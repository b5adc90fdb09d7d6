package bestavailable_test

import (
	"cmp"
	"slices"

	"booking/functions/internal/bestavailable"
)

// group is adjacent seats of a hall.
type group struct {
	row, first int
	category   string // "" if it is mixed
}

// groups returns all groups of free adjacent seats that a request allows, the best first.
func (h *hall) groups(r bestavailable.Request) (all []group) {
	for i, row := range h.rows {
		for first := range len(row.free) - r.Quantity + 1 {
			if r.Zone != "" && r.Zone != row.zone {
				continue
			}
			allowed, of := true, map[string]bool{}
			for c := first; c < first+r.Quantity; c++ {
				category := categories[row.drawing[c]]
				of[category] = true
				if r.Category == "" {
					allowed = allowed && !bestavailable.Accessible(category)
				} else {
					allowed = allowed && category == r.Category
				}
				allowed = allowed && row.free[c]
			}
			if !allowed {
				continue
			}
			g := group{row: i, first: first}
			if len(of) == 1 {
				g.category = categories[row.drawing[first]]
			}
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b group) int {
		return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(h.farness(a, r.Quantity), h.farness(b, r.Quantity)), cmp.Compare(a.first, b.first))
	})
	if isPure := func(g group) bool { return g.category != "" }; slices.ContainsFunc(all, isPure) {
		all = slices.DeleteFunc(all, func(g group) bool { return !isPure(g) })
	}
	return all
}

// farness returns twice the distance of a group's middle from that of its row.
func (h *hall) farness(g group, q int) int {
	first, last := 2*g.first, 2*(g.first+q-1)
	d := (first+last)/2 - (len(h.rows[g.row].drawing) - 1)
	return max(d, -d)
}

// leaves returns how many single seats a group leaves.
func (h *hall) leaves(g group, q int) int {
	defer h.rows[g.row].untake(g.first, q)
	return h.rows[g.row].take(g.first, q)
}

// fewest returns the fewest single seats that a group of each category leaves.
func (h *hall) fewest(all []group, q int) map[string]int {
	fewest := map[string]int{}
	for _, g := range all {
		n := h.leaves(g, q)
		if least, known := fewest[g.category]; !known || n < least {
			fewest[g.category] = n
		}
	}
	return fewest
}

// candidates returns what Find must return if there are adjacent seats: step by step the best
// group that leaves the fewest single seats of its category, both as the hall is, and with the
// groups before it taken.
func (h *hall) candidates(r bestavailable.Request) (ids [][]string) {
	all := h.groups(r)
	fewest := h.fewest(all, r.Quantity)
	all = slices.DeleteFunc(all, func(g group) bool { return h.leaves(g, r.Quantity) > fewest[g.category] })
	var taken []group
	for len(ids) < bestavailable.MaxCandidates {
		i := slices.IndexFunc(all, func(g group) bool {
			row := h.rows[g.row]
			return !slices.Contains(row.free[g.first:g.first+r.Quantity], false) && h.leaves(g, r.Quantity) <= fewest[g.category]
		})
		if i < 0 {
			break
		}
		row := h.rows[all[i].row]
		row.take(all[i].first, r.Quantity)
		taken = append(taken, all[i])
		ids = append(ids, row.ids[all[i].first:all[i].first+r.Quantity])
	}
	for _, g := range taken {
		h.rows[g.row].untake(g.first, r.Quantity)
	}
	return ids
}

// freeSeats returns how many free seats a request allows.
func (h *hall) freeSeats(r bestavailable.Request) int {
	r.Quantity = 1
	return len(h.groups(r))
}

// largestBlock returns how many adjacent seats are free at most.
func (h *hall) largestBlock(r bestavailable.Request) int {
	for r.Quantity--; r.Quantity > 0; r.Quantity-- {
		if len(h.groups(r)) > 0 {
			return r.Quantity
		}
	}
	return 0
}
