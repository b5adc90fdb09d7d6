package plan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"booking/seatlock"
)

// Parse parses the member plan of an event: a string in the short form, or an object in the
// JSON format of seats.pretix.eu, as its editor and other tools write it. The plan is nil,
// which has every seat, if raw is empty or null. The error is an *Error.
//
// It reads the members that say which seats there are, and what they are called. It ignores
// all others, so keep raw to return the plan as it was. A seat's seat_guid is its id. Its
// position is the sum of the positions of zone, row and seat. Labels may be numbers. A
// category that a seat has but the plan does not list counts as listed, without a color; the
// editor gives seats the category "", which is none.
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

// maxCoordinate limits a position. So the sum of positions has no rounding that shows.
const maxCoordinate = 1e9

// point is a position, or the distance from one to another.
type point struct{ x, y float64 }

// reader reads the JSON format. Each of its methods reads one value.
type reader struct {
	dec    *jsontext.Decoder
	b      *builder
	buf    []byte // of the last name or text
	listed []Category
	faults idFaults
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

func (r *reader) position(p *point) error {
	return r.object(`an object like {"x":30,"y":60}`, func(name string) error {
		switch name {
		case "x":
			return r.coordinate(&p.x)
		case "y":
			return r.coordinate(&p.y)
		}
		return r.dec.SkipValue()
	})
}

// coordinate reads a number. null is 0.
func (r *reader) coordinate(x *float64) error {
	const want = "a number from -1000000000 to 1000000000"
	switch r.dec.PeekKind() {
	case 'n':
		return r.dec.SkipValue()
	case '0':
		value, err := r.dec.ReadValue()
		if err != nil {
			return err
		}
		if *x, err = strconv.ParseFloat(string(value), 64); err != nil || math.Abs(*x) > maxCoordinate {
			return &Error{r.place(), "is " + string(value[:min(len(value), 64)]) + "; want " + want}
		}
		return nil
	}
	return r.mismatch(want)
}

// id reads a string. It refuses a number, because clients that read the plan would send one.
func (r *reader) id(id *string) error {
	if r.dec.PeekKind() == '0' {
		return r.mismatch("a string")
	}
	return r.string(id)
}

// string reads a string into s.
func (r *reader) string(s *string) error {
	text, err := r.text()
	*s = string(text)
	return err
}

// name reads a string into the plan's names, and its position into n.
func (r *reader) name(n *uint32) error {
	text, err := r.text()
	*n = r.b.name(text)
	return err
}

// text reads a string, or a number as it is written. null is the empty string. The result is
// valid until the next name or text is read.
func (r *reader) text() ([]byte, error) {
	switch r.dec.PeekKind() {
	case 'n':
		return nil, r.dec.SkipValue()
	case '0':
		return r.dec.ReadValue()
	case '"':
		value, err := r.dec.ReadValue()
		if err != nil {
			return nil, err
		}
		r.buf, err = jsontext.AppendUnquote(r.buf[:0], value)
		return r.buf, err
	}
	return nil, r.mismatch("a string")
}

// object reads an object. It calls member with each name, to read the value. null has no
// members.
func (r *reader) object(want string, member func(name string) error) error {
	return r.values('{', want, func() error {
		name, err := r.text()
		if err != nil {
			return err
		}
		if known := members[string(name)]; known != "" {
			return member(known)
		}
		return r.dec.SkipValue()
	})
}

// members are the names that the reader knows. Reading one allocates nothing.
var members = func() map[string]string {
	known := map[string]string{}
	for _, name := range []string{"categories", "zones", "name", "color", "zone_id", "position", "rows", "areas",
		"row_number", "seats", "seat_guid", "seat_number", "category", "x", "y"} {
		known[name] = name
	}
	return known
}()

// array reads an array. It calls element to read each element. null has none.
func (r *reader) array(want string, element func() error) error {
	return r.values('[', want, element)
}

// values reads an object or an array. It calls next until that ends.
func (r *reader) values(kind jsontext.Kind, want string, next func() error) error {
	switch r.dec.PeekKind() {
	case 'n':
		return r.dec.SkipValue()
	case kind:
	default:
		return r.mismatch(want)
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for end := kind + 2; r.dec.PeekKind() != end; { // in ASCII, } is { + 2, and ] is [ + 2
		if err := next(); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}

// kinds are what a value is, for errors.
var kinds = map[jsontext.Kind]string{'{': "an object", '[': "an array", '"': "a string", '0': "a number", 't': "true", 'f': "false"}

// mismatch skips a value of another kind, and returns its error.
func (r *reader) mismatch(want string) error {
	kind := r.dec.PeekKind()
	if err := r.dec.SkipValue(); err != nil {
		return err
	}
	return &Error{r.place(), "is " + kinds[kind] + "; want " + want}
}

// missing returns the error of a member that the last object does not have.
func (r *reader) missing(member, want string) error {
	return &Error{r.place() + "." + member, "is missing; want " + want}
}

// place returns the place of the value that was read last.
func (r *reader) place() string { return place(r.dec.StackPointer()) }

// place returns a pointer as a place, like plan.zones[0].rows[3]. It shortens a long one.
func place(p jsontext.Pointer) string {
	const maxDepth, maxName = 8, 64
	var s strings.Builder
	s.WriteString("plan")
	depth := 0
	for token := range p.Tokens() {
		if depth++; depth > maxDepth {
			s.WriteString("…")
			break
		}
		if _, err := strconv.ParseUint(token, 10, 64); err == nil {
			s.WriteString("[" + token + "]")
		} else {
			fmt.Fprintf(&s, ".%.*s", maxName, token)
		}
	}
	return s.String()
}

// fault returns the *Error of an error while reading.
func (r *reader) fault(err error) error {
	var fault *Error
	var syntax *jsontext.SyntacticError
	switch {
	case errors.As(err, &fault):
		return fault
	case errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName):
		return &Error{place(syntax.JSONPointer), "is there twice; want each member once"}
	case errors.As(err, &syntax):
		return &Error{place(syntax.JSONPointer), fmt.Sprintf("is not JSON: %v at byte %d; want valid JSON, at most 10000 values deep", syntax.Err, syntax.ByteOffset)}
	}
	return &Error{r.place(), "is not JSON; want valid JSON"}
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
