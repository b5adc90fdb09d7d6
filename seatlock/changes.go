package seatlock

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// NoChange is the position before the first Change of an event.
const NoChange = "0-0"

// changesKept is the least number of transitions of an event that Redis keeps:
// lua/event.lua trims the stream to about as many.
const changesKept = 10_000

// ErrReset means that the changes after a position can't be read: some of them were
// trimmed, or Redis does not have the position. It was emptied, another took its place,
// or it removed the changes of an event that has ended. Load the seat map, and go on
// from its Change.
var ErrReset = errors.New("seatlock: position of changes lost")

// ChangeType is what a transition did to its seats.
type ChangeType string

// The transitions. Expired is a hold that ended by itself.
const (
	ChangeHeld     ChangeType = "held"
	ChangeExtended ChangeType = "extended"
	ChangeReleased ChangeType = "released"
	ChangeExpired  ChangeType = "expired"
	ChangeSold     ChangeType = "sold"
)

// Change is one transition of one or more seats of an event.
type Change struct {
	ID       string // of the stream entry; IDs of one Redis grow
	Type     ChangeType
	SeatIDs  []string
	Deadline time.Time // by Redis' clock, UTC; zero unless held or extended
}

// Settle notes, as changes of an event, the holds that ended by themselves and that
// no transition has noted since. It returns how long it is until the next one may
// end, which is negative where nothing is held.
func (l *Locker) Settle(ctx context.Context, event string) (time.Duration, error) {
	if !ValidID(event) {
		return 0, fmt.Errorf("%w: event %q", ErrInvalid, event)
	}
	var reply []int64
	err := l.try(ctx, ErrOutcomeUnknown, func(deadline time.Time) error {
		cmd := redis.NewIntSliceCmd(ctx, settleScript.command(eventKeys(event), 0, notAfterUnset)...)
		if err := l.eval(ctx, deadline, event, settleScript, cmd); err != nil {
			return err
		}
		if reply = cmd.Val(); len(reply) != 3 {
			return fmt.Errorf("%w: %v", errReply, reply)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("settle: %w", err)
	}
	return time.Duration(reply[2]) * time.Millisecond, nil
}

// Changes returns the changes of an event after a position, oldest first, limit at
// most; it does not wait for one. The position is the ID of a change, or NoChange.
//
// It fails with ErrReset, ErrInvalid or ErrUnavailable.
func (l *Locker) Changes(ctx context.Context, event, after string, limit int) ([]Change, error) {
	if !ValidID(event) || limit < 1 {
		return nil, fmt.Errorf("%w: event %q, limit %d", ErrInvalid, event, limit)
	}
	if !validChangeID(after) {
		return nil, fmt.Errorf("%w: no change has the ID %q", ErrReset, after)
	}
	var changes []Change
	err := l.try(ctx, ErrUnavailable, func(deadline time.Time) (err error) {
		if after == NoChange {
			changes, err = l.firstChanges(ctx, deadline, event, limit)
		} else {
			changes, err = l.changesAfter(ctx, deadline, event, after, limit)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("changes: %w", err)
	case changes == nil:
		return nil, fmt.Errorf("%w: %s", ErrReset, after)
	}
	return changes, nil
}

// changesAfter returns nil if the change with the ID after is no longer in the stream.
// One command reads it and those after it: as Redis trims from the oldest on, none
// between them is missing.
func (l *Locker) changesAfter(ctx context.Context, deadline time.Time, event, after string, limit int) ([]Change, error) {
	found := redis.NewXMessageSliceCmd(ctx, "xrange", changesKey(event), after, "+", "count", limit+1)
	if err := l.do(ctx, deadline, found); err != nil {
		return nil, err
	}
	if len(found.Val()) == 0 || found.Val()[0].ID != after {
		return nil, nil
	}
	return newChanges(found.Val()[1:]), nil
}

// firstChanges returns nil if changes may have been trimmed. It reads before it checks:
// what is trimmed after the check was read.
func (l *Locker) firstChanges(ctx context.Context, deadline time.Time, event string, limit int) ([]Change, error) {
	found := redis.NewXMessageSliceCmd(ctx, "xrange", changesKey(event), "-", "+", "count", limit)
	if err := l.do(ctx, deadline, found); err != nil {
		return nil, err
	}
	count := redis.NewIntCmd(ctx, "xlen", changesKey(event))
	if err := l.do(ctx, deadline, count); err != nil {
		return nil, err
	}
	if count.Val() >= changesKept { // a shorter stream was never trimmed
		return nil, nil
	}
	return newChanges(found.Val()), nil
}

// AwaitChange returns when the event has a change after a position, or after wait,
// which takes a connection of its own until then. It is a hint to call Changes: what it
// waits for may never come at a position that Redis does not have.
//
// It fails with ErrInvalid or ErrUnavailable.
func (l *Locker) AwaitChange(ctx context.Context, event, after string, wait time.Duration) error {
	if !ValidID(event) || !validChangeID(after) || wait < time.Millisecond { // Redis waits forever for less
		return fmt.Errorf("%w: event %q, change %q, wait %v", ErrInvalid, event, after, wait)
	}
	ctx, cancel := context.WithTimeout(ctx, wait+l.opt.Timeout)
	defer cancel()
	args := &redis.XReadArgs{Streams: []string{changesKey(event), after}, Count: 1, Block: wait}
	if err := l.client.XRead(ctx, args).Err(); err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("changes: %w: %w", ErrUnavailable, err)
	}
	return nil
}

// LastChange returns the ID of the last change of an event, or NoChange. Its errors
// are ErrInvalid and ErrUnavailable.
func (l *Locker) LastChange(ctx context.Context, event string) (string, error) {
	if !ValidID(event) {
		return "", fmt.Errorf("%w: event %q", ErrInvalid, event)
	}
	last := NoChange
	err := l.try(ctx, ErrUnavailable, func(deadline time.Time) error {
		cmd := redis.NewXMessageSliceCmd(ctx, "xrevrange", changesKey(event), "+", "-", "count", 1)
		err := l.do(ctx, deadline, cmd)
		if err == nil && len(cmd.Val()) > 0 {
			last = cmd.Val()[0].ID
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("changes: %w", err)
	}
	return last, nil
}

// newChanges returns no nil slice.
func newChanges(messages []redis.XMessage) []Change {
	changes := make([]Change, len(messages))
	for i, message := range messages {
		changes[i] = newChange(message)
	}
	return changes
}

func newChange(message redis.XMessage) Change {
	field := func(name string) string { s, _ := message.Values[name].(string); return s }
	change := Change{ID: message.ID, Type: ChangeType(field("type")), SeatIDs: strings.Fields(field("seats"))}
	if ms, err := strconv.ParseInt(field("deadline"), 10, 64); err == nil {
		change.Deadline = time.UnixMilli(ms).UTC()
	}
	return change
}

func validChangeID(id string) bool {
	first, second, found := strings.Cut(id, "-")
	_, err1 := strconv.ParseUint(first, 10, 64)
	_, err2 := strconv.ParseUint(second, 10, 64)
	return found && err1 == nil && err2 == nil
}
