package seatlock

import (
	"context"
	"fmt"
	"slices"
)

// Exchange moves the user's sales of all of the seats to as many other seats, or of none: the
// sales under Terms.Order. Each seat of to must be available, or held by the user. A repeated call
// succeeds if the user has the new seats under the order, and none of the other ones.
//
// It fails with a ConflictError: of ErrNotReturnable, which names the seats that are not sold to
// the user under the order; if there is none, of ErrTaken, which names the seats of to that are
// sold, held by others or blocked. It also fails with ErrInvalid, for instance if seats and to
// share a seat, ErrStalePlan, ErrUnavailable or ErrOutcomeUnknown.
func (l *Locker) Exchange(ctx context.Context, event string, seats, to []string, user string, terms Terms) error {
	if len(seats) != len(to) {
		return fmt.Errorf("%w: exchange of %d seats for %d", ErrInvalid, len(seats), len(to))
	}
	both := slices.Concat(seats, to)
	reply, err := l.runTransition(ctx, "exchange", exchangeScript, event, both, user, terms, terms.Order, l.rewrite())
	if err != nil {
		return err
	}
	if reply[0] == replyConflict && reply[1] <= int64(len(seats)) {
		return refusal(ErrNotReturnable, both, reply)
	}
	return refusal(ErrTaken, both, reply)
}
