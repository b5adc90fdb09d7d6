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

	// ErrTaken means that another user holds a seat to reserve, or that it is sold or blocked; and
	// that a seat to block or unblock is held, sold, or kept for another channel.
	ErrTaken = errors.New("seatlock: seat taken")

	// ErrOwned means that all seats that prevent a reserve are sold to its user. It is an
	// ErrTaken.
	ErrOwned = fmt.Errorf("%w: sold to the user already", ErrTaken)

	// ErrHoldExpired means that a seat is available: the user's hold has ended, or there was none.
	ErrHoldExpired = errors.New("seatlock: hold expired")

	// ErrHeldByOther means that another user holds a seat, or has bought it.
	ErrHeldByOther = errors.New("seatlock: held by another user")

	// ErrSold means that a seat to release is sold to the user, or that a seat to buy is sold to
	// the user under another order.
	ErrSold = errors.New("seatlock: seat sold to the user")

	// ErrNotReturnable means that a seat to return or to exchange is not sold to the user under
	// the order. A seat to return may be available; otherwise it is held, or sold to another user or under
	// another order.
	ErrNotReturnable = errors.New("seatlock: seat not returnable")

	// ErrRequestReused means that the key of a Request was used for a call with other arguments.
	ErrRequestReused = errors.New("seatlock: request key reused")

	// ErrSeatLimit means that the user would have more seats at the event than it allows.
	ErrSeatLimit = errors.New("seatlock: seat limit")

	// ErrNotOnSale means that the sale of the event has not begun, or has ended.
	ErrNotOnSale = errors.New("seatlock: not on sale")

	// ErrStalePlan means that the plan of the event has another version than Terms.PlanVersion.
	ErrStalePlan = errors.New("seatlock: another version of the plan")

	// ErrUnknownEvent means that the event has no settings, or is being deleted.
	ErrUnknownEvent = errors.New("seatlock: unknown event")

	// ErrVersion means that the event has another version than the call requires.
	ErrVersion = errors.New("seatlock: another version of the event")

	// ErrPlanDropsSeats means that a new plan does not have a seat that is held, sold or blocked.
	ErrPlanDropsSeats = errors.New("seatlock: plan drops seats")

	// ErrHasHolds means that seats of an event to delete are held.
	ErrHasHolds = errors.New("seatlock: event has holds")

	// ErrHasSales means that seats of an event to delete are sold.
	ErrHasSales = errors.New("seatlock: event has sales")

	// ErrLeased means that another process has the lease of a Relay, or that this one has lost it.
	ErrLeased = errors.New("seatlock: no lease")

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
// wraps ErrTaken, ErrOwned, ErrHoldExpired, ErrHeldByOther, ErrSold,
// ErrNotReturnable or ErrPlanDropsSeats. Nothing has changed.
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

// A NotOnSaleError says when the sale of the event begins. It wraps ErrNotOnSale. Nothing has
// changed.
type NotOnSaleError struct {
	OnSaleAt time.Time // UTC; zero if the event does not say
	Ended    bool      // the sale has begun, and ended
}

func (e *NotOnSaleError) Error() string { return ErrNotOnSale.Error() }

func (e *NotOnSaleError) Unwrap() error { return ErrNotOnSale }
