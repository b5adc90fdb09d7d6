// Package plan reads, checks and indexes the plan of an event: its seats, with their zones,
// rows, categories and positions.
//
// A plan has one of two forms. ParseShort describes the short form, like 1-12:A-H, and Parse
// the JSON format of seats.pretix.eu. Plan.WithAreas adds general admission.
package plan

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Limits of a plan.
const (
	MaxSeats = 100_000  // with the places of its areas
	MaxBytes = 16 << 20 // of its JSON
)

// Plan is the seats of an event. It does not change, so goroutines may share it. A nil or
// zero Plan has every seat.
type Plan struct {
	seats      *index // the drawn seats, in the plan's order
	details    []detail
	rows       []row
	names      []string // the names of zones, rows, seats and categories, each once
	categories []Category
	areas      []Area
	areaOf     map[string]int // the position in areas, by ID
	drawn      bool           // whether the seats have positions in a drawing
}

// detail is what the plan says of a drawn seat, beside its id. number and category are
// positions in names.
type detail struct {
	x, y             float64
	number, category uint32
}

// row is a row of seats. zone and label are positions in names.
type row struct {
	zone, label uint32
	end         int // the number of drawn seats in this row and those before it
}

// Seat is one seat of a plan: a drawn seat, or a place of an area.
type Seat struct {
	ID       string
	Zone     string // the zone's name, or its zone_id if it has no name
	Row      string // the row's label; other rows of the zone may have the same
	Number   string // the seat's label within its row
	Category string // empty if it has none
	X, Y     float64
	Area     string // the area_id; empty for a drawn seat
}

// Category is a group of seats, like those of one price.
type Category struct {
	Name  string `json:"name"`
	Color string `json:"color"` // as in CSS, empty if the plan has none
}

// Row is a row of drawn seats, at least one.
type Row struct {
	Label   string
	SeatIDs []string
}

// Error is a fault of a plan or its areas. Its message is Place: Text.
type Error struct {
	Place string // like plan.zones[0].rows[3].seats[2].seat_guid
	Text  string // what is wrong, and what to write instead
}

// Error implements error.
func (e *Error) Error() string { return e.Place + ": " + e.Text }

// hasEverySeat reports whether the plan does not limit the seats.
func (p *Plan) hasEverySeat() bool { return p == nil || p.seats == nil }

// Has reports whether the plan has the seat.
func (p *Plan) Has(id string) bool {
	if p.hasEverySeat() {
		return true
	}
	if _, drawn := p.seats.find(id); drawn {
		return true
	}
	_, _, isPlace := p.placeOf(id)
	return isPlace
}

// IsDrawn reports whether the X and Y of the seats are positions in a drawing. In the short form, they
// only count seats and rows.
func (p *Plan) IsDrawn() bool { return p != nil && p.drawn }

// Len returns the number of seats, with the places of areas. It is 0 if the plan has every
// seat.
func (p *Plan) Len() int {
	if p.hasEverySeat() {
		return 0
	}
	n := p.seats.len()
	for _, area := range p.areas {
		n += area.Capacity
	}
	return n
}

// Seats returns the seats: first those drawn, in the plan's order of zones, rows and seats,
// and then the places of the areas. It returns none if the plan has every seat.
func (p *Plan) Seats() iter.Seq[Seat] {
	return func(yield func(Seat) bool) {
		if p.hasEverySeat() {
			return
		}
		n := 0
		for _, row := range p.rows {
			for ; n < row.end; n++ {
				d := p.details[n]
				seat := Seat{ID: p.seats.id(n), Zone: p.names[row.zone], Row: p.names[row.label],
					Number: p.names[d.number], Category: p.names[d.category], X: d.x, Y: d.y}
				if !yield(seat) {
					return
				}
			}
		}
		for _, area := range p.areas {
			for place := 1; place <= area.Capacity; place++ {
				number := strconv.Itoa(place)
				if !yield(Seat{ID: area.ID + "." + number, Number: number, Category: area.Category, Area: area.ID}) {
					return
				}
			}
		}
	}
}

// Rows returns the rows of drawn seats, in the order of Seats. It returns nil if the plan has
// every seat.
func (p *Plan) Rows() []Row {
	if p.hasEverySeat() {
		return nil
	}
	rows := make([]Row, len(p.rows))
	n := 0
	for i, row := range p.rows {
		ids := make([]string, 0, row.end-n)
		for ; n < row.end; n++ {
			ids = append(ids, p.seats.id(n))
		}
		rows[i] = Row{Label: p.names[row.label], SeatIDs: ids}
	}
	return rows
}

// Categories returns the categories that the plan lists, in its order, and then those that
// seats and areas have but the plan does not list.
func (p *Plan) Categories() []Category {
	if p.hasEverySeat() {
		return nil
	}
	return slices.Clone(p.categories)
}

// quote quotes a text of a plan. It shortens a long one, because an answer shows it.
func quote(s string) string {
	const most = 64
	if utf8.RuneCountInString(s) > most {
		return fmt.Sprintf("%.*q…", most, s)
	}
	return strconv.Quote(s)
}
