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

// Terms are the conditions of a call. The zero value has none.
type Terms struct {
	// PlanVersion is the version of the plan that has the seats, 0 if the event has no
	// settings. If the event has another version by now, the call fails with ErrStalePlan and
	// changes nothing. Nil accepts any version.
	PlanVersion *int64

	// Channel is the channel that the seats are kept for. Then each of the seats must be
	// blocked for it, and the sale window does not count. Empty: seats that are not blocked.
	Channel string

	// Order is the caller's own name of a purchase: of a sale, and of its return or exchange. It
	// is a ValidID, or empty.
	Order string

	// Request makes a repeated call return the answer of the first one. Nil: the call is not
	// remembered.
	Request *Request
}

// validate returns ErrInvalid with the first term that is not valid, or nil.
func (t Terms) validate() error {
	if t.Order != "" && !ValidID(t.Order) {
		return fmt.Errorf("%w: order %q", ErrInvalid, t.Order)
	}
	if t.Request != nil && !ValidRequestKey(t.Request.Key) {
		return fmt.Errorf("%w: request key %q", ErrInvalid, t.Request.Key)
	}
	return nil
}

// planArg is ARGV[4] of the scripts.
func (t Terms) planArg() any {
	if t.PlanVersion == nil {
		return ""
	}
	return *t.PlanVersion
}

// scriptArgs returns ARGV[1…4] of a script.
func (l *Locker) scriptArgs(planArg any) []any {
	return []any{l.opt.MaxSeatsPerUser, notAfterUnset, l.opt.HoldTime.Milliseconds(), planArg}
}

// Reserve holds all of the seats for the user, or none. Seats that the user holds already
// keep their deadline.
//
// It fails with a ConflictError of ErrTaken, which names the seats that are sold, held by
// other users or blocked, or of ErrOwned if all that it names are sold to this user; with a
// LimitError or a NotOnSaleError; or with ErrInvalid, ErrUnknownEvent, ErrUnavailable or
// ErrOutcomeUnknown.
func (l *Locker) Reserve(ctx context.Context, event string, seats []string, user string) (Hold, error) {
	return l.ReserveOn(ctx, event, seats, user, Terms{})
}

// ReserveOn is Reserve with Terms. It also fails with ErrStalePlan.
func (l *Locker) ReserveOn(ctx context.Context, event string, seats []string, user string, terms Terms) (Hold, error) {
	r, err := l.reserve(ctx, event, seats, nil, user, terms)
	if err != nil {
		return Hold{}, err
	}
	return newHold(r.now, r.reply[1], r.holdTime), nil
}

// reserve makes a reservation and returns it with its reply. groups are the sizes of the groups of
// seats that the call offers; nil: it wants all seats.
func (l *Locker) reserve(ctx context.Context, event string, seats []string, groups []int, user string, terms Terms) (reservation, error) {
	if err := validate(event, seats, user); err != nil {
		return reservation{}, err
	}
	if err := terms.validate(); err != nil {
		return reservation{}, err
	}
	keys, caller := seatKeys(event, seats), l.callerArg("reserve", seats, user, terms)
	own := reserveTerms{plan: -1, channel: terms.Channel}
	if terms.PlanVersion != nil {
		own.plan = *terms.PlanVersion
	}
	var r reservation
	err := l.withRetries(ctx, ErrOutcomeUnknown, func(deadline time.Time) error {
		c := &call{reserve: reservation{terms: own, caller: caller, keys: keys, groups: groups}}
		if err := l.sendInBatch(ctx, batchKey{event: event}, deadline, c); err != nil {
			return err
		}
		r = c.reserve
		if first := terms.Request.answer(r.reply); len(first) == 4 && first[0] == replyDone {
			r.now, r.holdTime, r.reply = first[1], first[2], []int64{replyDone, first[3]}
		}
		return checkReply(r.reply, len(seats))
	})
	if err != nil {
		return reservation{}, fmt.Errorf("reserve: %w", err)
	}
	return r, refusal(ErrTaken, seats, r.reply)
}

// reserveTerms are Terms that can be compared.
type reserveTerms struct {
	plan    int64 // version; -1: any
	channel string
}

// reservation is the part of one Reserve in the command that a batch shares.
type reservation struct {
	terms         reserveTerms
	caller        string   // see lua/event.lua
	keys          []string // of the seats
	groups        []int    // the sizes of the groups that it offers; nil: it wants all seats
	now, holdTime int64    // ms since the epoch and ms, from the reply
	reply         []int64  // to this reservation
}

// reserveCommand returns the command that makes the reservations of calls, in order. The calls
// have the same terms.
func (l *Locker) reserveCommand(ctx context.Context, event string, calls []*call) *redis.IntSliceCmd {
	seats := 0
	for _, c := range calls {
		seats += len(c.reserve.keys)
	}
	var plan any = ""
	terms := calls[0].reserve.terms
	if terms.plan >= 0 {
		plan = terms.plan
	}
	args := make([]any, 0, 11+2*seats)
	args = append(args, "evalsha", reserveScript.digest, 2+seats, seatsKey(event), changesKey(event))
	for _, c := range calls {
		for _, key := range c.reserve.keys {
			args = append(args, key)
		}
	}
	args = append(args, l.opt.MaxSeatsPerUser, notAfterUnset, l.opt.HoldTime.Milliseconds(), plan, l.opt.MaxHoldTime.Milliseconds(), terms.channel)
	for _, c := range calls {
		args = c.reserve.appendCallers(args)
	}
	return redis.NewIntSliceCmd(ctx, args...)
}

// appendCallers appends the ARGV of the seats, see lua/reserve.lua.
func (r *reservation) appendCallers(args []any) []any {
	if r.groups == nil {
		args = append(args, r.caller)
		for range r.keys[1:] {
			args = append(args, "")
		}
		return args
	}
	first := " " + r.caller
	for _, size := range r.groups {
		args = append(args, first)
		for range size - 1 {
			args = append(args, "")
		}
		first = " "
	}
	return args
}

// splitReply gives each of calls its part of the reply to reserveCommand.
func splitReply(reply []int64, calls []*call) error {
	if len(reply) < 2 {
		return fmt.Errorf("%w: too short, to %d reservations", errReply, len(calls))
	}
	now, holdTime, reply := reply[0], reply[1], reply[2:]
	for _, c := range calls {
		if len(reply) == 0 || reply[0] < 0 || reply[0] >= int64(len(reply)) {
			return fmt.Errorf("%w: %d numbers to %d reservations", errReply, len(reply), len(calls))
		}
		c.reserve.now, c.reserve.holdTime = now, holdTime
		c.reserve.reply, reply = reply[1:1+reply[0]], reply[1+reply[0]:]
	}
	if len(reply) > 0 {
		return fmt.Errorf("%w: %d numbers after %d reservations", errReply, len(reply), len(calls))
	}
	return nil
}
