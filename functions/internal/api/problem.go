package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"booking/seatlock"
)

// Code is the stable word of a problem, for programs.
type Code string

// The codes. Each has one row in the table below.
const (
	CodeHoldExpired          Code = "hold_expired"
	CodeHeldByOther          Code = "held_by_other"
	CodeUnauthenticated      Code = "unauthenticated"
	CodeForbidden            Code = "forbidden"
	CodeNotFound             Code = "not_found"
	CodeUnknownSeat          Code = "unknown_seat"
	CodeUnknownEvent         Code = "unknown_event"
	CodeMethodNotAllowed     Code = "method_not_allowed"
	CodeSeatUnavailable      Code = "seat_unavailable"
	CodeAlreadyYours         Code = "already_yours"
	CodeSeatSold             Code = "seat_sold"
	CodeNotOnSale            Code = "not_on_sale"
	CodeNoAdjacentSeats      Code = "no_adjacent_seats"
	CodeSoldOut              Code = "sold_out"
	CodePlanDropsSeats       Code = "plan_drops_seats"
	CodeEventHasSales        Code = "event_has_sales"
	CodeEventHasHolds        Code = "event_has_holds"
	CodePreconditionFailed   Code = "precondition_failed"
	CodeNotReturnable        Code = "not_returnable"
	CodeSeatLimit            Code = "seat_limit"
	CodeTrimmed              Code = "trimmed"
	CodeTooLarge             Code = "too_large"
	CodeUnsupportedMediaType Code = "unsupported_media_type"
	CodeInvalidRequest       Code = "invalid_request"
	CodeKeyReused            Code = "idempotency_key_reused"
	CodeInternal             Code = "internal"
	CodeOutcomeUnknown       Code = "outcome_unknown"
	CodeUnavailable          Code = "unavailable"
	CodeDraining             Code = "draining"
)

// ProblemType is one row of the table of problems: a code and what belongs to it.
type ProblemType struct {
	Code       Code
	Status     int
	Cause      error  // the error of seatlock that has this code; nil if none has
	Detail     string // answers Cause, after a list of the conflicts if there are any
	ReadDetail string // replaces Detail for a call that reads; empty if Detail fits
}

var problemTypes = []ProblemType{
	{Code: CodeHoldExpired, Status: http.StatusBadRequest, Cause: seatlock.ErrHoldExpired,
		Detail: "Nothing has changed; reserve again."},
	{Code: CodeHeldByOther, Status: http.StatusBadRequest, Cause: seatlock.ErrHeldByOther,
		Detail: "Nothing has changed; choose other seats."},
	{Code: CodeUnauthenticated, Status: http.StatusUnauthorized},
	{Code: CodeForbidden, Status: http.StatusForbidden},
	{Code: CodeNotFound, Status: http.StatusNotFound},
	{Code: CodeUnknownSeat, Status: http.StatusNotFound},
	{Code: CodeUnknownEvent, Status: http.StatusNotFound, Cause: seatlock.ErrUnknownEvent,
		Detail: "The event is being deleted."},
	{Code: CodeMethodNotAllowed, Status: http.StatusMethodNotAllowed},
	{Code: CodeAlreadyYours, Status: http.StatusConflict, Cause: seatlock.ErrOwned, // before ErrTaken, which it is, too
		Detail: "Nothing was reserved."},
	{Code: CodeSeatUnavailable, Status: http.StatusConflict, Cause: seatlock.ErrTaken,
		Detail: "Nothing has changed; choose other seats."},
	{Code: CodeNotOnSale, Status: http.StatusConflict, Cause: seatlock.ErrNotOnSale,
		Detail: "The sale of the event has not begun. Nothing was reserved."},
	{Code: CodeNoAdjacentSeats, Status: http.StatusConflict},
	{Code: CodeSoldOut, Status: http.StatusConflict},
	{Code: CodePlanDropsSeats, Status: http.StatusConflict, Cause: seatlock.ErrPlanDropsSeats,
		Detail: "The plan does not have them. Nothing has changed; add them to the plan, or release the holds and unblock the seats first."},
	{Code: CodeEventHasSales, Status: http.StatusConflict, Cause: seatlock.ErrHasSales,
		Detail: "Seats of the event are sold. Nothing was deleted; send ?sales=discard to delete them, too."},
	{Code: CodeEventHasHolds, Status: http.StatusConflict, Cause: seatlock.ErrHasHolds,
		Detail: "Seats of the event are held. Nothing was deleted; try again when the holds have ended."},
	{Code: CodeSeatSold, Status: http.StatusConflict, Cause: seatlock.ErrSold,
		Detail: "Sold seats can't be released, nor sold under another order. Nothing has changed."},
	{Code: CodeNotReturnable, Status: http.StatusConflict, Cause: seatlock.ErrNotReturnable,
		Detail: "Only seats that are sold to this user under this order can be returned or exchanged. Nothing has changed."},
	{Code: CodeSeatLimit, Status: http.StatusConflict, Cause: seatlock.ErrSeatLimit,
		Detail: "You would have more seats than a user may have at this event. Nothing was reserved; choose fewer, or release some."},
	{Code: CodeTrimmed, Status: http.StatusGone, Cause: seatlock.ErrReset,
		Detail: "The changes after this position are not kept any more. Load /sales, and continue after its last_event_id."},
	{Code: CodePreconditionFailed, Status: http.StatusPreconditionFailed, Cause: seatlock.ErrVersion,
		Detail: "The event was changed meanwhile. Nothing was written; GET it, and send its ETag."},
	{Code: CodeTooLarge, Status: http.StatusRequestEntityTooLarge},
	{Code: CodeUnsupportedMediaType, Status: http.StatusUnsupportedMediaType},
	{Code: CodeInvalidRequest, Status: http.StatusUnprocessableEntity},
	{Code: CodeKeyReused, Status: http.StatusUnprocessableEntity, Cause: seatlock.ErrRequestReused,
		Detail: "The Idempotency-Key was used for another request. Nothing has changed; send a new key with each new request."},
	{Code: CodeInternal, Status: http.StatusInternalServerError, // every other error
		Detail: "This is a fault of the service. It has been logged."},
	{Code: CodeOutcomeUnknown, Status: http.StatusServiceUnavailable, Cause: seatlock.ErrOutcomeUnknown,
		Detail: "This may or may not have taken effect. Send the same request again; that is safe."},
	{Code: CodeUnavailable, Status: http.StatusServiceUnavailable, Cause: seatlock.ErrUnavailable,
		Detail:     "The seats can't be reached right now, and this request has changed nothing. Send it again.",
		ReadDetail: "The seats can't be read right now. Send the same request again."},
	{Code: CodeDraining, Status: http.StatusServiceUnavailable},
}

