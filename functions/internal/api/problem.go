package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"booking/seatlock"
)

// Code is the stable word of a problem, for programs.
type Code string

// The codes, with the status of each in the table below.
const (
	CodeHoldExpired          Code = "hold_expired"
	CodeHeldByOther          Code = "held_by_other"
	CodeUnauthenticated      Code = "unauthenticated"
	CodeForbidden            Code = "forbidden"
	CodeNotFound             Code = "not_found"
	CodeUnknownSeat          Code = "unknown_seat"
	CodeMethodNotAllowed     Code = "method_not_allowed"
	CodeSeatUnavailable      Code = "seat_unavailable"
	CodeSeatSold             Code = "seat_sold"
	CodeSeatLimit            Code = "seat_limit"
	CodeTooLarge             Code = "too_large"
	CodeUnsupportedMediaType Code = "unsupported_media_type"
	CodeInvalidRequest       Code = "invalid_request"
	CodeInternal             Code = "internal"
	CodeOutcomeUnknown       Code = "outcome_unknown"
	CodeUnavailable          Code = "unavailable"
	CodeDraining             Code = "draining"
)

var statuses = map[Code]int{
	CodeHoldExpired:          http.StatusBadRequest,
	CodeHeldByOther:          http.StatusBadRequest,
	CodeUnauthenticated:      http.StatusUnauthorized,
	CodeForbidden:            http.StatusForbidden,
	CodeNotFound:             http.StatusNotFound,
	CodeUnknownSeat:          http.StatusNotFound,
	CodeMethodNotAllowed:     http.StatusMethodNotAllowed,
	CodeSeatUnavailable:      http.StatusConflict,
	CodeSeatSold:             http.StatusConflict,
	CodeSeatLimit:            http.StatusConflict,
	CodeTooLarge:             http.StatusRequestEntityTooLarge,
	CodeUnsupportedMediaType: http.StatusUnsupportedMediaType,
	CodeInvalidRequest:       http.StatusUnprocessableEntity,
	CodeInternal:             http.StatusInternalServerError,
	CodeOutcomeUnknown:       http.StatusServiceUnavailable,
	CodeUnavailable:          http.StatusServiceUnavailable,
	CodeDraining:             http.StatusServiceUnavailable,
}

// Problem is an answer that is not a success, as RFC 9457 has it. Its type is
// about:blank, so its title is the name of the status; the code tells problems of
// one status apart.
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      Code   `json:"code"`
	Conflicts []Seat `json:"conflicts,omitempty"`
	*Limit           // only where the code is seat_limit
}

// Limit is how many seats a user may have at an event, and has.
type Limit struct {
	Limit int `json:"limit"`
	Held  int `json:"held"`
	Sold  int `json:"sold"`
}

// Seat is how a seat stands: the answer of seat, or a conflict of a problem.
type Seat struct {
	SeatID      string `json:"seat_id"`
	Status      string `json:"status"`
	ExpiresInMS *int64 `json:"expires_in_ms,omitempty"` // only while Reserved
}

// NewSeat returns how seat stands.
func NewSeat(seat seatlock.Seat) Seat {
	s := Seat{SeatID: seat.ID, Status: seat.Status.String()}
	if seat.Status == seatlock.Reserved {
		ms := seat.ExpiresIn.Milliseconds()
		s.ExpiresInMS = &ms
	}
	return s
}

// NewProblem returns the problem of code; detail is a sentence for a person.
func NewProblem(code Code, detail string) *Problem {
	status := statuses[code]
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Code: code}
}

// Invalid returns the problem of a request that can't be understood; the detail
// names the member and says what to send instead.
func Invalid(format string, args ...any) *Problem {
	return NewProblem(CodeInvalidRequest, fmt.Sprintf(format, args...))
}

func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }

// refusals are the codes of what seatlock answers.
var refusals = []struct {
	err  error
	code Code
}{
	{seatlock.ErrTaken, CodeSeatUnavailable},
	{seatlock.ErrHoldExpired, CodeHoldExpired},
	{seatlock.ErrHeldByOther, CodeHeldByOther},
	{seatlock.ErrSold, CodeSeatSold},
	{seatlock.ErrSeatLimit, CodeSeatLimit},
	{seatlock.ErrOutcomeUnknown, CodeOutcomeUnknown},
	{seatlock.ErrUnavailable, CodeUnavailable},
}

// CodeOf returns the code of any error of a call.
func CodeOf(err error) Code {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Code
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return r.code
		}
	}
	return CodeInternal
}

// advice is the detail of a problem, or what follows the list of its conflicts.
var advice = map[Code]string{
	CodeSeatUnavailable: "Nothing was reserved; choose other seats.",
	CodeHoldExpired:     "Nothing has changed; reserve again.",
	CodeHeldByOther:     "Nothing has changed; choose other seats.",
	CodeSeatSold:        "Sold seats can't be released. Nothing was released.",
	CodeSeatLimit:       "These would be more seats than one user may have at this event. Nothing was reserved; choose fewer, or release some.",
	CodeOutcomeUnknown:  "It is not known whether this took effect. Send the same request again: repeating it is safe.",
	CodeUnavailable:     "The seats can't be reached right now, and this request has changed nothing. Send it again.",
	CodeInternal:        "Something is wrong on our side, and it has been logged.",
}

// adviceToRead is what differs for a call that reads.
var adviceToRead = map[Code]string{
	CodeUnavailable: "The seats can't be read right now. Send the same request again.",
}

// problemOf turns any error of a call of the method into what its client may see of it.
func problemOf(method string, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	code := CodeOf(err)
	p := NewProblem(code, advice[code])
	if text, ok := adviceToRead[code]; ok && (method == http.MethodGet || method == http.MethodHead) {
		p.Detail = text
	}
	if limit, ok := errors.AsType[*seatlock.LimitError](err); ok {
		p.Limit = &Limit{limit.Limit, limit.Held, limit.Sold}
	}
	if conflict, ok := errors.AsType[*seatlock.ConflictError](err); ok {
		p.Conflicts = make([]Seat, len(conflict.Seats))
		var said strings.Builder
		allYours := true
		for i, seat := range conflict.Seats {
			p.Conflicts[i] = NewSeat(seat)
			if i > 0 {
				said.WriteString(", ")
			}
			said.WriteString(seat.ID + " is " + inTheWay(seat))
			allYours = allYours && seat.OwnedByCaller
		}
		if allYours {
			p.Detail = "Nothing was reserved."
		}
		p.Detail = said.String() + ". " + p.Detail
	}
	return p
}

// inTheWay says how a seat stands.
func inTheWay(seat seatlock.Seat) string {
	switch {
	case seat.OwnedByCaller:
		return "yours already, it is sold to you"
	case seat.Status == seatlock.Sold:
		return "sold"
	case seat.Status == seatlock.Reserved:
		return "held by someone else"
	}
	return "not held"
}
