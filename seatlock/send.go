package seatlock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	// errTooFewReplicas means that a sale was made, but may not outlive its primary yet.
	errTooFewReplicas = errors.New("too few replicas have the sale")

	// errSetUp means that a connection could not be set up: nothing was sent.
	errSetUp = errors.New("connection refused by Redis")

	// errLate means that a script arrived after its caller's deadline, by the clock of
	// Redis, and changed nothing.
	errLate = errors.New("the script arrived too late")

	// errReply means that a reply does not have the shape that its command has.
	errReply = errors.New("unexpected reply")
)

// node is a Redis server that calls are sent to.
type node struct {
	client Client
	*known
}

// known is what is known of the server at an address.
type known struct {
	clock clock
	safe  verdict
}

// nodeOf returns the server that has the event. In a cluster a command is sent to its
// node by name, because WAIT names no key to find the node by, and because the
// cluster's own pipeline sends a command of a slot that moves to two nodes at the same
// time, whose replies then race.
func (l *Locker) nodeOf(ctx context.Context, event string) (*node, error) {
	cluster, ok := l.client.(*redis.ClusterClient)
	if !ok {
		return l.single, nil
	}
	primary, err := cluster.MasterForKey(ctx, seatsKey(event))
	if err != nil {
		return nil, fmt.Errorf("find the primary: %w", err)
	}
	return l.nodeAt(primary), nil
}

// nodeAt returns a node of a cluster. Its client is another once the cluster's client
// has dropped the node and found it again.
func (l *Locker) nodeAt(primary *redis.Client) *node {
	found, _ := l.nodes.LoadOrStore(primary.Options().Addr, &known{})
	return &node{client: primary, known: found.(*known)}
}

// exec sends what pipe has queued. Each command has its own error then, also if the
// connection could not be set up, which go-redis tells only in the error of Exec.
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

// askTime reads the clock of n.
func (l *Locker) askTime(ctx context.Context, n *node) error {
	pipe := n.client.Pipeline()
	reply := pipe.Time(ctx)
	sent := time.Now()
	if err := exec(ctx, pipe); err != nil {
		return err
	}
	l.observe(n, reply.Val().UnixMilli(), sent)
	return nil
}

// observe takes the time from a reply of n to what was sent then.
func (l *Locker) observe(n *node, now int64, sent time.Time) {
	jump := n.clock.observe(now, sent, time.Now())
	if l.opt.OnClockJump != nil && (jump >= maxJump || jump <= -maxJump) {
		l.opt.OnClockJump(jump)
	}
}

// notAfter returns until when, by the clock of n, a script may act whose caller has its
// answer when ctx ends.
func (l *Locker) notAfter(ctx context.Context, n *node) (int64, error) {
	deadline, _ := ctx.Deadline()
	if at, known := n.clock.at(deadline); known {
		return at, nil
	}
	if err := l.askTime(ctx, n); err != nil {
		return 0, err
	}
	at, _ := n.clock.at(deadline)
	return at, nil
}

// sendBatch sends the calls of a batch, all reservations as one script, and gives
// each its answer.
func (l *Locker) sendBatch(ctx context.Context, key batchKey, calls []*call) {
	if l.opt.OnRound != nil {
		l.opt.OnRound(len(calls))
	}
	var reserves []*call
	sent := calls[:0]
	for _, c := range calls {
		if c.cmd == nil {
			reserves = append(reserves, c)
		} else {
			sent = append(sent, c)
		}
	}
	if len(reserves) == 0 {
		l.sendAll(ctx, key, sent)
		return
	}
	cmd := l.reserveCommand(ctx, key.event, reserves)
	all := &call{cmd: cmd, script: reserveScript}
	l.sendAll(ctx, key, append(sent, all))
	if all.err == nil {
		all.err = splitReply(cmd.Val(), reserves)
	}
	for _, c := range reserves {
		c.err = all.err
	}
}

// sendAll sends the commands of calls to the node of their event, and gives each call
// its error.
func (l *Locker) sendAll(ctx context.Context, key batchKey, calls []*call) {
	n, notAfter, err := l.prepare(ctx, key)
	if err != nil {
		for _, c := range calls {
			c.err = err
		}
		return
	}
	l.sendTo(ctx, n, notAfter, key, calls)
	for _, c := range calls {
		if key.sale && c.err != nil { // what answers next may be another server
			n.safe.set(c.err)
		}
	}
}

