package plan

import (
	"bytes"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"booking/seatlock"
)

// Parse parses the member plan of an event: a string in the short form, or an object in the
// JSON format of seats.pretix.eu, as its editor and other tools write it. The plan is nil,
// which has every seat, if raw is empty or null. The error is an *Error.
//
// It reads the members that name, describe and place the seats, and ignores all others. So
// keep raw to return the plan as it was. A seat's seat_guid is its id. Its position is the sum
// of the positions of zone, row and seat. Labels may be numbers. A category that a seat has
// but the plan does not list counts as listed, without a color. The editor gives a new seat
// the category "", which is none. A member that is there twice is a fault, also if it is
// unknown, because other readers of the plan could read the other value.
//
// A plan of drawn areas alone has no seats. So call WithAreas also if there are no areas: it
// refuses a plan that has nothing to sell.
func Parse(raw []byte) (*Plan, error) {
	if len(raw) > MaxBytes {
		return nil, &Error{"plan", fmt.Sprintf("has %d bytes; want at most %d", len(raw), MaxBytes)}
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	r := &reader{dec: jsontext.NewDecoder(bytes.NewBuffer(raw)), b: newBuilder()}
	p, err := r.read()
	if err != nil {
		return nil, r.fault(err)
	}
	if _, err := r.dec.ReadToken(); err != io.EOF { //nolint:errorlint // the decoder returns io.EOF itself
		return nil, &Error{"plan", "has more than one JSON value; want one"}
	}
	return p, nil
}

// read reads a plan in either form.
func (r *reader) read() (*Plan, error) {
	if r.dec.PeekKind() != '"' {
		return r.plan()
	}
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return nil, &Error{"plan", "is empty; want seats like 1-12:A-H, or no plan if every seat id can be booked"}
	}
	p, err := ParseShort(string(text))
	if err != nil {
		return nil, &Error{"plan", err.Error()}
	}
	return p, nil
}

func (r *reader) plan() (*Plan, error) {
	zones := false
	isNull := r.dec.PeekKind() == 'n'
	err := r.object("a string like \"1-12:A-H\", or an object with zones", func(name string) error {
		switch name {
		case "categories":
			return r.array("an array of categories", r.category)
		case "zones":
			zones = true
			return r.array("an array of zones", r.zone)
		}
		return r.dec.SkipValue()
	})
	switch {
	case err != nil || isNull:
		return nil, err
	case !zones:
		return nil, &Error{"plan.zones", "is missing; want an array of zones"}
	case r.faults.count > 0:
		return nil, r.faults.err()
	}
	r.b.plan.drawn = true
	return r.b.finish(r.listed), nil
}

func (r *reader) category() error {
	var c Category
	err := r.object(`an object like {"name":"Stalls","color":"#7f4a91"}`, func(name string) error {
		switch name {
		case "name":
			return r.string(&c.Name)
		case "color":
			return r.string(&c.Color)
		}
		return r.dec.SkipValue()
	})
	r.listed = append(r.listed, c)
	return err
}

func (r *reader) zone() error {
	var name, id string
	var at point
	rows, areas := false, false
	firstRow, firstSeat := len(r.b.plan.rows), r.b.rowStart()
	err := r.object("an object with rows", func(member string) error {
		switch member {
		case "name":
			return r.string(&name)
		case "zone_id":
			return r.string(&id)
		case "position":
			return r.position(&at)
		case "rows":
			rows = true
			return r.array("an array of rows", r.row)
		case "areas":
			areas = true
		}
		return r.dec.SkipValue()
	})
	if err != nil {
		return err
	}
	if !rows && !areas {
		return r.missing("rows", "an array of rows")
	}
	r.b.move(firstSeat, at)
	if name == "" {
		name = id
	}
	label := r.b.name([]byte(name))
	for i := range r.b.plan.rows[firstRow:] {
		r.b.plan.rows[firstRow+i].zone = label
	}
	return nil
}

func (r *reader) row() error {
	var label uint32
	var at point
	seats := false
	first := r.b.rowStart()
	err := r.object("an object with seats", func(name string) error {
		switch name {
		case "row_number":
			return r.name(&label)
		case "position":
			return r.position(&at)
		case "seats":
			seats = true
			return r.array("an array of seats", r.seat)
		}
		return r.dec.SkipValue()
	})
	if err != nil {
		return err
	}
	if !seats {
		return r.missing("seats", "an array of seats")
	}
	r.b.move(first, at)
	r.b.endRow(label)
	return nil
}

func (r *reader) seat() error {
	var id string
	var d detail
	var at point
	err := r.object("an object with a seat_guid", func(name string) error {
		switch name {
		case "seat_guid":
			return r.id(&id)
		case "seat_number":
			return r.name(&d.number)
		case "category":
			return r.name(&d.category)
		case "position":
			return r.position(&at)
		}
		return r.dec.SkipValue()
	})
	if err != nil {
		return err
	}
	d.x, d.y = at.x, at.y
	switch {
	case id == "":
		r.faults.add(r, "is missing or empty")
	case !seatlock.ValidID(id):
		r.faults.add(r, quote(id)+" is not an id")
	case r.b.full():
		return &Error{"plan", "has " + errTooManySeats.Error()}
	case !r.b.add(id, d):
		r.faults.add(r, quote(id)+" occurs twice")
	}
	return nil
}

// maxFaults is how many faults an error shows.
const maxFaults = 5

// idFaults collects the faults of seat_guids.
type idFaults struct {
	first []Error // at most maxFaults
	count int
}

// add adds a fault of the seat that was read last.
func (f *idFaults) add(r *reader, text string) {
	if f.count++; f.count <= maxFaults {
		f.first = append(f.first, Error{r.place() + ".seat_guid", text})
	}
}

// err returns the faults as one error.
func (f *idFaults) err() error {
	text := f.first[0].Text
	for _, fault := range f.first[1:] {
		text += "; " + fault.Error()
	}
	if f.count > maxFaults {
		text += fmt.Sprintf("; and %d more", f.count-maxFaults)
	}
	return &Error{f.first[0].Place, text + "; want a seat_guid for each seat, used once, of " + idForm}
}
