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

// SeatMap is every seat of an event that is not Available, at one moment.
type SeatMap struct {
	At     time.Time // by Redis' clock
	Change string    // the ID of the last Change that it includes; NoChange before the first
	Seats  []Seat    // by ID
}

// Map returns the seats of an event that are held or sold. It is one command at
// Redis, which takes time with their number. Its errors are ErrInvalid and
// ErrUnavailable.
func (l *Locker) Map(ctx context.Context, event string) (SeatMap, error) {
	if !ValidID(event) {
		return SeatMap{}, fmt.Errorf("%w: event %q", ErrInvalid, event)
	}
	var found SeatMap
	err := l.try(ctx, ErrUnavailable, func(deadline time.Time) error {
		cmd := redis.NewSliceCmd(ctx, mapScript.command(eventKeys(event), 0, notAfterUnset, rand.Int32())...)
		if err := l.eval(ctx, deadline, event, mapScript, cmd); err != nil {
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

// parseMap reads the reply of lua/map.lua.
func (l *Locker) parseMap(reply []any) (SeatMap, error) {
	if len(reply) != 3 {
		return SeatMap{}, fmt.Errorf("%w of %d", errReply, len(reply))
	}
	now, isTime := reply[0].(int64)
	change, isID := reply[1].(string)
	scored, isList := reply[2].([]any)
	if !isTime || !isID || !isList || len(scored)%2 != 0 {
		return SeatMap{}, fmt.Errorf("%w of %T, %T, %T", errReply, reply[0], reply[1], reply[2])
	}
	found := SeatMap{At: time.UnixMilli(now).UTC(), Change: change, Seats: make([]Seat, 0, len(scored)/2)}
	for pair := range slices.Chunk(scored, 2) {
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
		found.Seats = append(found.Seats, Seat{ID: id, Status: Reserved, ExpiresIn: l.left(deadline - now)})
	}
	slices.SortFunc(found.Seats, func(a, b Seat) int { return strings.Compare(a.ID, b.ID) })
	return found, nil
}
