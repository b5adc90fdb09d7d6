package seatlock

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// leaseTime is how long a Relay has the lease after a Refresh.
const leaseTime = 13 * time.Second

// MaxKept is how many changes a Relay may keep while they wait.
const MaxKept = 10_000_000

// Relay is the cursor of an event: the last entry that was sent elsewhere, and the lease of the
// process that sends them. A Relay is not safe for concurrent use.
type Relay struct {
	locker *Locker
	event  string
	kept   int
	owner  string
	cursor string    // "" without a lease
	ends   time.Time // the lease, at the latest when it ends in Redis
}

// RelayState is what a Refresh of a Relay found.
type RelayState struct {
	Now        time.Time     // UTC, by the clock of Redis
	Cursor     string        // the ID of the last entry that was sent; NoChange for none
	Last       string        // the ID of the last change; NoChange for none
	NextExpiry time.Duration // until the next hold ends: 0 if more have ended, negative if no seat is held
	Version    int64         // of the event
	Leased     bool          // the process has the lease
	LeasedFor  time.Duration // with ErrLeased: how long another process has the lease; 0 if this one lost it
}

// NewRelay returns the Relay of an event that was put. kept is how many changes Redis keeps while
// they wait, 10,000 to MaxKept; beyond that the oldest are trimmed. It fails with ErrInvalid.
func (l *Locker) NewRelay(event string, kept int) (*Relay, error) {
	if !ValidID(event) || kept < minStreamLength || kept > MaxKept {
		return nil, fmt.Errorf("%w: event %q, %d changes to keep: want %d to %d", ErrInvalid, event, kept, minStreamLength, MaxKept)
	}
	return &Relay{locker: l, event: event, kept: kept, owner: rand.Text()}, nil
}

// Refresh moves the cursor to sent, the ID of the last entry that this process has sent, "" for
// none. It appends an expired change for each hold whose deadline has passed. Then, if entries
// wait, it takes or renews the lease: the process may send them as long as Remaining is positive.
// Otherwise it gives the lease back. It also takes the lease if the process had no lease and the cursor is not sent: perhaps Redis lost changes
// that were sent, so compare the two.
//
// It fails with ErrLeased, and moves no cursor, if another process has the lease or has had it
// since; the next Refresh begins at the cursor of that process. It fails with ErrUnknownEvent if
// the event was not put or is deleted, with ErrUnavailable or with ErrOutcomeUnknown.
func (r *Relay) Refresh(ctx context.Context, sent string) (RelayState, error) {
	began := time.Now()
	state, err := r.run(ctx, sent, leaseTime)
	if errors.Is(err, ErrLeased) || errors.Is(err, ErrUnknownEvent) {
		r.cursor, r.ends = "", time.Time{}
	}
	if err != nil {
		return state, fmt.Errorf("relay: %w", err)
	}
	r.cursor, r.ends = "", time.Time{}
	if state.Leased {
		r.cursor, r.ends = state.Cursor, began.Add(leaseTime)
	}
	return state, nil
}

// Remaining returns how long this process has the lease; it is negative without one.
func (r *Relay) Remaining() time.Duration { return time.Until(r.ends) }

// Release moves the cursor to sent, as Refresh does, and gives the lease back. It does nothing
// without a lease. It fails as Refresh does.
func (r *Relay) Release(ctx context.Context, sent string) error {
	if r.cursor == "" {
		return nil
	}
	_, err := r.run(ctx, sent, 0)
	if err != nil {
		return fmt.Errorf("relay: %w", err)
	}
	r.cursor, r.ends = "", time.Time{}
	return nil
}

// run runs lua/relay.lua.
func (r *Relay) run(ctx context.Context, sent string, lease time.Duration) (state RelayState, err error) {
	if sent == "" {
		sent = r.cursor
	}
	l := r.locker
	err = l.withRetries(ctx, ErrOutcomeUnknown, func(deadline time.Time) error {
		args := append(l.scriptArgs(""), r.owner, r.cursor, sent, lease.Milliseconds(), r.kept)
		cmd := redis.NewSliceCmd(ctx, relayScript.command(append(eventKeys(r.event), relayKey(r.event)), args...)...)
		err := l.runScript(ctx, deadline, r.event, relayScript, cmd)
		if err == nil {
			state, err = parseRelayState(cmd.Val())
		}
		return err
	})
	return state, err
}

func parseRelayState(reply []any) (RelayState, error) {
	numbers := make([]int64, len(reply))
	for i, value := range reply {
		numbers[i], _ = value.(int64)
	}
	switch {
	case len(reply) == 2 && numbers[0] == replyWrongVersion:
		return RelayState{}, ErrUnknownEvent
	case len(reply) == 3 && numbers[0] == replyOther:
		return RelayState{LeasedFor: time.Duration(numbers[2]) * time.Millisecond}, ErrLeased
	case len(reply) != 7:
		return RelayState{}, fmt.Errorf("%w: %d values", errReply, len(reply))
	}
	cursor, _ := reply[2].(string)
	last, _ := reply[3].(string)
	return RelayState{Now: time.UnixMilli(numbers[1]).UTC(), Cursor: cursor, Last: last,
		NextExpiry: time.Duration(numbers[4]) * time.Millisecond, Version: numbers[5], Leased: numbers[6] == 1}, nil
}
