package seatlock

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// holdingsPage is how many seats a command of Holdings reads at most. Redis takes about a tenth of
// a millisecond for one.
const holdingsPage = 500

// Holding is a seat that is held or sold, with its user.
type Holding struct {
	Seat   // Reserved or Sold
	User   string
	Order  string    // of a sale; may be empty
	SoldAt time.Time // UTC, by the clock of Redis; zero if it is held, or if an earlier version sold it
}

// Holdings returns those of seats that are held or sold, in their order. The seats are read in
// pages, at different times. It fails with ErrInvalid or ErrUnavailable.
func (l *Locker) Holdings(ctx context.Context, event string, seats []string) ([]Holding, error) {
	if !ValidID(event) {
		return nil, fmt.Errorf("%w: event %q", ErrInvalid, event)
	}
	var holdings []Holding
	for page := range slices.Chunk(seats, holdingsPage) {
		for _, seat := range page {
			if !ValidID(seat) {
				return nil, fmt.Errorf("%w: seat %q", ErrInvalid, seat)
			}
		}
		values, now, err := l.values(ctx, event, page)
		if err != nil {
			return nil, fmt.Errorf("holdings: %w", err)
		}
		for i, value := range values {
			text, ok := value.(string)
			if !ok {
				continue
			}
			holding, deadline := parseValue(text)
			holding.ID, holding.Status = page[i], Sold
			if deadline != 0 {
				holding.Status, holding.ExpiresIn = Reserved, max(0, time.UnixMilli(deadline).Sub(now))
			}
			holdings = append(holdings, holding)
		}
	}
	return holdings, nil
}

// values returns the values of the seats' keys, nil for those that are free, and the time of Redis.
func (l *Locker) values(ctx context.Context, event string, seats []string) ([]any, time.Time, error) {
	args := []any{"mget"}
	for _, key := range seatKeys(event, seats) {
		args = append(args, key)
	}
	var values []any
	var now time.Time
	err := l.withRetries(ctx, ErrUnavailable, func(deadline time.Time) error {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		get, clock := redis.NewSliceCmd(ctx, args...), redis.NewTimeCmd(ctx, "time")
		calls := []*call{{cmd: get}, {cmd: clock}}
		l.send(ctx, batchKey{event: event, alone: true}, calls)
		for _, c := range calls {
			if c.err != nil {
				return c.err
			}
		}
		values, now = get.Val(), clock.Val()
		if len(values) != len(seats) {
			return fmt.Errorf("%w: %d values of %d seats", errReply, len(values), len(seats))
		}
		return nil
	})
	return values, now, err
}

// parseValue parses the value of a seat's key, see lua/event.lua. deadline is that of a hold, ms
// since the epoch; 0 if the seat is sold.
func parseValue(value string) (holding Holding, deadline int64) {
	kind, rest, _ := strings.Cut(value, ":")
	if kind == "held" {
		parts := strings.SplitN(rest, ":", 3) // deadline, latest deadline, user
		deadline, _ = strconv.ParseInt(parts[0], 10, 64)
		return Holding{User: parts[len(parts)-1]}, deadline
	}
	sale, user, found := strings.Cut(rest, " ")
	if !found {
		return Holding{User: rest}, 0
	}
	at, order, _ := strings.Cut(sale, ":")
	ms, _ := strconv.ParseInt(at, 10, 64)
	return Holding{User: user, Order: order, SoldAt: timeOf(ms)}, 0
}
