package seatlock

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Status is the state of a seat.
type Status int

// The states of a seat.
const (
	Available Status = iota
	Reserved
	Sold
	Blocked // available to a channel only
)

func (s Status) String() string {
	switch s {
	case Available:
		return "Available"
	case Reserved:
		return "Reserved"
	case Sold:
		return "Sold"
	case Blocked:
		return "Blocked"
	}
	return fmt.Sprintf("Status(%d)", int(s))
}

// Seat is the public state of a seat: it does not name the user.
type Seat struct {
	ID            string
	Status        Status
	ExpiresIn     time.Duration // until the hold ends; 0 unless Reserved
	OwnedByCaller bool          // only in a ConflictError: the seat is sold to the user of the call
}

// Status returns the state of a seat. A seat that was never reserved is Available. It fails
// with ErrInvalid or ErrUnavailable; with ErrUnknownEvent while the event is being deleted.
func (l *Locker) Status(ctx context.Context, event, seat string) (Seat, error) {
	return l.StatusOn(ctx, event, seat, Terms{})
}

// StatusOn is Status with Terms. It uses PlanVersion only, and also fails with
// ErrStalePlan.
func (l *Locker) StatusOn(ctx context.Context, event, seat string, terms Terms) (Seat, error) {
	if !ValidID(event) || !ValidID(seat) {
		return Seat{}, fmt.Errorf("%w: event %q, seat %q", ErrInvalid, event, seat)
	}
	var found Seat
	err := l.withRetries(ctx, ErrUnavailable, func(deadline time.Time) error {
		cmd := redis.NewIntCmd(ctx, "pttl", seatKey(event, seat))
		c := &call{cmd: cmd, wantsEvent: true}
		if err := l.sendInBatch(ctx, batchKey{event: event}, deadline, c); err != nil {
			return err
		}
		state, err := parseEvent(c.event.Val())
		switch {
		case err != nil:
			return err
		case terms.PlanVersion != nil && *terms.PlanVersion != state.planVersion:
			return ErrStalePlan
		}
		found = newSeat(seat, min(cmd.Val(), l.holdTime(state)))
		if found.Status == Available && state.blocked > 0 {
			return l.setBlocked(ctx, deadline, event, &found)
		}
		return nil
	})
	if err != nil {
		return Seat{}, fmt.Errorf("status: %w", err)
	}
	return found, nil
}

// setBlocked sets the status of a seat that is not held or sold.
func (l *Locker) setBlocked(ctx context.Context, deadline time.Time, event string, seat *Seat) error {
	cmd := redis.NewBoolCmd(ctx, "hexists", blockedKey(event), seat.ID)
	err := l.sendInBatch(ctx, batchKey{event: event}, deadline, &call{cmd: cmd})
	if err == nil && cmd.Val() {
		seat.Status = Blocked
	}
	return err
}
