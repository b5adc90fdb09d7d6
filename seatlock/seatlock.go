package seatlock

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"booking/seatlock/internal/batch"
)

// Client is what a Locker needs of go-redis. *redis.Client (a single server or
// Sentinel), *redis.ClusterClient and redis.UniversalClient have it.
//
// Turn its own retries off (redis.Options.MaxRetries: -1): a Locker repeats what
// failed on the way and keeps count of what may have run. It works with a client
// that retries, and with Redis Cluster, whose client always does, but then an
// outage is always ErrOutcomeUnknown, because a dial error may hide an attempt
// that came through.
//
// Turn its ContextTimeoutEnabled on: a Locker bounds its calls by contexts.
type Client interface {
	Pipeline() redis.Pipeliner
	XRead(ctx context.Context, a *redis.XReadArgs) *redis.XStreamSliceCmd
}

// Options of a Locker; the zero value is ready for use.
type Options struct {
	HoldTime    time.Duration // how long Reserve keeps a seat; 5 minutes where 0
	MaxHoldTime time.Duration // how long it may be kept with all extensions; 15 minutes where 0
	Timeout     time.Duration // how long a call waits for Redis; 2 seconds where 0

	// MaxSeatsPerUser is how many seats, held and sold, a user may have at an
	// event; any number where 0. Seats taken while it was 0 are not counted.
	MaxSeatsPerUser int

	// Durable demands a Redis that has a sale on disk before it answers: appendonly
	// with a complete file, appendfsync always, no-appendfsync-on-rewrite no, and a
	// user default that may run what the file holds. Otherwise Check fails with
	// ErrUnsafe, and Buy with ErrUnavailable before it has sold anything. Both look
	// at most a second later.
	Durable bool

	// SaleReplicas is how many replicas must have a sale before Buy succeeds; 0 is
	// none. If fewer are online, Check fails with ErrUnsafe, and Buy with
	// ErrUnavailable before it has sold anything. If they do not have the sale within
	// Timeout, Buy fails with ErrOutcomeUnknown, and repeating it waits for them again.
	SaleReplicas int

	// OnRound is told before each round trip how many calls share it; nobody is where
	// nil. It must not block.
	OnRound func(calls int)

	// OnClockJump is called with each jump of a Redis server's clock of a second or more,
	// negative if it went back: a failover to a server with another clock, for instance,
	// which ends holds early or late. May be nil. It must not block.
	OnClockJump func(by time.Duration)
}

// maxJump is how far a clock may move without being reported.
const maxJump = time.Second

// Locker reserves and sells seats. It is safe for use by any number of
// goroutines; those that call at the same time share round trips. A context that ends
// keeps a call from being sent; the answer to what is sent is waited for, until
// Options.Timeout at most.
type Locker struct {
	client        Client
	clientRetries bool
	opt           Options
	batcher       *batch.Batcher[batchKey, *call]
	single        *node    // unless client is a cluster's
	nodes         sync.Map // of a cluster: address → *known
}

// New returns a Locker over client, which stays the caller's to close.
func New(client Client, opt Options) (*Locker, error) {
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
	if !keepsDeadlines(client) {
		return nil, fmt.Errorf("%w: a client whose calls may outlast their contexts; set ContextTimeoutEnabled", ErrInvalid)
	}
	l := &Locker{client: client, clientRetries: clientRetries(client), opt: opt, single: &node{client: client, known: &known{}}}
	l.batcher = l.newBatcher()
	return l, nil
}

func clientRetries(client Client) bool {
	single, ok := client.(interface{ Options() *redis.Options })
	return !ok || single.Options().MaxRetries > 0
}

func keepsDeadlines(client Client) bool {
	switch c := client.(type) {
	case *redis.Client:
		return c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		return c.Options().ContextTimeoutEnabled
	}
	return true
}

// Hold is a reservation of one or more seats.
type Hold struct {
	Deadline  time.Time     // when the first of its seats becomes free again, UTC, by Redis' clock
	ExpiresIn time.Duration // from Redis' now to Deadline
}

