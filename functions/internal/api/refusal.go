package api

import (
	"errors"
	"net/http"
	"strings"

	"booking/seatlock"
)

// problemOf returns what a client may see of an error of seatlock, in answer to a
// call of the method.
func problemOf(method string, err error) *Problem {
	t := problemTypeOf(err)
	p := t.problem(t.Detail)
	if t.ReadDetail != "" && (method == http.MethodGet || method == http.MethodHead) {
		p.Detail = t.ReadDetail
	}
	if limit, ok := errors.AsType[*seatlock.LimitError](err); ok {
		p.Limit = &Limit{limit.Limit, limit.Held, limit.Sold}
	}
	if window, ok := errors.AsType[*seatlock.NotOnSaleError](err); ok {
		if !window.OnSaleAt.IsZero() {
			p.OnSaleAt = Time(window.OnSaleAt)
		}
		if window.Ended {
			p.Detail = "The sale of the event has ended, or is paused. Nothing was reserved."
		}
	}
	if conflict, ok := errors.AsType[*seatlock.ConflictError](err); ok {
		p.addConflicts(conflict.Seats)
	}
	return p
}

// addConflicts lists the seats that prevented the call, before the detail too.
func (p *Problem) addConflicts(seats []seatlock.Seat) {
	p.Conflicts = make([]Seat, len(seats))
	var list strings.Builder
	for i, seat := range seats {
		p.Conflicts[i] = NewSeat(seat)
		if i > 0 {
			list.WriteString(", ")
		}
		list.WriteString(seat.ID + " is " + conflictText(p.Code, seat))
	}
	p.Detail = list.String() + ". " + p.Detail
}

func conflictText(code Code, seat seatlock.Seat) string {
	switch {
	case seat.OwnedByCaller && code == CodeAlreadyYours, seat.OwnedByCaller && code == CodeSeatUnavailable:
		return "already sold to you"
	case seat.OwnedByCaller:
		return "sold under another order"
	case seat.Status == seatlock.Sold:
		return "sold"
	case seat.Status == seatlock.Reserved && code == CodePlanDropsSeats:
		return "held"
	case seat.Status == seatlock.Reserved:
		return "held by someone else"
	case seat.Status == seatlock.Blocked:
		return "blocked"
	case code == CodeSeatUnavailable:
		return "not kept for this channel"
	case code == CodeNotReturnable:
		return "not sold"
	}
	return "not held"
}
