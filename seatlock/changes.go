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

// NoChange is the position before the first change of an event.
const NoChange = "0-0"

// minStreamLength is how many changes of an event Redis keeps at least: lua/event.lua trims
// the stream to about as many, or to more if a Relay sends them.
const minStreamLength = 10_000

// ErrReset means that the changes after a position can't be read. Some of them were trimmed,
// or Redis does not have the position: it lost its data, another server took its place, or
// the changes of an abandoned event ended. Load the seat map and continue from its Change.
var ErrReset = errors.New("seatlock: position of changes lost")

// ChangeType is what a change did to its seats.
type ChangeType string

// The types of changes. An expired hold ended by its deadline. A returned sale has
// ended. An exchanged sale has moved to other seats. Blocked seats are kept for a channel; the change also follows the end of a hold or a sale
// of such seats.
const (
	ChangeHeld     ChangeType = "held"
	ChangeExtended ChangeType = "extended"
	ChangeReleased ChangeType = "released"
	ChangeExpired  ChangeType = "expired"
	ChangeSold     ChangeType = "sold"

	ChangeReturned  ChangeType = "returned"
	ChangeExchanged ChangeType = "exchanged"
	ChangeBlocked   ChangeType = "blocked"
	ChangeUnblocked ChangeType = "unblocked"
)

// Change is one entry of an event's stream: what happened to one or more of its seats.
type Change struct {
	ID        string // of the stream entry: later changes have greater IDs, compared as numbers
	Type      ChangeType
	SeatIDs   []string
	ToSeatIDs []string  // exchanged: where the sales are now
	Deadline  time.Time // of the holds, UTC, by the clock of Redis; zero unless held or extended

	users   string // of SeatIDs, see lua/event.lua; may be empty
	order   string
	channel string
}

// Changes returns the changes of an event after a position, oldest first, limit at most. The
// position is the ID of a change, or NoChange. It
// fails with ErrReset, ErrInvalid or ErrUnavailable.
func (l *Locker) Changes(ctx context.Context, event, after string, limit int) ([]Change, error) {
	if !ValidID(event) || limit < 1 {
		return nil, fmt.Errorf("%w: event %q, limit %d", ErrInvalid, event, limit)
	}
	if !ValidChangeID(after) {
		return nil, fmt.Errorf("%w: no change has the ID %q", ErrReset, after)
	}
	var changes []Change
	err := l.withRetries(ctx, ErrUnavailable, func(deadline time.Time) (err error) {
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

// changesAfter returns nil if the change with the ID after is no longer in the stream. One
// command reads that change and those after it. Redis trims the oldest first, so none
// between them is missing.
func (l *Locker) changesAfter(ctx context.Context, deadline time.Time, event, after string, limit int) ([]Change, error) {
	found := redis.NewXMessageSliceCmd(ctx, "xrange", changesKey(event), after, "+", "count", limit+1)
	if err := l.run(ctx, deadline, found); err != nil {
		return nil, err
	}
	if len(found.Val()) == 0 || found.Val()[0].ID != after {
		return nil, nil
	}
	return newChanges(found.Val()[1:]), nil
}

// firstChanges returns nil if changes may have been trimmed. The ID of an event's first change
// has the same time twice, so if that was read, none is missing. Otherwise the length decides,
// read later: then a later trim does not matter.
func (l *Locker) firstChanges(ctx context.Context, deadline time.Time, event string, limit int) ([]Change, error) {
	found := redis.NewXMessageSliceCmd(ctx, "xrange", changesKey(event), "-", "+", "count", limit)
	if err := l.run(ctx, deadline, found); err != nil {
		return nil, err
	}
	if changes := newChanges(found.Val()); len(changes) > 0 && changes[0].isFirst() {
		return changes, nil
	}
	count := redis.NewIntCmd(ctx, "xlen", changesKey(event))
	if err := l.run(ctx, deadline, count); err != nil {
		return nil, err
	}
	if count.Val() >= minStreamLength { // a shorter stream was never trimmed
		return nil, nil
	}
	return newChanges(found.Val()), nil
}

// isFirst reports whether the change is the first one of its event.
func (c Change) isFirst() bool {
	epoch, offset, _ := strings.Cut(c.ID, "-")
	return epoch == offset
}

// newChanges returns the changes of stream entries, never nil.
func newChanges(messages []redis.XMessage) []Change {
	changes := make([]Change, len(messages))
	for i, message := range messages {
		changes[i] = newChange(message)
	}
	return changes
}

func newChange(message redis.XMessage) Change {
	field := func(name string) string { s, _ := message.Values[name].(string); return s }
	change := Change{ID: message.ID, Type: ChangeType(field("type")), SeatIDs: strings.Fields(field("seats")),
		users: field("users"), order: field("order"), channel: field("channel")}
	if to := field("to"); to != "" {
		change.ToSeatIDs = strings.Fields(to)
	}
	if ms, err := strconv.ParseInt(field("deadline"), 10, 64); err == nil {
		change.Deadline = time.UnixMilli(ms).UTC()
	}
	return change
}

// ValidChangeID reports whether id has the form of the ID of a Change or of an Entry.
func ValidChangeID(id string) bool {
	first, second, found := strings.Cut(id, "-")
	_, err1 := strconv.ParseUint(first, 10, 64)
	_, err2 := strconv.ParseUint(second, 10, 64)
	return found && err1 == nil && err2 == nil
}
