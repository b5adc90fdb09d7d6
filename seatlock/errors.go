package seatlock

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

var (
	// ErrInvalid means that an argument is outside what the package accepts.
	ErrInvalid = errors.New("seatlock: invalid argument")

	// ErrTaken means that a seat to reserve is held by another user or sold.
	ErrTaken = errors.New("seatlock: seat taken")

	// ErrHoldExpired means that the user has no hold, or none any more, on a
	// seat that nobody else has.
	ErrHoldExpired = errors.New("seatlock: hold expired")

	// ErrHeldByOther means that a seat is held by, or sold to, another user.
	ErrHeldByOther = errors.New("seatlock: held by another user")

	// ErrSold means that a seat to release is sold to the user.
	ErrSold = errors.New("seatlock: seat sold to the user")

	// ErrSeatLimit means that the user would pass Options.MaxSeatsPerUser.
	ErrSeatLimit = errors.New("seatlock: seat limit")

	// ErrUnavailable means that Redis was not reached or refused the command
	// before running it: nothing has changed.
	ErrUnavailable = errors.New("seatlock: Redis unavailable")

	// ErrOutcomeUnknown means that Redis may have made the change, but its
	// answer did not arrive. Repeating the call settles it.
	ErrOutcomeUnknown = errors.New("seatlock: outcome unknown")

	// ErrUnsafe means that Redis answers, but is set up so that it can lose
	// seats.
	ErrUnsafe = errors.New("seatlock: Redis is set up unsafely")
)

// A ConflictError tells why a group of seats was refused and which of them
// stood in the way. It wraps ErrTaken, ErrHoldExpired, ErrHeldByOther or ErrSold.
type ConflictError struct {
	Err   error
	Seats []Seat // in the order of the request, never empty
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

// A LimitError tells how many seats a user has at an event, where one more would
// pass the limit. It wraps ErrSeatLimit.
type LimitError struct {
	Limit, Held, Sold int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%v of %d: %d held, %d sold", ErrSeatLimit, e.Limit, e.Held, e.Sold)
}

func (e *LimitError) Unwrap() error { return ErrSeatLimit }

// Status is the state of a seat.
type Status int

// The states of a seat.
const (
	Available Status = iota
	Reserved
	Sold
)

func (s Status) String() string {
	switch s {
	case Available:
		return "Available"
	case Reserved:
		return "Reserved"
	case Sold:
		return "Sold"
	}
	return fmt.Sprintf("Status(%d)", int(s))
}

// Seat is what anyone may know of a seat.
type Seat struct {
	ID        string
	Status    Status
	ExpiresIn time.Duration // how long the hold lasts; 0 unless Reserved
	Yours     bool          // in a refusal: it is sold to the very user who asked
}

// newSeat makes a Seat of what PTTL answered for its key: -2 where there is no
// key, -1 where it has no expiry, else milliseconds; or of a script's -3.
func (l *Locker) newSeat(id string, pttl int64) Seat {
	switch pttl {
	case -3:
		return Seat{ID: id, Status: Sold, Yours: true}
	case -2:
		return Seat{ID: id, Status: Available}
	case -1:
		return Seat{ID: id, Status: Sold}
	}
	return Seat{ID: id, Status: Reserved, ExpiresIn: l.left(pttl)}
}
