package seatlock

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"booking/seatlock/internal/batch"
)

// Client is the part of a go-redis client that a Locker uses. *redis.Client (a single
// server or Sentinel), *redis.ClusterClient and redis.UniversalClient implement it.
//
// Turn off the client's own retries (redis.Options.MaxRetries: -1): a Locker retries, and
// knows which attempts may have run. A client that retries works, too; a Redis Cluster's
// client always does. But then an outage is always ErrOutcomeUnknown, because a dial error
// may hide an earlier attempt that ran.
//
// Turn on the client's ContextTimeoutEnabled: a Locker limits its calls by contexts.
type Client interface {
	Pipeline() redis.Pipeliner
	Subscribe(ctx context.Context, channels ...string) *redis.PubSub
}

// Options of a Locker. The zero value is ready to use.
type Options struct {
	HoldTime    time.Duration // how long Reserve holds a seat; 0 means 5 minutes
	MaxHoldTime time.Duration // how long a hold lasts with all its extensions; 0 means 15 minutes
	Timeout     time.Duration // how long a call waits for Redis; 0 means 2 seconds

	// MaxSeatsPerUser limits the seats, held and sold, that a user has at an event; 0 means
	// no limit. Seats that were reserved while it was 0 don't count.
	MaxSeatsPerUser int

	// RequestTTL is how long the answer to a call with Terms.Request is remembered; 0 means 10
	// minutes.
	RequestTTL time.Duration

	// Durable requires a Redis that writes a sale to disk before it answers: appendonly with
	// a complete file, appendfsync always, no-appendfsync-on-rewrite no, and a user default
	// that may run the commands in the file. Otherwise Check fails with ErrUnsafe, and Buy,
	// Return and Exchange fail with ErrUnavailable and change nothing. They believe a check for
	// a second.
	Durable bool

	// SaleReplicas is how many replicas must have a sale before Buy or Exchange succeeds. If
	// fewer are online, Check fails with ErrUnsafe, and Buy, Return and Exchange fail with
	// ErrUnavailable and change nothing. If they don't confirm within Timeout, the call fails
	// with ErrOutcomeUnknown; a repeated Buy or Exchange waits for them again.
	SaleReplicas int

	// OnBatch is called before each round trip with the number of calls that share it. It
	// may be nil. It must not block.
	OnBatch func(calls int)

	// OnClockJump is called if the clock of a Redis server jumps by a second or more, for
	// instance in a failover to a server with another clock. Holds then end early or late by
	// as much. A negative value means that the clock went back. It may be nil. It must not
	// block.
	OnClockJump func(by time.Duration)
}

// Locker reserves and sells seats. It is safe for concurrent use. Calls made at the same
// time share round trips. If the context of a call ends, the call is not sent any more;
// but a call in flight waits for its reply, for Options.Timeout at most.
type Locker struct {
	client        Client
	clientRetries bool
	opt           Options
	batcher       *batch.Batcher[batchKey, *call]
	pipelines     *batch.Batcher[pipeline, *pipelined]
	single        *node    // unless client is a cluster's
	nodes         sync.Map // of a cluster: address → *nodeState
}

// New returns a Locker that uses client. The caller closes the client. New fails with
// ErrInvalid if opt contradicts itself, or if the client's ContextTimeoutEnabled is off.
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
	if opt.RequestTTL == 0 {
		opt.RequestTTL = 10 * time.Minute
	}
	if opt.HoldTime < time.Millisecond || opt.MaxHoldTime < opt.HoldTime || opt.Timeout < 0 || opt.RequestTTL < time.Millisecond {
		return nil, fmt.Errorf("%w: %+v: want 1ms <= HoldTime <= MaxHoldTime, 0 < Timeout and 1ms <= RequestTTL", ErrInvalid, opt)
	}
	if !respectsContexts(client) {
		return nil, fmt.Errorf("%w: calls of the client may outlast their contexts; set ContextTimeoutEnabled", ErrInvalid)
	}
	l := &Locker{client: client, clientRetries: retries(client), opt: opt, single: &node{client: client, nodeState: &nodeState{}}}
	l.batcher, l.pipelines = l.newBatcher(), l.newPipelines()
	return l, nil
}

// retries reports whether client may send a command more than once.
func retries(client Client) bool {
	single, ok := client.(interface{ Options() *redis.Options })
	return !ok || single.Options().MaxRetries > 0
}

// respectsContexts reports whether the calls of client end with their contexts.
func respectsContexts(client Client) bool {
	switch c := client.(type) {
	case *redis.Client:
		return c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		return c.Options().ContextTimeoutEnabled
	}
	return true
}

// Queued returns how many calls wait in this process for their round trip, MaxQueued at
// most.
func (l *Locker) Queued() int { return l.batcher.Len() + l.pipelines.Len() }

// ClockOffset returns the time of Redis minus the time of this process, as last observed.
// In a cluster it returns the offset of the node that differs most. It is 0 before the
// first reply.
func (l *Locker) ClockOffset() time.Duration {
	most := l.single.clock.offset()
	l.nodes.Range(func(_, state any) bool {
		if offset := state.(*nodeState).clock.offset(); offset.Abs() > most.Abs() {
			most = offset
		}
		return true
	})
	return most
}