// Reserve holds all of the seats for the user, or none. Seats that the user holds
// already stay held until the deadline that they had.
//
// It fails with a ConflictError of ErrTaken, naming the seats that are held by
// others or sold; with a LimitError; or with ErrInvalid, ErrUnavailable or
// ErrOutcomeUnknown.
func (l *Locker) Reserve(ctx context.Context, event string, seats []string, user string) (Hold, error) {
	if err := check(event, seats, user); err != nil {
		return Hold{}, err
	}
	keys := seatKeys(event, seats)
	var got reservation
	err := l.try(ctx, ErrOutcomeUnknown, func(deadline time.Time) error {
		c := &call{reserve: reservation{user: user, keys: keys}}
		if err := l.sendInBatch(ctx, batchKey{event: event}, deadline, c); err != nil {
			return err
		}
		got = c.reserve
		return checkReply(got.reply, len(seats))
	})
	reply, err := l.outcome("reserve", ErrTaken, seats, got.reply, err)
	if err != nil || len(reply) != 1 {
		return Hold{}, err
	}
	return l.hold(got.now, reply[0]), nil
}

// Extend moves the deadline of all of the seats to HoldTime from now, but never to
// before what it was, nor past MaxHoldTime from when the hold began; or it moves
// none. Each must be held by the user. A seat that is sold to the user stays as it
// is; where all are, the Hold is zero.
//
// An extension that would gain less than a second, or than a tenth of HoldTime if that
// is less, gains nothing: sent twice within that time, it is answered the same. Later
// than that, a repeated Extend is another extension.
//
// It fails as Buy does.
func (l *Locker) Extend(ctx context.Context, event string, seats []string, user string) (Hold, error) {
	gain := min(time.Second, l.opt.HoldTime/10)
	reply, err := l.transition(ctx, "extend", extendScript, ErrHeldByOther, event, seats, user, l.opt.HoldTime.Milliseconds(), gain.Milliseconds())
	if err != nil || len(reply) != 2 || reply[1] == 0 {
		return Hold{}, err
	}
	return l.hold(reply[0], reply[1]), nil
}

// Buy sells all of the seats to the user, or none. Each must be held by the
// user, or sold to the user already.
//
// It fails with a ConflictError: of ErrHeldByOther where any of the seats is
// another user's, else of ErrHoldExpired; or with ErrInvalid, ErrUnavailable or
// ErrOutcomeUnknown.
func (l *Locker) Buy(ctx context.Context, event string, seats []string, user string) error {
	again := 0
	if l.opt.SaleReplicas > 0 {
		again = 1
	}
	_, err := l.transition(ctx, "buy", buyScript, ErrHeldByOther, event, seats, user, again)
	return err
}

// Release ends the user's holds among the seats. A seat that is free or another's
// stays as it is.
//
// It fails, and ends no hold, with a ConflictError of ErrSold where any of the
// seats is sold to the user; or with ErrInvalid, ErrUnavailable or
// ErrOutcomeUnknown.
func (l *Locker) Release(ctx context.Context, event string, seats []string, user string) error {
	_, err := l.transition(ctx, "release", releaseScript, ErrSold, event, seats, user)
	return err
}

// transition runs a script for the seats of one user and returns what its reply has
// beyond replyDone; args follow the user.
func (l *Locker) transition(ctx context.Context, name string, s script, refusal error, event string, seats []string, user string, args ...any) ([]int64, error) {
	if err := check(event, seats, user); err != nil {
		return nil, err
	}
	keys := transitionKeys(event, seats, user)
	args = append([]any{l.opt.MaxSeatsPerUser, notAfterUnset, user}, args...)
	key := batchKey{event: event, sale: s == buyScript && (l.opt.Durable || l.opt.SaleReplicas > 0)}
	var reply []int64
	err := l.try(ctx, ErrOutcomeUnknown, func(deadline time.Time) error {
		cmd := redis.NewIntSliceCmd(ctx, s.command(keys, args...)...)
		c := &call{cmd: cmd, script: s}
		if err := l.sendInBatch(ctx, key, deadline, c); err != nil {
			return err
		}
		reply = cmd.Val()
		if err := checkReply(reply, len(seats)); err != nil {
			return err
		}
		if key.sale && reply[0] == replyDone && c.replicas < int64(l.opt.SaleReplicas) {
			return fmt.Errorf("%w: %d of %d", errTooFewReplicas, c.replicas, l.opt.SaleReplicas)
		}
		return nil
	})
	return l.outcome(name, refusal, seats, reply, err)
}

