package seatlock

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrInvalid means that an argument is outside what the package accepts.
	ErrInvalid = errors.New("seatlock: invalid argument")

	// ErrTaken means that another user holds a seat to reserve, or that it is sold.
	ErrTaken = errors.New("seatlock: seat taken")

	// ErrHoldExpired means that a seat is available: the user's hold has ended, or there was none.
	ErrHoldExpired = errors.New("seatlock: hold expired")

	// ErrHeldByOther means that another user holds a seat, or has bought it.
	ErrHeldByOther = errors.New("seatlock: held by another user")

	// ErrSold means that a seat to release is sold to the user.
	ErrSold = errors.New("seatlock: seat sold to the user")

	// ErrSeatLimit means that the user would have more than Options.MaxSeatsPerUser seats.
	ErrSeatLimit = errors.New("seatlock: seat limit")

	// ErrUnavailable means that Redis was not reached, or refused the command before it ran.
	// Nothing has changed.
	ErrUnavailable = errors.New("seatlock: Redis unavailable")

	// ErrOutcomeUnknown means that Redis may have made the change, but its reply was lost.
	// Repeat the call to learn the outcome.
	ErrOutcomeUnknown = errors.New("seatlock: outcome unknown")

	// ErrUnsafe means that Redis answers, but may lose seats as it is configured.
	ErrUnsafe = errors.New("seatlock: Redis is not configured safely")
)

// A ConflictError says why a group of seats was refused, and which of them caused that. It
// wraps ErrTaken, ErrHoldExpired, ErrHeldByOther or ErrSold. Nothing has changed.
type ConflictError struct {
	Err   error
	Seats []Seat // in the order of the call's seats, never empty
}

// Error names the reason and the seats, never a user.
func (e *ConflictError) Error() string {
	ids := make([]string, len(e.Seats))
	for i, s := range e.Seats {
		ids[i] = s.ID
	}
	return fmt.Sprintf("%v: %s", e.Err, strings.Join(ids, ", "))
}

func (e *ConflictError) Unwrap() error { return e.Err }

// A LimitError says how many seats the user has at the event already. It wraps
// ErrSeatLimit. Nothing has changed.
type LimitError struct {
	Limit, Held, Sold int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%v of %d: %d held, %d sold", ErrSeatLimit, e.Limit, e.Held, e.Sold)
}

func (e *LimitError) Unwrap() error { return ErrSeatLimit }
