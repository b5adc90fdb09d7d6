package plan

import (
	"fmt"
	"slices"
	"strconv"
)

// Position returns the position of a seat in the order of Seats, from 0, and whether the plan
// has the seat. A plan that has every seat has no order, so found is false.
func (p *Plan) Position(id string) (n int, found bool) {
	if p.hasEverySeat() {
		return 0, false
	}
	if n, found = p.seats.find(id); found {
		return n, true
	}
	area, place, found := p.placeOf(id)
	if !found {
		return 0, false
	}
	n = p.seats.len()
	for _, before := range p.areas[:area] {
		n += before.Capacity
	}
	return n + place - 1, true
}

// ID returns the id of the seat at a position in the order of Seats, from 0 to Len() - 1. It
// panics at any other. It allocates nothing for a drawn seat.
func (p *Plan) ID(n int) string {
	if p.hasEverySeat() {
		panic("plan: ID of a plan that has every seat")
	}
	if n < p.seats.len() {
		return p.seats.id(n)
	}
	place := n - p.seats.len() + 1
	for _, area := range p.areas {
		if place <= area.Capacity {
			return area.ID + "." + strconv.Itoa(place)
		}
		place -= area.Capacity
	}
	panic(fmt.Sprintf("plan: ID of seat %d of %d", n, p.Len()))
}

// Areas returns the areas of the plan, in the order of Seats.
func (p *Plan) Areas() []Area {
	if p.hasEverySeat() {
		return nil
	}
	return slices.Clone(p.areas)
}
