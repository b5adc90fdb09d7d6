package seatlock

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// refreshed is the reply of lua/refresh.lua.
type refreshed struct {
	at         time.Time
	last       string // the ID of the last change of the event
	size       int64
	lapsed     int64
	nextExpiry time.Duration
	blocked    int64    // how many seats are blocked
	holdTime   int64    // ms
	changes    []Change // nil if Redis does not have the position
}

// more reports whether there are changes after r.changes.
func (r refreshed) more() bool {
	return len(r.changes) > 0 && r.changes[len(r.changes)-1].ID != r.last
}

// refresh runs lua/refresh.lua.
func (l *Locker) refresh(ctx context.Context, event, position string, page int32) (refreshed, error) {
	var r refreshed
	err := l.withRetries(ctx, ErrUnavailable, func(deadline time.Time) error {
		cmd := redis.NewSliceCmd(ctx, refreshScript.command(eventKeys(event), append(l.scriptArgs(""), position, refreshLimit, page)...)...)
		err := l.runScript(ctx, deadline, event, refreshScript, cmd)
		if err == nil {
			r, err = parseRefreshed(cmd.Val())
		}
		return err
	})
	return r, err
}

func parseRefreshed(reply []any) (refreshed, error) {
	if len(reply) != 8 {
		return refreshed{}, fmt.Errorf("%w: %d values", errReply, len(reply))
	}
	var numbers [6]int64
	for i, place := range []int{0, 2, 3, 4, 5, 6} {
		n, ok := reply[place].(int64)
		if !ok {
			return refreshed{}, fmt.Errorf("%w: value %d is %T", errReply, place, reply[place])
		}
		numbers[i] = n
	}
	r := refreshed{at: time.UnixMilli(numbers[0]).UTC(), size: numbers[1], lapsed: numbers[2], nextExpiry: time.Duration(numbers[3]) * time.Millisecond,
		blocked: numbers[4], holdTime: numbers[5]}
	var ok bool
	if r.last, ok = reply[1].(string); !ok {
		return refreshed{}, fmt.Errorf("%w: last change is %T", errReply, reply[1])
	}
	if reply[7] == nil {
		return r, nil
	}
	entries, _ := reply[7].([]any)
	r.changes = make([]Change, len(entries))
	for i, e := range entries {
		change, err := parseEntry(e)
		if err != nil {
			return refreshed{}, err
		}
		r.changes[i] = change
	}
	return r, nil
}

// parseEntry returns the change of a stream entry in the reply of a script: its ID, and a list
// of names and values.
func parseEntry(entry any) (Change, error) {
	parts, _ := entry.([]any)
	if len(parts) != 2 {
		return Change{}, fmt.Errorf("%w: entry %v", errReply, entry)
	}
	id, _ := parts[0].(string)
	fields, _ := parts[1].([]any)
	values := make(map[string]any, len(fields)/2)
	for i := 0; i+1 < len(fields); i += 2 {
		if name, ok := fields[i].(string); ok {
			values[name] = fields[i+1]
		}
	}
	return newChange(redis.XMessage{ID: id, Values: values}), nil
}

// scanIndex returns the deadlines of an event's seats. A seat that is added or removed
// meanwhile may be missing.
func (l *Locker) scanIndex(ctx context.Context, event string, size int64) (map[string]int64, error) {
	deadlines := make(map[string]int64, size)
	err := l.scan(ctx, "zscan", seatsKey(event), func(id, score string) error {
		deadline, err := parseScore(score)
		if err != nil {
			return fmt.Errorf("%w: deadline of %s: %w", errReply, id, err)
		}
		deadlines[id] = deadline
		return nil
	})
	return deadlines, err
}

// scanBlocked returns the seats of an event that are blocked. A seat that is blocked or
// unblocked meanwhile may be missing.
func (l *Locker) scanBlocked(ctx context.Context, event string) (map[string]bool, error) {
	blocked := map[string]bool{}
	err := l.scan(ctx, "hscan", blockedKey(event), func(id, _ string) error {
		blocked[id] = true
		return nil
	})
	return blocked, err
}

// BlockedFor returns the seats of an event that are kept for a channel, in order; also those that
// are held or sold. It reads them in pages. It fails with ErrInvalid or ErrUnavailable.
func (l *Locker) BlockedFor(ctx context.Context, event, channel string) ([]string, error) {
	if !ValidID(event) {
		return nil, fmt.Errorf("%w: event %q", ErrInvalid, event)
	}
	var seats []string
	err := l.scan(ctx, "hscan", blockedKey(event), func(id, of string) error {
		if of == channel {
			seats = append(seats, id)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("blocked: %w", err)
	}
	slices.Sort(seats)
	return slices.Compact(seats), nil // a page may repeat a seat
}

// scan calls found for each pair of a sorted set or a hash. command is zscan or hscan.
func (l *Locker) scan(ctx context.Context, command, key string, found func(name, value string) error) error {
	for cursor := uint64(0); ; {
		var page []string
		err := l.withRetries(ctx, ErrUnavailable, func(deadline time.Time) error {
			cmd := redis.NewScanCmd(ctx, nil, command, key, cursor, "count", loadPage)
			err := l.run(ctx, deadline, cmd)
			if err == nil {
				page, cursor = cmd.Val()
			}
			return err
		})
		if err != nil {
			return err
		}
		for pair := range slices.Chunk(page, 2) {
			if err := found(pair[0], pair[1]); err != nil {
				return err
			}
		}
		if cursor == 0 {
			return nil
		}
	}
}

// parseScore returns the deadline of a seat from its score in the index.
func parseScore(score string) (int64, error) {
	if score == "inf" {
		return soldDeadline, nil
	}
	f, err := strconv.ParseFloat(score, 64)
	return int64(f), err
}
