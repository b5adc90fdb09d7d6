package seatlock

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Hold is a reservation of one or more seats.
type Hold struct {
	Deadline  time.Time     // when the first of the seats becomes available again: UTC, by the clock of Redis
	ExpiresIn time.Duration // from now to Deadline, both by the clock of Redis
}

// Reserve holds all of the seats for the user, or none. Seats that the user holds already
// keep their deadline.
//
// It fails with a ConflictError of ErrTaken, which names the seats that are sold or held
// by other users; with a LimitError; or with ErrInvalid, ErrUnavailable or
// ErrOutcomeUnknown.
func (l *Locker) Reserve(ctx context.Context, event string, seats []string, user string) (Hold, error) {
	if err := validate(event, seats, user); err != nil {
		return Hold{}, err
	}
	keys := seatKeys(event, seats)
	var r reservation
	err := l.withRetries(ctx, ErrOutcomeUnknown, func(deadline time.Time) error {
		c := &call{reserve: reservation{user: user, keys: keys}}
		if err := l.sendInBatch(ctx, batchKey{event: event}, deadline, c); err != nil {
			return err
		}
		r = c.reserve
		return checkReply(r.reply, len(seats))
	})
	if err != nil {
		return Hold{}, fmt.Errorf("reserve: %w", err)
	}
	if err := l.refusal(ErrTaken, seats, r.reply); err != nil {
		return Hold{}, err
	}
	return l.newHold(r.now, r.reply[1]), nil
}

// reservation is the part of one Reserve in the command that a batch shares.
type reservation struct {
	user  string
	keys  []string // of the seats
	now   int64    // ms since the epoch, from the reply
	reply []int64  // to this reservation
}

// reserveCommand returns the command that makes the reservations of calls, in order.
func (l *Locker) reserveCommand(ctx context.Context, event string, calls []*call) *redis.IntSliceCmd {
	seats, users := 0, 0
	for _, c := range calls {
		seats += len(c.reserve.keys)
	}
	if l.opt.MaxSeatsPerUser > 0 {
		users = len(calls)
	}
	args := make([]any, 0, 9+2*seats+users)
	args = append(args, "evalsha", reserveScript.digest, 2+seats+users, seatsKey(event), changesKey(event))
	for _, c := range calls {
		for _, key := range c.reserve.keys {
			args = append(args, key)
		}
	}
	for _, c := range calls[:users] {
		args = append(args, userKey(event, c.reserve.user))
	}
	args = append(args, l.opt.MaxSeatsPerUser, notAfterUnset, l.opt.HoldTime.Milliseconds(), l.opt.MaxHoldTime.Milliseconds())
	for _, c := range calls {
		args = append(args, c.reserve.user)
		for range c.reserve.keys[1:] {
			args = append(args, "")
		}
	}
	return redis.NewIntSliceCmd(ctx, args...)
}

// splitReply gives each of calls its part of the reply to reserveCommand.
func splitReply(reply []int64, calls []*call) error {
	if len(reply) == 0 {
		return fmt.Errorf("%w: empty, to %d reservations", errReply, len(calls))
	}
	now, reply := reply[0], reply[1:]
	for _, c := range calls {
		if len(reply) == 0 || reply[0] < 0 || reply[0] >= int64(len(reply)) {
			return fmt.Errorf("%w: %d numbers to %d reservations", errReply, len(reply), len(calls))
		}
		c.reserve.now, c.reserve.reply, reply = now, reply[1:1+reply[0]], reply[1+reply[0]:]
	}
	return nil
}