// outcome returns what a script's reply has beyond replyDone; refusal is the error of
// seats that are in the way.
func (l *Locker) outcome(name string, refusal error, seats []string, reply []int64, err error) ([]int64, error) {
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case reply[0] == replyRefused:
		return nil, conflict(refusal, l.refused(seats, reply))
	case reply[0] == replyLimit:
		return nil, &LimitError{Limit: l.opt.MaxSeatsPerUser, Held: int(reply[1]), Sold: int(reply[2])}
	}
	return reply[1:], nil
}

// checkReply returns errReply unless reply is one that a script gives for n seats.
func checkReply(reply []int64, n int) error {
	ok := false
	switch {
	case len(reply) < 2:
	case reply[0] == replyDone:
		ok = len(reply) <= 3
	case reply[0] == replyRefused:
		ok = len(reply)%2 == 1
		for i := 1; i < len(reply); i += 2 {
			ok = ok && 1 <= reply[i] && reply[i] <= int64(n)
		}
	case reply[0] == replyLimit:
		ok = len(reply) == 3
	}
	if !ok {
		return fmt.Errorf("%w: %v for %d seats", errReply, reply, n)
	}
	return nil
}

// hold reads now and the deadline of a reply, ms since the epoch.
func (l *Locker) hold(now, deadline int64) Hold {
	return Hold{Deadline: time.UnixMilli(deadline).UTC(), ExpiresIn: l.left(deadline - now)}
}

// left is how long a hold lasts, of ms by the clock of Redis. It is no longer than a hold
// may, even if that clock went back after the hold was made.
func (l *Locker) left(ms int64) time.Duration {
	return min(max(0, time.Duration(ms)*time.Millisecond), l.opt.HoldTime)
}

// Status returns the state of a seat; it never fails because nobody has heard
// of the seat. Its errors are ErrInvalid and ErrUnavailable.
func (l *Locker) Status(ctx context.Context, event, seat string) (Seat, error) {
	if !ValidID(event) || !ValidID(seat) {
		return Seat{}, fmt.Errorf("%w: event %q, seat %q", ErrInvalid, event, seat)
	}
	var pttl int64
	err := l.try(ctx, ErrUnavailable, func(deadline time.Time) error {
		cmd := redis.NewIntCmd(ctx, "pttl", seatKey(event, seat))
		err := l.sendInBatch(ctx, batchKey{event: event}, deadline, &call{cmd: cmd})
		pttl = cmd.Val()
		return err
	})
	if err != nil {
		return Seat{}, fmt.Errorf("status: %w", err)
	}
	return l.newSeat(seat, pttl), nil
}

// Queued returns how many calls wait in this process for their round trip; MaxQueued
// at most.
func (l *Locker) Queued() int { return l.batcher.Len() }

// ClockOffset returns the time of Redis minus that of this process, as last seen; of a
// cluster's nodes the one that differs most. It is 0 before Redis has answered.
func (l *Locker) ClockOffset() time.Duration {
	most := l.single.clock.offset()
	l.nodes.Range(func(_, n any) bool {
		if offset := n.(*known).clock.offset(); offset.Abs() > most.Abs() {
			most = offset
		}
		return true
	})
	return most
}

// refused lists the seats that a script's reply {0, i, ttl, ...} names.
func (l *Locker) refused(seats []string, reply []int64) []Seat {
	found := make([]Seat, 0, len(reply)/2)
	for i := 1; i+1 < len(reply); i += 2 {
		found = append(found, l.newSeat(seats[reply[i]-1], reply[i+1]))
	}
	return found
}

// conflict is the refusal for the sake of seats. Where it is of ErrHeldByOther, but
// none of them is anybody's, the hold has expired.
func conflict(refusal error, seats []Seat) *ConflictError {
	if refusal == ErrHeldByOther && !slices.ContainsFunc(seats, func(s Seat) bool { return s.Status != Available }) {
		refusal = ErrHoldExpired
	}
	return &ConflictError{Err: refusal, Seats: seats}
}
