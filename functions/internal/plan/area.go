package plan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"booking/seatlock"
)

// Area is general admission: places that buyers don't choose one by one. They are the seats
// ID.1 to ID.Capacity.
type Area struct {
	ID       string
	Capacity int    // 1 to MaxSeats
	Category string // empty if it has none
}

// WithAreas returns the plan with areas added. The places of the areas are all the seats of a
// nil or zero plan. Without areas, the plan must have seats, unless it has every seat. The
// error is an *Error, like areas[0].capacity: is 0; want 1 to 100000.
func (p *Plan) WithAreas(areas []Area) (*Plan, error) {
	if p.hasEverySeat() {
		if len(areas) == 0 {
			return p, nil
		}
		p = &Plan{seats: newIndex()}
	}
	q := *p
	q.areas, q.categories, q.areaOf = slices.Clone(p.areas), slices.Clone(p.categories), map[string]int{}
	maps.Copy(q.areaOf, p.areaOf)
	total := p.Len()
	for i, area := range areas {
		member, text := q.checkArea(area, total)
		if text != "" {
			return nil, &Error{fmt.Sprintf("areas[%d].%s", i, member), text}
		}
		total += area.Capacity
		q.areaOf[area.ID] = len(q.areas)
		q.areas = append(q.areas, area)
		q.categories = append(q.categories, Category{Name: area.Category})
	}
	if total == 0 {
		return nil, &Error{"plan", "has no seats; want rows of seats in its zones, or areas"}
	}
	if err := q.checkPlaces(len(p.areas)); err != nil {
		return nil, err
	}
	q.categories = distinct(q.categories)
	return &q, nil
}

// maxID is the length of the longest id that seatlock.ValidID accepts.
const maxID = 64

// checkArea returns the member of a new area that has a fault, and what it is. text is empty
// if it has none. total is the number of seats so far.
func (p *Plan) checkArea(area Area, total int) (member, text string) {
	longest := len(area.ID) + len(".") + len(strconv.Itoa(area.Capacity))
	switch _, known := p.areaOf[area.ID]; {
	case !seatlock.ValidID(area.ID):
		return "area_id", "is " + quote(area.ID) + "; want " + idForm
	case known:
		return "area_id", "is " + quote(area.ID) + ", which is another area's; want an id of its own"
	case area.Capacity < 1 || area.Capacity > MaxSeats:
		return "capacity", fmt.Sprintf("is %d; want 1 to %d", area.Capacity, MaxSeats)
	case longest > maxID:
		return "area_id", fmt.Sprintf("has %d characters, so the id of its last place has %d; want at most %d",
			len(area.ID), longest, maxID-(longest-len(area.ID)))
	case total+area.Capacity > MaxSeats:
		return "capacity", fmt.Sprintf("is %d, so the event has %d seats; want at most %d in all", area.Capacity, total+area.Capacity, MaxSeats)
	}
	return "", ""
}

// checkPlaces returns an error if a drawn seat has the id of a place. first is the position of
// the first area that WithAreas got.
func (p *Plan) checkPlaces(first int) error {
	var ids []string
	var area, count int
	for n := range p.seats.len() {
		of, _, found := p.placeOf(p.seats.id(n))
		if !found || count > 0 && of != area {
			continue
		}
		area = of
		if count++; count <= maxFaults {
			ids = append(ids, p.seats.id(n))
		}
	}
	if count == 0 {
		return nil
	}
	text := "has places that are drawn as seats: " + strings.Join(ids, ", ")
	if count > maxFaults {
		text += fmt.Sprintf(" and %d more", count-maxFaults)
	}
	return &Error{fmt.Sprintf("areas[%d].area_id", area-first), text + "; want another area_id"}
}

// placeOf returns the position of the area whose place the id is, and the number of the place:
// 12 of FLOOR.12.
func (p *Plan) placeOf(id string) (area, place int, found bool) {
	dot := strings.LastIndexByte(id, '.')
	if dot < 0 {
		return 0, 0, false
	}
	area, found = p.areaOf[id[:dot]]
	if !found {
		return 0, 0, false
	}
	for _, c := range []byte(id[dot+1:]) {
		if c < '0' || c > '9' || place == 0 && c == '0' { // FLOOR.01 is no place
			return 0, 0, false
		}
		if place = place*10 + int(c-'0'); place > p.areas[area].Capacity {
			return 0, 0, false
		}
	}
	return area, place, place > 0
}
