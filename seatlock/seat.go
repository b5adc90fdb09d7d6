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

// Seat is the public state of a seat: it does not name the user.
type Seat struct {
	ID            string
	Status        Status
	ExpiresIn     time.Duration // until the hold ends; 0 unless Reserved
	OwnedByCaller bool          // only in a ConflictError: the seat is sold to the user of the call
}

// Status returns the state of a seat. A seat that was never reserved is Available. It fails
// with ErrInvalid or ErrUnavailable.
func (l *Locker) Status(ctx context.Context, event, seat string) (Seat, error) {
	if !ValidID(event) || !ValidID(seat) {
		return Seat{}, fmt.Errorf("%w: event %q, seat %q", ErrInvalid, event, seat)
	}
	var ttl int64
	err := l.withRetries(ctx, ErrUnavailable, func(deadline time.Time) error {
		cmd := redis.NewIntCmd(ctx, "pttl", seatKey(event, seat))
		err := l.sendInBatch(ctx, batchKey{event: event}, deadline, &call{cmd: cmd})
		ttl = cmd.Val()
		return err
	})
	if err != nil {
		return Seat{}, fmt.Errorf("status: %w", err)
	}
	return l.newSeat(seat, ttl), nil
}
