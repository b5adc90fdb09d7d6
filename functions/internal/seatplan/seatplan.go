// Package seatplan parses the seats of a hall.
package seatplan

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"booking/seatlock"
)

// maxSeats limits the seats of a plan.
const maxSeats = 100_000

// Plan is the seats of a hall. The zero Plan has every seat.
type Plan struct {
	rows []Row
	ids  map[string]struct{}
}

// Row is one row of seats.
type Row struct {
	Label   string
	SeatIDs []string
}

// Parse parses a plan like "1-12:A-H": rows 1 to 12 of seats A to H, from seat 1A to seat
// 12H. Rows and seats are each a name, or a range of numbers or of single letters. Commas
// separate several sections. An empty plan has every seat. The error names the position
// of the fault.
func Parse(s string) (Plan, error) {
	if s == "" {
		return Plan{}, nil
	}
	p := Plan{ids: map[string]struct{}{}}
	at := 1
	for section := range strings.SplitSeq(s, ",") {
		if err := p.add(section); err != nil {
			return Plan{}, fmt.Errorf("at character %d, %q: %w", at, section, err)
		}
		at += len(section) + 1
	}
	return p, nil
}

// add adds the rows of a section.
func (p *Plan) add(section string) error {
	rowRange, seatRange, found := strings.Cut(section, ":")
	if !found {
		return errors.New("want ROWS:SEATS, like 1-12:A-H")
	}
	rows, err := expand(rowRange)
	if err != nil {
		return fmt.Errorf("rows %w", err)
	}
	seats, err := expand(seatRange)
	if err != nil {
		return fmt.Errorf("seats %w", err)
	}
	for _, label := range rows {
		row := Row{Label: label}
		for _, seat := range seats {
			id := label + seat
			switch _, exists := p.ids[id]; {
			case !seatlock.ValidID(id):
				return fmt.Errorf("%s can't be a seat_id", id)
			case exists:
				return fmt.Errorf("%s occurs twice", id)
			case len(p.ids) == maxSeats:
				return fmt.Errorf("more than %d seats", maxSeats)
			}
			p.ids[id] = struct{}{}
			row.SeatIDs = append(row.SeatIDs, id)
		}
		p.rows = append(p.rows, row)
	}
	return nil
}

// expand returns the names in a range like 1-12 or A-H, or the single name that s is.
func expand(s string) ([]string, error) {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		if !seatlock.ValidID(s) {
			return nil, fmt.Errorf("%q: want a range like 1-12 or A-H, or a name", s)
		}
		return []string{s}, nil
	}
	low, err1 := strconv.Atoi(first)
	high, err2 := strconv.Atoi(last)
	name := strconv.Itoa
	if err1 != nil && err2 != nil && isLetter(first) && isLetter(last) {
		low, high = int(first[0]), int(last[0])
		name = func(n int) string { return string(rune(n)) }
	} else if err1 != nil || err2 != nil || low < 0 {
		return nil, fmt.Errorf("%q: want a range like 1-12 or A-H, or a name", s)
	}
	if high < low || high-low >= maxSeats {
		return nil, fmt.Errorf("%q: want the lower end first, and fewer than %d names", s, maxSeats)
	}
	var names []string
	for n := low; n <= high; n++ {
		names = append(names, name(n))
	}
	return names, nil
}

func isLetter(s string) bool {
	return len(s) == 1 && ('A' <= s[0] && s[0] <= 'Z' || 'a' <= s[0] && s[0] <= 'z')
}

// Has reports whether the hall has the seat.
func (p Plan) Has(id string) bool {
	if p.ids == nil {
		return true
	}
	_, ok := p.ids[id]
	return ok
}

// Rows returns the rows of seats. It returns nil if the hall has every seat.
func (p Plan) Rows() []Row { return p.rows }
