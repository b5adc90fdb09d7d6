package seatlock

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// putAttempts limits how often PutEvent checks a new plan, because seats change meanwhile.
	putAttempts = 200
	// maxDropped limits the seats of a ConflictError of ErrPlanDropsSeats.
	maxDropped = 100
	// scanPage is how many keys a page of DeleteEvent has, more or less.
	scanPage = 1000
)

// Settings of an event. A zero field means that Options decide.
type Settings struct {
	OnSale, OffSale       time.Time // new holds begin within this window only, by the clock of Redis
	HoldTime, MaxHoldTime time.Duration
	MaxSeatsPerUser       *int // 0: no limit
}

// String returns the settings as lua/event.lua reads them, without the versions.
func (s Settings) String() string {
	ms := func(n int64, isSet bool) string {
		if !isSet {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	limit := ""
	if s.MaxSeatsPerUser != nil {
		limit = strconv.Itoa(*s.MaxSeatsPerUser)
	}
	return strings.Join([]string{
		ms(s.OnSale.UnixMilli(), !s.OnSale.IsZero()), ms(s.OffSale.UnixMilli(), !s.OffSale.IsZero()),
		ms(s.HoldTime.Milliseconds(), s.HoldTime != 0), ms(s.MaxHoldTime.Milliseconds(), s.MaxHoldTime != 0), limit,
	}, ":")
}

func (s Settings) validate() error {
	if !s.OnSale.IsZero() && s.OnSale.UnixMilli() < 1 || !s.OffSale.IsZero() && s.OffSale.UnixMilli() < 1 {
		return fmt.Errorf("%w: a sale window before 1970", ErrInvalid)
	}
	if s.HoldTime < 0 || s.MaxHoldTime < 0 || s.HoldTime > 0 && s.MaxHoldTime > 0 && s.MaxHoldTime < s.HoldTime {
		return fmt.Errorf("%w: hold time %v, longest %v", ErrInvalid, s.HoldTime, s.MaxHoldTime)
	}
	if s.MaxSeatsPerUser != nil && *s.MaxSeatsPerUser < 0 {
		return fmt.Errorf("%w: limit %d", ErrInvalid, *s.MaxSeatsPerUser)
	}
	return nil
}

// Event is an event that has settings.
type Event struct {
	Version     int64  // greater after each PutEvent
	PlanVersion int64  // the Version with which the plan changed last
	Document    []byte // what the caller of PutEvent keeps of the event
	Blocked     int    // how many seats are blocked
	settings    string // as Settings.String returns them
}

// Put is what PutEvent writes.
type Put struct {
	Settings
	Document []byte // returned by Event
	Plan     []byte // returned by Plan; empty if the event has none

	// HasSeat reports whether the plan has a seat. Nil: it has every seat.
	HasSeat func(seat string) bool

	// Version is the version that the event must have, 0 if it must not exist. Nil accepts any.
	Version *int64
}

// PutEvent writes the settings and the plan of an event, and creates it if it has none. Each
// call that Redis runs afterwards, of any process, obeys them. It reports whether the event is
// new.
//
// It fails with a ConflictError of ErrPlanDropsSeats if a seat is held, sold or blocked that
// the plan does not have; with ErrVersion; or with ErrInvalid, ErrUnknownEvent (while the event
// is being deleted), ErrUnavailable or ErrOutcomeUnknown.
func (l *Locker) PutEvent(ctx context.Context, event string, put Put) (e Event, isNew bool, err error) {
	if err := put.validate(); err != nil {
		return Event{}, false, err
	}
	view, err := l.NewView(event)
	if err != nil {
		return Event{}, false, err
	}
	for range putAttempts {
		old, newPlan, err := l.readForPut(ctx, event, put.Plan)
		if err != nil {
			return Event{}, false, fmt.Errorf("put: %w", err)
		}
		if put.Version != nil && *put.Version != old.Version {
			return Event{}, false, fmt.Errorf("put: %w", ErrVersion)
		}
		position := ""
		if newPlan && put.HasSeat != nil {
			if err := requireSeats(ctx, view, put.HasSeat); err != nil {
				return Event{}, false, fmt.Errorf("put: %w", err)
			}
			position = view.Position()
		}
		reply, sent, err := l.put(ctx, event, put, old.Version, newPlan, position)
		switch {
		case err != nil:
			return Event{}, false, fmt.Errorf("put: %w", err)
		case reply[0] == replyDone:
			e = Event{Version: reply[2], PlanVersion: reply[3], Document: put.Document, Blocked: int(reply[4]), settings: put.Settings.String()}
		case reply[0] == replyWrongVersion && sent > 1: // perhaps an earlier attempt wrote it
			if e, newPlan, err = l.readForPut(ctx, event, put.Plan); err != nil {
				return Event{}, false, fmt.Errorf("put: %w", err)
			}
			if newPlan || e.settings != put.Settings.String() || !bytes.Equal(e.Document, put.Document) {
				continue
			}
		default:
			continue
		}
		if err := l.listEvent(ctx, event, true); err != nil {
			return Event{}, false, fmt.Errorf("put: %w", err)
		}
		return e, old.Version == 0, nil
	}
	return Event{}, false, fmt.Errorf("put: %w: the event changed at each of %d attempts", ErrUnavailable, putAttempts)
}

// readForPut returns the event, zero if it does not exist, and whether plan is not its plan.
func (l *Locker) readForPut(ctx context.Context, event string, plan []byte) (e Event, newPlan bool, err error) {
	e, err = l.Event(ctx, event)
	if errors.Is(err, ErrUnknownEvent) {
		return Event{}, true, nil // or it is being deleted: then the script refuses
	}
	if err != nil {
		return Event{}, false, err
	}
	version, present, err := l.Plan(ctx, event)
	return e, version != e.PlanVersion || !bytes.Equal(present, plan), err
}

// requireSeats returns a ConflictError unless hasSeat has all seats of a view.
func requireSeats(ctx context.Context, view *View, hasSeat func(string) bool) error {
	for more := true; more; {
		update, err := view.Refresh(ctx)
		if err != nil {
			return err
		}
		more = update.More
	}
	var dropped []Seat
	for seat := range view.Seats() {
		if !hasSeat(seat.ID) && len(dropped) < maxDropped {
			dropped = append(dropped, seat)
		}
	}
	if len(dropped) > 0 {
		return &ConflictError{Err: ErrPlanDropsSeats, Seats: dropped}
	}
	return nil
}

// put runs lua/put.lua, which replaces only the version old. It also returns how often the
// script was sent.
func (l *Locker) put(ctx context.Context, event string, put Put, old int64, newPlan bool, position string) (reply []int64, sent int, err error) {
	isNewPlan := 0
	if newPlan {
		isNewPlan = 1
	}
	err = l.withRetries(ctx, ErrOutcomeUnknown, func(deadline time.Time) error {
		sent++
		args := append(l.scriptArgs(""), old, position, put.Settings.String(), put.Document, isNewPlan, put.Plan)
		keys := append(eventKeys(event), eventKey(event), planKey(event))
		cmd := redis.NewIntSliceCmd(ctx, putScript.command(keys, args...)...)
		err := l.runScript(ctx, deadline, event, putScript, cmd)
		reply = cmd.Val()
		if err == nil && (len(reply) < 2 || reply[0] == replyDone && len(reply) != 5) {
			err = fmt.Errorf("%w: %v", errReply, reply)
		}
		return err
	})
	return reply, sent, err
}

// listEvent adds an event to the list that Events reads, or removes it.
func (l *Locker) listEvent(ctx context.Context, event string, add bool) error {
	op := 0
	if add {
		op = 1
	}
	return l.withRetries(ctx, ErrOutcomeUnknown, func(deadline time.Time) error {
		cmd := redis.NewIntSliceCmd(ctx, listScript.command([]string{eventsKey}, event, notAfterUnset, op)...)
		return l.runScript(ctx, deadline, "", listScript, cmd)
	})
}

// Event returns an event that has settings. It fails with ErrUnknownEvent, ErrInvalid or
// ErrUnavailable.
func (l *Locker) Event(ctx context.Context, event string) (Event, error) {
	if !ValidID(event) {
		return Event{}, fmt.Errorf("%w: event %q", ErrInvalid, event)
	}
	var e Event
	err := l.withRetries(ctx, ErrUnavailable, func(deadline time.Time) error {
		cmd := redis.NewSliceCmd(ctx, "hmget", eventKey(event), "settings", "blocked", "document")
		if err := l.run(ctx, deadline, cmd); err != nil {
			return err
		}
		state, err := parseEvent(cmd.Val())
		if err != nil {
			return err
		}
		if state.version == 0 {
			return ErrUnknownEvent
		}
		document, _ := cmd.Val()[2].(string)
		e = Event{Version: state.version, PlanVersion: state.planVersion, Document: []byte(document), Blocked: int(state.blocked), settings: state.settings}
		return nil
	})
	if err != nil {
		return Event{}, fmt.Errorf("event: %w", err)
	}
	return e, nil
}

// Plan returns the plan of an event and its version; no plan if the event has none. It fails
// as Event does.
func (l *Locker) Plan(ctx context.Context, event string) (version int64, plan []byte, err error) {
	e, err := l.Event(ctx, event)
	if err != nil {
		return 0, nil, err
	}
	err = l.withRetries(ctx, ErrUnavailable, func(deadline time.Time) error {
		cmd := redis.NewSliceCmd(ctx, "mget", planKey(event))
		if err := l.run(ctx, deadline, cmd); err != nil {
			return err
		}
		text, there := cmd.Val()[0].(string)
		if !there {
			version, plan = e.PlanVersion, nil
			return nil
		}
		number, rest, _ := strings.Cut(text, ":")
		version, err = strconv.ParseInt(number, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: plan of %s", errReply, event)
		}
		plan = []byte(rest)
		return nil
	})
	if err != nil {
		return 0, nil, fmt.Errorf("plan: %w", err)
	}
	return version, plan, nil
}

// Events returns the events that have settings, in the order of their IDs, after one of them,
// limit at most. It fails with ErrInvalid or ErrUnavailable.
func (l *Locker) Events(ctx context.Context, after string, limit int) ([]string, error) {
	if after != "" && !ValidID(after) || limit < 1 {
		return nil, fmt.Errorf("%w: event %q, limit %d", ErrInvalid, after, limit)
	}
	from := "-"
	if after != "" {
		from = "(" + after
	}
	var events []string
	err := l.withRetries(ctx, ErrUnavailable, func(deadline time.Time) error {
		cmd := redis.NewStringSliceCmd(ctx, "zrange", eventsKey, from, "+", "bylex", "limit", 0, limit)
		err := l.run(ctx, deadline, cmd)
		events = cmd.Val()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("events: %w", err)
	}
	return events, nil
}

// DeleteEvent deletes an event and all keys of it. From its first step on, each call for the
// event fails with ErrUnknownEvent. If DeleteEvent fails later, repeat it: it goes on.
//
// It fails with ErrHasHolds if a seat is held; with ErrHasSales if one is sold, unless
// discardSales; with ErrUnknownEvent, ErrInvalid, ErrUnavailable or ErrOutcomeUnknown.
func (l *Locker) DeleteEvent(ctx context.Context, event string, discardSales bool) error {
	if !ValidID(event) {
		return fmt.Errorf("%w: event %q", ErrInvalid, event)
	}
	discard := 0
	if discardSales {
		discard = 1
	}
	var reply []int64
	err := l.withRetries(ctx, ErrOutcomeUnknown, func(deadline time.Time) error {
		cmd := redis.NewIntSliceCmd(ctx, deleteScript.command(append(eventKeys(event), eventKey(event)), append(l.scriptArgs(""), discard)...)...)
		err := l.runScript(ctx, deadline, event, deleteScript, cmd)
		reply = cmd.Val()
		if err == nil && (len(reply) < 2 || reply[0] == replyOther && len(reply) != 4) {
			err = fmt.Errorf("%w: %v", errReply, reply)
		}
		return err
	})
	switch {
	case errors.Is(err, ErrUnknownEvent): // an earlier call has begun
	case err != nil:
		return fmt.Errorf("delete: %w", err)
	case reply[0] == replyWrongVersion:
		return fmt.Errorf("delete: %w", ErrUnknownEvent)
	case reply[0] == replyOther && reply[2] > 0:
		return fmt.Errorf("delete: %w: %d", ErrHasHolds, reply[2])
	case reply[0] == replyOther:
		return fmt.Errorf("delete: %w: %d", ErrHasSales, reply[3])
	}
	if err := l.deleteKeys(ctx, event); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	return nil
}

// deleteKeys deletes all keys of an event, that of its settings last: it keeps others out. It
// stops if another call has deleted the event meanwhile, because the event may exist again.
func (l *Locker) deleteKeys(ctx context.Context, event string) error {
	for found := true; found; {
		found = false
		for cursor := uint64(0); ; {
			keys, next, err := l.scanKeys(ctx, event, cursor)
			if err != nil {
				return err
			}
			for part := range slices.Chunk(keys, scanPage) {
				found = true
				if deleting, err := l.unlink(ctx, event, part...); err != nil || !deleting {
					return err
				}
			}
			if cursor = next; cursor == 0 {
				break
			}
		}
	}
	if deleting, err := l.unlink(ctx, event); err != nil || !deleting {
		return err
	}
	if err := l.listEvent(ctx, event, false); err != nil {
		return err
	}
	_, err := l.unlink(ctx, event, eventKey(event))
	return err
}

// scanKeys reads a page of the keys of an event, without that of its settings.
func (l *Locker) scanKeys(ctx context.Context, event string, cursor uint64) (keys []string, next uint64, err error) {
	err = l.withRetries(ctx, ErrUnavailable, func(deadline time.Time) error {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		n, err := l.nodeOf(ctx, event)
		if err != nil {
			return err
		}
		cmd, pipe := redis.NewScanCmd(ctx, nil, "scan", cursor, "match", "*:{"+event+"}*", "count", scanPage), n.client.Pipeline()
		_ = pipe.Process(ctx, cmd) // only queues it
		if err := exec(ctx, pipe); err != nil {
			return err
		}
		keys, next = cmd.Val()
		return nil
	})
	return slices.DeleteFunc(keys, func(key string) bool {
		_, rest, _ := strings.Cut(key, ":") // of another event, a user may have the pattern
		return key == eventKey(event) || !strings.HasPrefix(rest, "{"+event+"}")
	}), next, err
}

// unlink runs lua/unlink.lua. It reports whether the event is being deleted.
func (l *Locker) unlink(ctx context.Context, event string, keys ...string) (deleting bool, err error) {
	keys = append([]string{eventKey(event)}, keys...)
	err = l.withRetries(ctx, ErrOutcomeUnknown, func(deadline time.Time) error {
		cmd := redis.NewIntSliceCmd(ctx, unlinkScript.command(keys, "", notAfterUnset)...)
		err := l.runScript(ctx, deadline, event, unlinkScript, cmd)
		deleting = err == nil && cmd.Val()[0] == replyDone
		return err
	})
	return deleting, err
}

// eventState is what the hash event:{event} says.
type eventState struct {
	version, planVersion int64 // 0 if the event has no settings
	holdTime             int64 // ms; 0 if Options decide
	blocked              int64 // how many seats are blocked
	settings             string
}

// parseEvent reads the fields settings and blocked. It returns ErrUnknownEvent while the event
// is being deleted.
func parseEvent(values []any) (eventState, error) {
	var e eventState
	if len(values) < 2 {
		return e, fmt.Errorf("%w: %d fields of an event", errReply, len(values))
	}
	if blocked, ok := values[1].(string); ok {
		e.blocked, _ = strconv.ParseInt(blocked, 10, 64)
	}
	settings, ok := values[0].(string)
	if !ok {
		return e, nil
	}
	fields := strings.Split(settings, ":")
	if len(fields) != 7 {
		return e, ErrUnknownEvent
	}
	e.version, _ = strconv.ParseInt(fields[0], 10, 64)
	e.planVersion, _ = strconv.ParseInt(fields[1], 10, 64)
	e.holdTime, _ = strconv.ParseInt(fields[4], 10, 64)
	e.settings = strings.Join(fields[2:], ":")
	return e, nil
}

// holdTime returns the hold time of an event, ms.
func (l *Locker) holdTime(e eventState) int64 {
	if e.holdTime > 0 {
		return e.holdTime
	}
	return l.opt.HoldTime.Milliseconds()
}

// Counts are the numbers of an event's seats. A hold that ended a moment ago may still count.
type Counts struct {
	Held, Sold, Blocked int
}

// Counts returns the numbers of each event, in order. It fails with ErrInvalid or
// ErrUnavailable.
func (l *Locker) Counts(ctx context.Context, events []string) ([]Counts, error) {
	for _, event := range events {
		if !ValidID(event) {
			return nil, fmt.Errorf("%w: event %q", ErrInvalid, event)
		}
	}
	counts := make([]Counts, len(events))
	err := l.withRetries(ctx, ErrUnavailable, func(deadline time.Time) error {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		pipe := l.client.Pipeline()
		replies := make([]*redis.IntCmd, 0, 3*len(events))
		for _, event := range events {
			for _, args := range [][]any{{"zcard", seatsKey(event)}, {"zcount", seatsKey(event), "+inf", "+inf"}, {"hlen", blockedKey(event)}} {
				cmd := redis.NewIntCmd(ctx, args...)
				replies = append(replies, cmd)
				_ = pipe.Process(ctx, cmd) // only queues it
			}
		}
		if err := exec(ctx, pipe); err != nil {
			return err
		}
		for i := range counts {
			all, sold, blocked := replies[3*i].Val(), replies[3*i+1].Val(), replies[3*i+2].Val()
			counts[i] = Counts{Held: int(all - sold), Sold: int(sold), Blocked: int(blocked)}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("counts: %w", err)
	}
	return counts, nil
}
