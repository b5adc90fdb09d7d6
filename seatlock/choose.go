package seatlock

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Choice is what a ReserveFirst holds.
type Choice struct {
	Seats []string
	Hold
}

// ReserveFirst holds the first of the groups whose seats are all available, or none. The groups share
// no seat. A seat that the user holds already is not available.
//
// Terms.Request, if it is set, must have a Query: then a repeated call gets the same seats, whatever
// groups it offers.
//
// If no group is available, it fails with a ConflictError of ErrTaken, which names the seats that are
// not, of all groups. Otherwise it fails as ReserveOn does.
func (l *Locker) ReserveFirst(ctx context.Context, event string, groups [][]string, user string, terms Terms) (Choice, error) {
	if terms.Request != nil && terms.Request.Query == "" {
		return Choice{}, fmt.Errorf("%w: a request without a query", ErrInvalid)
	}
	sizes := make([]int, len(groups))
	for i, group := range groups {
		if sizes[i] = len(group); sizes[i] == 0 {
			return Choice{}, fmt.Errorf("%w: a group without seats", ErrInvalid)
		}
	}
	seats := slices.Concat(groups...)
	r, err := l.reserve(ctx, event, seats, sizes, user, terms)
	if err != nil {
		return Choice{}, err
	}
	if len(r.reply) == 2 { // replayed: the reply does not have the seats
		choice, found, err := l.Chosen(ctx, event, user, terms)
		if err == nil && !found {
			err = fmt.Errorf("reserve first: %w: the answer is forgotten", ErrOutcomeUnknown)
		}
		return choice, err
	}
	first := int(r.reply[2]) - 1
	for _, group := range groups {
		if first == 0 {
			return Choice{Seats: group, Hold: newHold(r.now, r.reply[1], r.holdTime)}, nil
		}
		first -= len(group)
	}
	return Choice{}, fmt.Errorf("reserve first: %w: seat %d", errReply, r.reply[2])
}

// Chosen returns the answer to an earlier ReserveFirst with the same Request, and whether there was
// one. It fails with ErrRequestReused, ErrInvalid or ErrUnavailable.
func (l *Locker) Chosen(ctx context.Context, event, user string, terms Terms) (choice Choice, found bool, err error) {
	if err := errors.Join(validate(event, []string{"any"}, user), terms.validate()); err != nil || terms.Request == nil {
		return Choice{}, false, err
	}
	var value string
	err = l.withRetries(ctx, ErrUnavailable, func(deadline time.Time) error {
		cmd := redis.NewSliceCmd(ctx, "mget", requestKey(event, user, terms.Request.Key))
		if err := l.run(ctx, deadline, cmd); err != nil {
			return err
		}
		value, found = cmd.Val()[0].(string)
		return nil
	})
	if err != nil || !found {
		return Choice{}, false, err
	}
	numbers, seats, chosen := strings.Cut(value, ";")
	fields := strings.Fields(numbers)
	if !chosen || len(fields) != 4 || fields[0] != terms.Request.fingerprint("reserve", nil, terms) {
		return Choice{}, false, ErrRequestReused
	}
	var parsed [3]int64 // now, the hold time, the deadline
	for i := range parsed {
		parsed[i], _ = strconv.ParseInt(fields[i+1], 10, 64)
	}
	terms.Request.Replayed = true
	return Choice{Seats: strings.Fields(seats), Hold: newHold(parsed[0], parsed[2], parsed[1])}, true, nil
}
