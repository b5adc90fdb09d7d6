package plan

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// reader reads the JSON format. Each of its methods reads one value.
type reader struct {
	dec    *jsontext.Decoder
	b      *builder
	buf    []byte // of the last name or text
	listed []Category
	faults idFaults
}

// maxCoordinate limits a position. So the sum of positions has no rounding that shows.
const maxCoordinate = 1e9

// point is a position, or the distance from one to another.
type point struct{ x, y float64 }

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
