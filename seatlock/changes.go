package seatlock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// NoChange is the ID before that of every Change.
const NoChange = "0-0"

// changesKept is how many transitions of an event can be read again, at least:
// lua/event.lua trims the stream to about as many.
const changesKept = 10_000

// ErrTrimmed means that changes since the one that was named are not kept any more.
var ErrTrimmed = errors.New("seatlock: changes are gone")

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
	ID       string // of the stream entry; IDs grow
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

// Changes returns the changes of an event after the one with the ID after, oldest
// first. Where there is none yet it waits for wait, on a connection of its own, and
// may then return none; it does not wait where wait is 0.
//
// It fails with ErrInvalid where after is not an ID, or with ErrUnavailable. Where
// changes may have been missed meanwhile, ask Kept first.
func (l *Locker) Changes(ctx context.Context, event, after string, wait time.Duration) ([]Change, error) {
	if !ValidID(event) || !validChangeID(after) {
		return nil, fmt.Errorf("%w: event %q, change %q", ErrInvalid, event, after)
	}
	key := changesKey(event)
	if wait == 0 {
		wait = -1 // go-redis blocks for ever on 0
	}
	ctx, cancel := context.WithTimeout(ctx, max(0, wait)+l.opt.Timeout)
	defer cancel()
	streams, err := l.client.XRead(ctx, &redis.XReadArgs{Streams: []string{key, after}, Block: wait}).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("changes: %w: %w", ErrUnavailable, err)
	}
	var changes []Change
	for _, stream := range streams {
		for _, message := range stream.Messages {
			changes = append(changes, newChange(message))
		}
	}
	return changes, nil
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

// Kept reports whether the changes of an event after the one with the ID after are
// all kept still: nil, ErrTrimmed where some may be gone, ErrInvalid or
// ErrUnavailable.
func (l *Locker) Kept(ctx context.Context, event, after string) error {
	if !ValidID(event) || !validChangeID(after) {
		return fmt.Errorf("%w: event %q, change %q", ErrInvalid, event, after)
	}
	trimmed := false
	err := l.try(ctx, ErrUnavailable, func(deadline time.Time) error {
		count := redis.NewIntCmd(ctx, "xlen", changesKey(event))
		// A stream is trimmed only when it is longer than what is kept.
		if err := l.do(ctx, deadline, count); err != nil || count.Val() < changesKept {
			return err
		}
		oldest := redis.NewXMessageSliceCmd(ctx, "xrange", changesKey(event), "-", "+", "count", 1)
		err := l.do(ctx, deadline, oldest)
		trimmed = len(oldest.Val()) > 0 && CompareChanges(after, oldest.Val()[0].ID) < 0
		return err
	})
	if err != nil {
		return fmt.Errorf("changes: %w", err)
	}
	if trimmed {
		return ErrTrimmed
	}
	return nil
}

func newChange(message redis.XMessage) Change {
	field := func(name string) string { s, _ := message.Values[name].(string); return s }
	change := Change{ID: message.ID, Type: ChangeType(field("type")), SeatIDs: strings.Fields(field("seats"))}
	if ms, err := strconv.ParseInt(field("deadline"), 10, 64); err == nil {
		change.Deadline = time.UnixMilli(ms).UTC()
	}
	return change
}

// CompareChanges tells which of two valid IDs comes first, as strings.Compare does.
func CompareChanges(a, b string) int {
	aMS, aSeq := changeID(a)
	bMS, bSeq := changeID(b)
	return cmp.Or(cmp.Compare(aMS, bMS), cmp.Compare(aSeq, bSeq))
}

func changeID(id string) (ms, seq uint64) {
	first, second, _ := strings.Cut(id, "-")
	ms, _ = strconv.ParseUint(first, 10, 64)
	seq, _ = strconv.ParseUint(second, 10, 64)
	return ms, seq
}

func validChangeID(id string) bool {
	first, second, found := strings.Cut(id, "-")
	_, err1 := strconv.ParseUint(first, 10, 64)
	_, err2 := strconv.ParseUint(second, 10, 64)
	return found && err1 == nil && err2 == nil
}
