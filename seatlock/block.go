package seatlock

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// MaxBlockSeats is how many seats a call of Block or Unblock may name.
const MaxBlockSeats = 1000

// Block keeps all of the seats for a channel, or none. Only a Reserve with Terms.Channel can
// hold them. When such a hold ends, the seat is blocked again. A seat that is blocked for the
// channel already stays so.
//
// It fails with a ConflictError of ErrTaken, which names the seats that are held, sold or
// blocked for another channel; or with ErrInvalid, ErrUnknownEvent, ErrStalePlan,
// ErrUnavailable or ErrOutcomeUnknown.
func (l *Locker) Block(ctx context.Context, event string, seats []string, channel string, terms Terms) error {
	return l.block(ctx, "block", event, seats, channel, terms, 0)
}

// Unblock makes all of the seats available that are blocked for a channel, or none. A seat
// that is not blocked stays as it is. It fails as Block does.
func (l *Locker) Unblock(ctx context.Context, event string, seats []string, channel string, terms Terms) error {
	return l.block(ctx, "unblock", event, seats, channel, terms, 1)
}

// block runs lua/block.lua. unblock is its last ARGV.
func (l *Locker) block(ctx context.Context, name, event string, seats []string, channel string, terms Terms, unblock int) error {
	if err := validateBlock(event, seats, channel); err != nil {
		return err
	}
	if err := terms.validate(); err != nil {
		return err
	}
	terms.Channel = channel
	keys := append(eventKeys(event), seatKeys(event, seats)...)
	args := append(l.scriptArgs(terms.planArg()), l.callerArg(name, seats, "", terms), channel, unblock)
	var reply []int64
	err := l.withRetries(ctx, ErrOutcomeUnknown, func(deadline time.Time) error {
		cmd := redis.NewIntSliceCmd(ctx, blockScript.command(keys, args...)...)
		if err := l.runScript(ctx, deadline, event, blockScript, cmd); err != nil {
			return err
		}
		reply = terms.Request.answer(cmd.Val())
		return checkReply(reply, len(seats))
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return refusal(ErrTaken, seats, reply)
}

func validateBlock(event string, seats []string, channel string) error {
	switch {
	case !ValidID(event):
		return fmt.Errorf("%w: event %q", ErrInvalid, event)
	case !ValidID(channel):
		return fmt.Errorf("%w: channel %q", ErrInvalid, channel)
	case len(seats) == 0 || len(seats) > MaxBlockSeats:
		return fmt.Errorf("%w: %d seats: name 1 to %d", ErrInvalid, len(seats), MaxBlockSeats)
	}
	sorted := slices.Sorted(slices.Values(seats))
	for i, seat := range sorted {
		if !ValidID(seat) || i > 0 && seat == sorted[i-1] {
			return fmt.Errorf("%w: seat %q", ErrInvalid, seat)
		}
	}
	return nil
}
