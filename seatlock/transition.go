package seatlock

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Extend moves the deadline of all of the seats to the hold time from now, or of none. A
// deadline never moves back, nor past the longest hold time from when the hold began. The user must
// hold each seat. A seat that is sold to the user stays sold; if all are, the Hold is zero.
//
// An extension that would gain less than a second (or less than a tenth of the hold time,
// if that is shorter) gains nothing. So an Extend that is repeated within that time gives the
// same answer. A later one extends the hold again.
//
// It fails as Buy does.
func (l *Locker) Extend(ctx context.Context, event string, seats []string, user string) (Hold, error) {
	return l.ExtendOn(ctx, event, seats, user, Terms{})
}

// ExtendOn is Extend with Terms. It uses PlanVersion and Request, and also fails with ErrStalePlan.
func (l *Locker) ExtendOn(ctx context.Context, event string, seats []string, user string, terms Terms) (Hold, error) {
	reply, err := l.transition(ctx, "extend", extendScript, ErrHeldByOther, event, seats, user, terms)
	if err != nil || len(reply) != 4 || reply[3] == 0 {
		return Hold{}, err
	}
	return newHold(reply[1], reply[3], reply[2]), nil
}

// Buy sells all of the seats to the user, or none. The user must hold each seat, or have
// bought it already.
//
// It fails with a ConflictError: of ErrHeldByOther if any of the seats is held by or sold
// to another user, otherwise of ErrHoldExpired; or with ErrInvalid, ErrUnavailable or
// ErrOutcomeUnknown.
func (l *Locker) Buy(ctx context.Context, event string, seats []string, user string) error {
	return l.BuyOn(ctx, event, seats, user, Terms{})
}

// BuyOn is Buy with Terms. It uses PlanVersion, Order and Request, and also fails with
// ErrStalePlan, and with a ConflictError of ErrSold if a seat is sold to the user under another
// order, and none is another user's.
func (l *Locker) BuyOn(ctx context.Context, event string, seats []string, user string, terms Terms) error {
	_, err := l.transition(ctx, "buy", buyScript, ErrHeldByOther, event, seats, user, terms, terms.Order, l.rewrite())
	return err
}

// Return ends the user's sales of all of the seats, or of none: the sales under Terms.Order. A
// seat that is available stays so. It uses PlanVersion and Request, too.
//
// It fails with a ConflictError of ErrNotReturnable, which names the seats that are held, or
// sold to another user or under another order; or with ErrStalePlan, ErrInvalid,
// ErrUnavailable or ErrOutcomeUnknown.
func (l *Locker) Return(ctx context.Context, event string, seats []string, user string, terms Terms) error {
	_, err := l.transition(ctx, "return", returnScript, ErrNotReturnable, event, seats, user, terms, terms.Order)
	return err
}

// Release ends the user's holds among the seats. It does not change a seat that is
// available or another user's.
//
// It fails with a ConflictError of ErrSold if any of the seats is sold to the user, and
// then ends no hold; or with ErrInvalid, ErrUnavailable or ErrOutcomeUnknown.
func (l *Locker) Release(ctx context.Context, event string, seats []string, user string) error {
	return l.ReleaseOn(ctx, event, seats, user, Terms{})
}

// ReleaseOn is Release with Terms. It uses PlanVersion and Request, and also fails with
// ErrStalePlan.
func (l *Locker) ReleaseOn(ctx context.Context, event string, seats []string, user string, terms Terms) error {
	_, err := l.transition(ctx, "release", releaseScript, ErrSold, event, seats, user, terms)
	return err
}

// rewrite is the last ARGV of a script that sells: 1 if it must write what it repeats.
func (l *Locker) rewrite() int {
	if l.opt.SaleReplicas > 0 {
		return 1
	}
	return 0
}

// transition is runTransition. It returns a refusal as an error; conflict is the reason of a
// ConflictError.
func (l *Locker) transition(ctx context.Context, name string, s *script, conflict error, event string, seats []string, user string, terms Terms, args ...any) ([]int64, error) {
	reply, err := l.runTransition(ctx, name, s, event, seats, user, terms, args...)
	if err != nil {
		return nil, err
	}
	return reply, refusal(conflict, seats, reply)
}

// runTransition runs a script on seats of one user. It returns the script's reply, or an error.
// args follow the caller in ARGV.
func (l *Locker) runTransition(ctx context.Context, name string, s *script, event string, seats []string, user string, terms Terms, args ...any) ([]int64, error) {
	if err := validate(event, seats, user); err != nil {
		return nil, err
	}
	if err := terms.validate(); err != nil {
		return nil, err
	}
	keys := transitionKeys(event, seats, user)
	args = append(append(l.scriptArgs(terms.planArg()), l.callerArg(name, seats, user, terms)), args...)
	isSale := s == buyScript || s == returnScript || s == exchangeScript
	key := batchKey{event: event, sale: isSale && (l.opt.Durable || l.opt.SaleReplicas > 0)}
	var reply []int64
	err := l.withRetries(ctx, ErrOutcomeUnknown, func(deadline time.Time) error {
		cmd := redis.NewIntSliceCmd(ctx, s.command(keys, args...)...)
		c := &call{cmd: cmd, script: s}
		if err := l.sendInBatch(ctx, key, deadline, c); err != nil {
			return err
		}
		reply = terms.Request.answer(cmd.Val())
		if err := checkReply(reply, len(seats)); err != nil {
			return err
		}
		if key.sale && reply[0] == replyDone && c.replicas < int64(l.opt.SaleReplicas) {
			return fmt.Errorf("%w: %d of %d", errTooFewReplicas, c.replicas, l.opt.SaleReplicas)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return reply, nil
}
