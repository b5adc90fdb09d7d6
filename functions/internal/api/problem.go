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
	CodeNotFound             Code = "not_found"
	CodeMethodNotAllowed     Code = "method_not_allowed"
	CodeSeatUnavailable      Code = "seat_unavailable"
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
	CodeNotFound:             http.StatusNotFound,
	CodeMethodNotAllowed:     http.StatusMethodNotAllowed,
	CodeSeatUnavailable:      http.StatusConflict,
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
	Type      string     `json:"type"`
	Title     string     `json:"title"`
	Status    int        `json:"status"`
	Detail    string     `json:"detail"`
	Code      Code       `json:"code"`
	Conflicts []Conflict `json:"conflicts,omitempty"`
}

// Conflict is a seat that stood in the way.
type Conflict struct {
	SeatID      string `json:"seat_id"`
	Status      string `json:"status"`
	ExpiresInMS *int64 `json:"expires_in_ms,omitempty"` // only while Reserved
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

// problemOf turns any error of a call into what its client may see of it.
func problemOf(err error) *Problem {
	var p *Problem
	var conflict *seatlock.ConflictError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &conflict):
		return conflictProblem(conflict)
	case errors.Is(err, seatlock.ErrOutcomeUnknown):
		return NewProblem(CodeOutcomeUnknown, "It is not known whether this took effect. Send the same request again: it can't take effect twice.")
	case errors.Is(err, seatlock.ErrUnavailable):
		return NewProblem(CodeUnavailable, "The seats can't be reached right now, and nothing has changed. Send the same request again.")
	}
	return NewProblem(CodeInternal, "Something is wrong on our side, and it has been logged.")
}

func conflictProblem(conflict *seatlock.ConflictError) *Problem {
	said := make([]string, len(conflict.Seats))
	conflicts := make([]Conflict, len(conflict.Seats))
	for i, seat := range conflict.Seats {
		conflicts[i] = Conflict{SeatID: seat.ID, Status: seat.Status.String(), ExpiresInMS: ExpiresInMS(seat)}
		switch seat.Status {
		case seatlock.Available:
			said[i] = seat.ID + " is not held"
		case seatlock.Reserved:
			said[i] = seat.ID + " is held by someone else"
		case seatlock.Sold:
			said[i] = seat.ID + " is sold"
		}
	}
	code, advice := CodeInternal, ""
	switch {
	case errors.Is(conflict, seatlock.ErrTaken):
		code, advice = CodeSeatUnavailable, "Nothing was reserved; choose other seats."
	case errors.Is(conflict, seatlock.ErrHoldExpired):
		code, advice = CodeHoldExpired, "Nothing has changed; reserve again."
	case errors.Is(conflict, seatlock.ErrHeldByOther):
		code, advice = CodeHeldByOther, "Nothing has changed; choose other seats."
	}
	p := NewProblem(code, strings.Join(said, ", ")+". "+advice)
	p.Conflicts = conflicts
	return p
}

// ExpiresInMS returns how long the hold on a seat lasts, ms; nil where there is
// none.
func ExpiresInMS(seat seatlock.Seat) *int64 {
	if seat.Status != seatlock.Reserved {
		return nil
	}
	ms := seat.ExpiresIn.Milliseconds()
	return &ms
}
