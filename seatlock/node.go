package seatlock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// maxClockJump is from which jump on a clock is reported.
const maxClockJump = time.Second

// errSetUp means that a connection could not be set up. No command was sent on it.
var errSetUp = errors.New("connection refused by Redis")

// node is a Redis server and a client of it.
type node struct {
	client Client
	*nodeState
}

// nodeState is what this process knows of the server at an address.
type nodeState struct {
	clock  clock
	safety safetyCheck
}

// nodeOf returns the server that has the event, or the list of events if event is "". In a
// cluster, a Locker picks the node itself for two reasons. WAIT has no key to find the node by.
// And for a slot that moves, the cluster client's own pipeline sends a command to two nodes at
// once, and their replies race.
func (l *Locker) nodeOf(ctx context.Context, event string) (*node, error) {
	cluster, ok := l.client.(*redis.ClusterClient)
	if !ok {
		return l.single, nil
	}
	key := eventsKey
	if event != "" {
		key = seatsKey(event)
	}
	primary, err := cluster.MasterForKey(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("find the primary: %w", err)
	}
	return l.nodeAt(primary), nil
}

// nodeAt returns the node of primary, a cluster's client of one node. The state outlives
// primary: the cluster's client may drop a node and find it again.
func (l *Locker) nodeAt(primary *redis.Client) *node {
	state, _ := l.nodes.LoadOrStore(primary.Options().Addr, &nodeState{})
	return &node{client: primary, nodeState: state.(*nodeState)}
}

// eachNode calls f for each node that takes writes.
func (l *Locker) eachNode(ctx context.Context, f func(context.Context, *node) error) error {
	cluster, ok := l.client.(*redis.ClusterClient)
	if !ok {
		return f(ctx, l.single)
	}
	return cluster.ForEachMaster(ctx, func(ctx context.Context, primary *redis.Client) error {
		return f(ctx, l.nodeAt(primary))
	})
}

// notAfter returns the last ms before the deadline of ctx by the clock of n, ms since the epoch:
// a script that begins in the ms of the deadline may begin after it. It asks n for its time if
// that is unknown.
func (l *Locker) notAfter(ctx context.Context, n *node) (int64, error) {
	deadline, _ := ctx.Deadline()
	at, known := n.clock.at(deadline)
	if !known {
		if err := l.readClock(ctx, n); err != nil {
			return 0, err
		}
		at, _ = n.clock.at(deadline)
	}
	return at - 1, nil
}

// readClock asks n for its time.
func (l *Locker) readClock(ctx context.Context, n *node) error {
	pipe := n.client.Pipeline()
	reply := pipe.Time(ctx)
	sent := time.Now()
	if err := exec(ctx, pipe); err != nil {
		return err
	}
	l.observe(n, reply.Val().UnixMilli(), sent)
	return nil
}

// observe records the time of n, ms since the epoch, from its reply to a command that was
// sent at sent.
func (l *Locker) observe(n *node, now int64, sent time.Time) {
	jump := n.clock.observe(now, sent, time.Now())
	if l.opt.OnClockJump != nil && jump.Abs() >= maxClockJump {
		l.opt.OnClockJump(jump)
	}
}

// exec sends the commands that pipe has queued. Each command then has its own error. go-redis
// omits that if the connection could not be set up: exec adds errSetUp.
func exec(ctx context.Context, pipe redis.Pipeliner) error {
	cmds, err := pipe.Exec(ctx)
	if err == nil {
		return nil
	}
	for _, cmd := range cmds {
		if cmd.Err() != nil {
			return err
		}
	}
	err = fmt.Errorf("%w: %w", errSetUp, err)
	for _, cmd := range cmds {
		cmd.SetErr(err)
	}
	return err
}
