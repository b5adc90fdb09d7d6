package seatlock

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// SeatMap is a snapshot of the seats of an event that are not Available.
type SeatMap struct {
	At     time.Time // of the snapshot: UTC, by the clock of Redis
	Change string    // the ID of the last Change in the snapshot; NoChange if there is none
	Seats  []Seat    // in the order of their IDs
}

// Map returns the seats of an event that are held or sold. It is one script, which takes
// Redis longer the more there are. It fails with ErrInvalid or ErrUnavailable.
func (l *Locker) Map(ctx context.Context, event string) (SeatMap, error) {
	if !ValidID(event) {
		return SeatMap{}, fmt.Errorf("%w: event %q", ErrInvalid, event)
	}
	var found SeatMap
	err := l.withRetries(ctx, ErrUnavailable, func(deadline time.Time) error {
		cmd := redis.NewSliceCmd(ctx, mapScript.command(eventKeys(event), 0, notAfterUnset, rand.Int32())...)
		if err := l.runScript(ctx, deadline, event, mapScript, cmd); err != nil {
			return err
		}
		var err error
		found, err = l.parseMap(cmd.Val())
		return err
	})
	if err != nil {
		return SeatMap{}, fmt.Errorf("map: %w", err)
	}
	return found, nil
}

// parseMap returns the SeatMap of a reply of lua/map.lua.
func (l *Locker) parseMap(reply []any) (SeatMap, error) {
	if len(reply) != 3 {
		return SeatMap{}, fmt.Errorf("%w: %d values", errReply, len(reply))
	}
	now, isTime := reply[0].(int64)
	change, isID := reply[1].(string)
	pairs, isList := reply[2].([]any)
	if !isTime || !isID || !isList || len(pairs)%2 != 0 {
		return SeatMap{}, fmt.Errorf("%w: %T, %T, %T", errReply, reply[0], reply[1], reply[2])
	}
	found := SeatMap{At: time.UnixMilli(now).UTC(), Change: change, Seats: make([]Seat, 0, len(pairs)/2)}
	for pair := range slices.Chunk(pairs, 2) {
		id, _ := pair[0].(string)
		score, _ := pair[1].(string)
		if score == "inf" {
			found.Seats = append(found.Seats, Seat{ID: id, Status: Sold})
			continue
		}
		deadline, err := strconv.ParseInt(score, 10, 64)
		if err != nil {
			return SeatMap{}, fmt.Errorf("%w: deadline of %s: %w", errReply, id, err)
		}
		found.Seats = append(found.Seats, Seat{ID: id, Status: Reserved, ExpiresIn: l.remaining(deadline - now)})
	}
	slices.SortFunc(found.Seats, func(a, b Seat) int { return strings.Compare(a.ID, b.ID) })
	return found, nil
}