// Problems returns the table of problems, in order of status.
func Problems() []ProblemType { return slices.Clone(problemTypes) }

// problemType returns the row of code. A code without a row is a bug.
func problemType(code Code) *ProblemType {
	for i := range problemTypes {
		if t := &problemTypes[i]; t.Code == code {
			return t
		}
	}
	panic("api: code " + string(code) + " has no row in the table of problems")
}

// problemTypeOf returns the row whose cause err is, or that of CodeInternal. A caller that goes away
// before its call was sent to Redis has CodeUnavailable: that is no defect.
func problemTypeOf(err error) *ProblemType {
	for i := range problemTypes {
		if t := &problemTypes[i]; t.Cause != nil && errors.Is(err, t.Cause) {
			return t
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return problemType(CodeUnavailable)
	}
	return problemType(CodeInternal)
}

// Problem is an error response (RFC 9457). Its type is about:blank, so its title is
// the text of its status. The code distinguishes problems of one status.
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      Code   `json:"code"`
	Conflicts []Seat `json:"conflicts,omitempty"`
	*Limit           // only if the code is seat_limit

	LargestBlock int `json:"largest_block,omitempty"` // only if the code is no_adjacent_seats

	OnSaleAt string `json:"on_sale_at,omitempty"` // only if the code is not_on_sale: RFC 3339 with ms, UTC
}

// Limit is how many seats a user may have at an event, and has.
type Limit struct {
	Limit int `json:"limit"`
	Held  int `json:"held"`
	Sold  int `json:"sold"`
}

// NewProblem returns the problem of code; detail is a sentence for a person.
func NewProblem(code Code, detail string) *Problem { return problemType(code).problem(detail) }

func (t *ProblemType) problem(detail string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(t.Status), Status: t.Status, Detail: detail, Code: t.Code}
}

// Invalid returns the problem of a request that can't be understood. The detail
// names the member and says what to send instead.
func Invalid(format string, args ...any) *Problem {
	return NewProblem(CodeInvalidRequest, fmt.Sprintf(format, args...))
}

// Internal returns the problem of a bug. Its detail reveals nothing.
func Internal() *Problem {
	t := problemType(CodeInternal)
	return t.problem(t.Detail)
}

func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }
