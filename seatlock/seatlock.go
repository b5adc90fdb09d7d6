package seatlock

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Client is what a Locker needs of go-redis. *redis.Client (a single server or
// Sentinel), *redis.ClusterClient and redis.UniversalClient have it.
//
// Turn its own retries off (redis.Options.MaxRetries: -1): a Locker repeats what
// failed on the way and keeps count of what may have run. It works with a client
// that retries, and with Redis Cluster, whose client always does, but then an
// outage is always ErrOutcomeUnknown, because a dial error may hide an attempt
// that came through.
type Client interface {
	AsyncAutoPipeline() (*redis.AutoPipeliner, error)
	Info(ctx context.Context, sections ...string) *redis.StringCmd
}

// Options of a Locker; the zero value is ready for use.
type Options struct {
	HoldTime    time.Duration // how long Reserve keeps a seat; 5 minutes where 0
	MaxHoldTime time.Duration // how long it may be kept with all extensions; 15 minutes where 0
	Timeout     time.Duration // how long a call waits for Redis; 2 seconds where 0
}

// Locker reserves and sells seats. It is safe for use by any number of
// goroutines; those that call at the same time share round trips.
type Locker struct {
	client        Client
	pipe          *redis.AutoPipeliner
	clientRetries bool
	opt           Options
}

// New returns a Locker over client, which stays the caller's to close.
func New(client Client, opt Options) (*Locker, error) {
	pipe, err := client.AsyncAutoPipeline()
	if err != nil {
		return nil, fmt.Errorf("seatlock: automatic pipelining: %w", err)
	}
	if opt.HoldTime == 0 {
		opt.HoldTime = 5 * time.Minute
	}
	if opt.MaxHoldTime == 0 {
		opt.MaxHoldTime = 15 * time.Minute
	}
	if opt.Timeout == 0 {
		opt.Timeout = 2 * time.Second
	}
	if opt.HoldTime < time.Millisecond || opt.MaxHoldTime < opt.HoldTime || opt.Timeout < 0 {
		return nil, fmt.Errorf("%w: %+v: want 1ms <= HoldTime <= MaxHoldTime and 0 < Timeout", ErrInvalid, opt)
	}
	return &Locker{client: client, pipe: pipe, clientRetries: clientRetries(client), opt: opt}, nil
}

func clientRetries(client Client) bool {
	single, ok := client.(interface{ Options() *redis.Options })
	return !ok || single.Options().MaxRetries > 0
}

// Hold is a reservation of one or more seats.
type Hold struct {
	Deadline  time.Time     // when the first of its seats becomes free again, UTC, by Redis' clock
	ExpiresIn time.Duration // from Redis' now to Deadline
}

// Reserve holds all of the seats for the user, or none. Seats that the user
// holds already stay held until the deadline that they had.
//
// It fails with a ConflictError of ErrTaken, naming the seats that are held by
// others or sold, or with ErrInvalid, ErrUnavailable or ErrOutcomeUnknown.
func (l *Locker) Reserve(ctx context.Context, event string, seats []string, user string) (Hold, error) {
	keys, err := seatKeys(event, seats, user)
	if err != nil {
		return Hold{}, err
	}
	reply, err := l.run(ctx, reserveScript, keys, user, l.opt.HoldTime.Milliseconds(), l.opt.MaxHoldTime.Milliseconds())
	if err != nil {
		return Hold{}, fmt.Errorf("reserve: %w", err)
	}
	switch {
	case len(reply) == 3 && reply[0] == replyDone:
		now, deadline := time.UnixMilli(reply[1]), time.UnixMilli(reply[2]).UTC()
		return Hold{Deadline: deadline, ExpiresIn: max(0, deadline.Sub(now))}, nil
	case len(reply) > 2 && reply[0] == replyRefused:
		return Hold{}, &ConflictError{Err: ErrTaken, Seats: refused(seats, reply)}
	}
	return Hold{}, fmt.Errorf("reserve: unexpected reply %v", reply)
}

// Buy sells all of the seats to the user, or none. Each must be held by the
// user, or sold to the user already.
//
// It fails with a ConflictError: of ErrHeldByOther where any of the seats is
// another user's, else of ErrHoldExpired; or with ErrInvalid, ErrUnavailable or
// ErrOutcomeUnknown.
func (l *Locker) Buy(ctx context.Context, event string, seats []string, user string) error {
	keys, err := seatKeys(event, seats, user)
	if err != nil {
		return err
	}
	reply, err := l.run(ctx, buyScript, keys, user)
	if err != nil {
		return fmt.Errorf("buy: %w", err)
	}
	switch {
	case len(reply) == 1 && reply[0] == replyDone:
		return nil
	case len(reply) > 2 && reply[0] == replyRefused:
		return notHeld(refused(seats, reply))
	}
	return fmt.Errorf("buy: unexpected reply %v", reply)
}

// Status returns the state of a seat; it never fails because nobody has heard
// of the seat. Its errors are ErrInvalid and ErrUnavailable.
func (l *Locker) Status(ctx context.Context, event, seat string) (Seat, error) {
	if !ValidID(event) || !ValidID(seat) {
		return Seat{}, fmt.Errorf("%w: event %q, seat %q", ErrInvalid, event, seat)
	}
	var pttl int64
	err := l.try(ctx, ErrUnavailable, func(ctx context.Context) error {
		cmd := redis.NewIntCmd(ctx, "pttl", seatKey(event, seat))
		err := l.pipe.Submit(ctx, cmd).WaitContext(ctx)
		if err == nil {
			pttl = cmd.Val()
		}
		return err
	})
	if err != nil {
		return Seat{}, fmt.Errorf("status: %w", err)
	}
	return newSeat(seat, pttl), nil
}

// Queued returns how many commands wait in this process for their round trip.
func (l *Locker) Queued() int { return l.pipe.Len() }

// Ping reports whether Redis answers: nil or ErrUnavailable.
func (l *Locker) Ping(ctx context.Context) error {
	err := l.try(ctx, ErrUnavailable, func(ctx context.Context) error {
		return l.pipe.Submit(ctx, redis.NewStatusCmd(ctx, "ping")).WaitContext(ctx)
	})
	if err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	return nil
}

// Check reports whether Redis answers and keeps what it is given: it fails with
// ErrUnavailable, or with ErrUnsafe and the setting to change. Every policy but
// noeviction frees seats when memory is full: allkeys-* sold ones, volatile-*
// held ones (https://redis.io/docs/latest/develop/reference/eviction/); a replica
// takes no writes. Check does not look at persistence.
func (l *Locker) Check(ctx context.Context) error {
	if err := l.Ping(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, l.opt.Timeout)
	defer cancel()
	inspect := func(ctx context.Context, server Client) error {
		info, err := server.Info(ctx, "memory", "replication").Result()
		if err != nil {
			return fmt.Errorf("%w: info: %w", ErrUnavailable, err)
		}
		if policy := infoField(info, "maxmemory_policy"); policy != "noeviction" {
			return fmt.Errorf("%w: maxmemory-policy is %q, set it to noeviction", ErrUnsafe, policy)
		}
		if role := infoField(info, "role"); role != "master" {
			return fmt.Errorf("%w: role is %q, give the address of the primary", ErrUnsafe, role)
		}
		return nil
	}
	if cluster, ok := l.client.(*redis.ClusterClient); ok {
		return cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
			return inspect(ctx, master)
		})
	}
	return inspect(ctx, l.client)
}

// refused lists the seats that a script's reply {0, i, ttl, ...} names.
func refused(seats []string, reply []int64) []Seat {
	found := make([]Seat, 0, len(reply)/2)
	for i := 1; i+1 < len(reply); i += 2 {
		found = append(found, newSeat(seats[reply[i]-1], reply[i+1]))
	}
	return found
}

// notHeld is the refusal of a call that needs the user's own hold.
func notHeld(seats []Seat) *ConflictError {
	for _, s := range seats {
		if s.Status != Available {
			return &ConflictError{Err: ErrHeldByOther, Seats: seats}
		}
	}
	return &ConflictError{Err: ErrHoldExpired, Seats: seats}
}

// infoField returns the value of a field of INFO, or "".
func infoField(info, field string) string {
	_, rest, _ := strings.Cut("\r\n"+info, "\r\n"+field+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}
