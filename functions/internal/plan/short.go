package plan

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"booking/seatlock"
)

// ParseShort parses the short form: sections, separated by commas, in one of two forms.
//
//	1-12:A-H               rows 1 to 12 of seats A to H, from seat 1A to seat 12H
//	STALLS-{A-H}-{1-30}    from seat STALLS-A-1 to seat STALLS-H-30
//
// Rows, seats and what is in braces are each a range of numbers or of single letters, or a
// name. The last pair of braces is the seat, and the text before it is the row. In braces,
// numbers keep the width of a range with leading zeros: {01-12} is 01 to 12. A seat's X is
// its position in the row, and Y the position of its row.
//
// The plan is nil, which has every seat, if text is empty. The error is an *Error. Its place
// is a position, like at character 9, "3-1:A".
func ParseShort(text string) (*Plan, error) {
	if text == "" {
		return nil, nil
	}
	b := newBuilder()
	at := 1
	for section := range strings.SplitSeq(text, ",") {
		if err := b.addSection(section); err != nil {
			return nil, &Error{Place: fmt.Sprintf("at character %d, %s", at, quote(section)), Text: err.Error()}
		}
		at += len(section) + 1
	}
	return b.finish(nil), nil
}

// shortRow is a row of a section: what its seats' ids begin with, and its label.
type shortRow struct{ prefix, label string }

// section is the rows of a section, and the names of the seats that each of them has. suffix
// is what their ids end with.
type section struct {
	rows   []shortRow
	seats  []string
	suffix string
}

// addSection adds the rows of a section.
func (b *builder) addSection(text string) error {
	read := readColon
	if strings.ContainsAny(text, "{}") {
		read = readBraces
	}
	s, err := read(text)
	if err != nil {
		return err
	}
	start := b.plan.seats.len()
	for _, row := range s.rows {
		label := b.name([]byte(row.label))
		y := float64(len(b.plan.rows))
		for x, seat := range s.seats {
			id := row.prefix + seat + s.suffix
			switch {
			case !seatlock.ValidID(id):
				return fmt.Errorf("%s can't be a seat_id; want %s", quote(id), idForm)
			case b.full():
				return errTooManySeats
			case !b.add(id, detail{x: float64(x), y: y, number: b.name([]byte(seat))}):
				return b.repeated(text, id, row.label, seat, start)
			}
		}
		b.endRow(label)
	}
	return nil
}

// idForm describes a seat_id, and the other ids.
const idForm = "1 to 64 characters of A-Z a-z 0-9 . _ : -"

var errTooManySeats = fmt.Errorf("more than %d seats; split the plan into several events", MaxSeats)

// repeated returns the error of a seat that the plan has already. A section that begins with
// the seat at position start names it twice if its ranges run into each other: without a
// separator, row 1, seat 11 is row 11, seat 1.
func (b *builder) repeated(text, id, label, seat string, start int) error {
	position, _ := b.plan.seats.find(id)
	if position < start {
		return fmt.Errorf("%s occurs twice; name each seat once", id)
	}
	first := b.plan.rows[slices.IndexFunc(b.plan.rows, func(r row) bool { return position < r.end })]
	other, number := b.plan.names[first.label], b.plan.names[b.plan.details[position].number]
	if other == label {
		return fmt.Errorf("%s occurs twice; separate the ranges, like %s", id, separate(text))
	}
	return fmt.Errorf("%s is both row %s, seat %s and row %s, seat %s; separate them with braces, like %s", id, other, number, label, seat, separate(text))
}

// separate returns a section with a - between its ranges.
func separate(text string) string {
	rows, seats, isColon := strings.Cut(text, ":")
	if !isColon || strings.Contains(text, "{") {
		last := strings.LastIndexByte(text, '{')
		return strings.ReplaceAll(strings.TrimSuffix(text[:last], "-")+"-"+text[last:], "}{", "}-{")
	}
	if strings.Contains(rows, "-") {
		rows = "{" + rows + "}"
	}
	return rows + "-{" + seats + "}"
}

// readColon reads a section like 1-12:A-H.
func readColon(text string) (*section, error) {
	rowRange, seatRange, found := strings.Cut(text, ":")
	if !found {
		return nil, errors.New("want ROWS:SEATS, like 1-12:A-H, or braces, like STALLS-{A-H}-{1-30}")
	}
	labels, err := expand(rowRange)
	if err != nil {
		return nil, fmt.Errorf("rows %w", err)
	}
	s := &section{}
	if s.seats, err = expand(seatRange); err != nil {
		return nil, fmt.Errorf("seats %w", err)
	}
	for _, label := range labels {
		s.rows = append(s.rows, shortRow{prefix: label, label: label})
	}
	return s, nil
}

// readBraces reads a section like STALLS-{A-H}-{1-30}.
func readBraces(text string) (*section, error) {
	s := &section{rows: []shortRow{{}}}
	for text != "" {
		before, rest, found := strings.Cut(text, "{")
		if strings.Contains(before, "}") {
			return nil, errors.New("a } has no {; want a pair around each range, like STALLS-{A-H}-{1-30}")
		}
		if !found {
			s.suffix = before
			break
		}
		inside, after, found := strings.Cut(rest, "}")
		if !found || strings.Contains(inside, "{") {
			return nil, errors.New("a { has no }; want one range in each pair of braces, like STALLS-{A-H}-{1-30}; write {A,B} as two sections")
		}
		names, err := expand(inside)
		if err != nil {
			return nil, fmt.Errorf("braces %w", err)
		}
		if err := s.deepen(before, padded(names, inside)); err != nil {
			return nil, err
		}
		text = after
	}
	for i, row := range s.rows {
		s.rows[i].label = strings.TrimRight(row.prefix, "-._:")
	}
	return s, nil
}

// deepen makes each seat so far a row, and seats of the names. text is between them.
func (s *section) deepen(text string, names []string) error {
	if len(s.rows)*max(len(s.seats), 1)*len(names) > MaxSeats {
		return errTooManySeats
	}
	if s.seats == nil {
		s.rows[0].prefix = text
		s.seats = names
		return nil
	}
	var rows []shortRow
	for _, row := range s.rows {
		for _, name := range s.seats {
			rows = append(rows, shortRow{prefix: row.prefix + name + text})
		}
	}
	s.rows, s.seats = rows, names
	return nil
}

// padded pads the numbers of a range to the width of its ends, if one has leading zeros.
func padded(names []string, text string) []string {
	first, last, isRange := strings.Cut(text, "-")
	hasZeros := func(end string) bool { return len(end) > 1 && end[0] == '0' }
	if !isRange || !hasZeros(first) && !hasZeros(last) {
		return names
	}
	width := max(len(first), len(last))
	for i, name := range names {
		names[i] = strings.Repeat("0", max(width-len(name), 0)) + name
	}
	return names
}

// expand returns the names in a range like 1-12 or A-H, or the single name that s is.
func expand(s string) ([]string, error) {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		if !seatlock.ValidID(s) {
			return nil, fmt.Errorf("%s: want a range like 1-12 or A-H, or a name", quote(s))
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
		return nil, fmt.Errorf("%s: want a range like 1-12 or A-H, or a name", quote(s))
	}
	if high < low || high-low >= MaxSeats {
		return nil, fmt.Errorf("%s: want the lower end first, and at most %d names", quote(s), MaxSeats)
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