// prepare returns the node for calls of key, and until when scripts may act there.
func (l *Locker) prepare(ctx context.Context, key batchKey) (*node, int64, error) {
	n, err := l.nodeOf(ctx, key.event)
	if err != nil {
		return nil, 0, err
	}
	if key.sale {
		if err := l.requireSafe(ctx, n); err != nil {
			return nil, 0, err
		}
	}
	notAfter, err := l.notAfter(ctx, n)
	return n, notAfter, err
}

// sendTo sends the commands of calls on one connection, and again, as source, those
// of scripts that Redis does not know.
func (l *Locker) sendTo(ctx context.Context, n *node, notAfter int64, key batchKey, calls []*call) {
	for len(calls) > 0 {
		pipe := n.client.Pipeline()
		for _, c := range calls {
			c.script.setNotAfter(c.cmd, notAfter)
			_ = pipe.Process(ctx, c.cmd) // which queues it
		}
		var replicas *redis.IntCmd
		if key.sale && l.opt.SaleReplicas > 0 {
			// Short enough for all attempts, as Redis looks at its waiting clients only now and then.
			replicas = redis.NewIntCmd(ctx, "wait", l.opt.SaleReplicas, (l.opt.Timeout / 5).Milliseconds())
			_ = pipe.Process(ctx, replicas)
		}
		sent := time.Now()
		_ = exec(ctx, pipe) // each command has its own error
		var forgotten []*call
		for _, c := range calls {
			followed := l.follow(ctx, c.cmd)
			if c.script.forgotten(c.cmd) {
				forgotten = append(forgotten, c)
				continue
			}
			now, err := c.script.time(c.cmd)
			if now != 0 && !followed { // else it is another node's
				l.observe(n, now, sent)
			}
			c.err = err
			if replicas != nil && !followed { // likewise
				c.replicas = replicas.Val()
			}
		}
		calls = forgotten
	}
}

// follow sends cmd again by itself if a node of a cluster said that its slot is, or
// is about to be, another's; and reports whether it did.
func (l *Locker) follow(ctx context.Context, cmd redis.Cmder) bool {
	cluster, ok := l.client.(*redis.ClusterClient)
	if !ok {
		return false
	}
	_, moved := redis.IsMovedError(cmd.Err())
	_, ask := redis.IsAskError(cmd.Err())
	if !moved && !ask {
		return false
	}
	_ = cluster.Process(ctx, cmd) // which cmd says, too
	return true
}

// reservation is what one caller of Reserve asks for, and its part of the reply.
type reservation struct {
	user  string
	keys  []string // of its seats
	now   int64    // ms since the epoch
	reply []int64
}

// reserveCommand returns the command that makes the reservations of calls, in order.
func (l *Locker) reserveCommand(ctx context.Context, event string, calls []*call) *redis.IntSliceCmd {
	seats, sets := 0, 0
	for _, c := range calls {
		seats += len(c.reserve.keys)
	}
	if l.opt.MaxSeatsPerUser > 0 {
		sets = len(calls)
	}
	args := make([]any, 0, 9+2*seats+sets)
	args = append(args, "evalsha", reserveScript.digest, 2+seats+sets, seatsKey(event), changesKey(event))
	for _, c := range calls {
		for _, key := range c.reserve.keys {
			args = append(args, key)
		}
	}
	for _, c := range calls[:sets] {
		args = append(args, userKey(event, c.reserve.user))
	}
	args = append(args, l.opt.MaxSeatsPerUser, notAfterUnset, l.opt.HoldTime.Milliseconds(), l.opt.MaxHoldTime.Milliseconds())
	for _, c := range calls {
		args = append(args, c.reserve.user)
		for range c.reserve.keys[1:] {
			args = append(args, "")
		}
	}
	return redis.NewIntSliceCmd(ctx, args...)
}

// splitReply gives each of calls its part of the reply to reserveCommand.
func splitReply(reply []int64, calls []*call) error {
	if len(reply) == 0 {
		return fmt.Errorf("%w: empty, to %d reservations", errReply, len(calls))
	}
	now, reply := reply[0], reply[1:]
	for _, c := range calls {
		if len(reply) == 0 || reply[0] < 0 || reply[0] >= int64(len(reply)) {
			return fmt.Errorf("%w: %d numbers to %d reservations", errReply, len(reply), len(calls))
		}
		c.reserve.now, c.reserve.reply, reply = now, reply[1:1+reply[0]], reply[1+reply[0]:]
	}
	return nil
}
