package seatlock

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"booking/seatlock/internal/batch"
)

// MaxQueued is how many calls may wait for their round trip in a process. Further calls fail
// at once with ErrUnavailable, because their callers would give up before their turn.
const MaxQueued = 10_000

// A batch has at most maxBatch calls, and reserves at most maxBatchSeats seats. So Redis
// stays free for others, and a script stays within the 8,000 values that Lua unpacks at
// once: reserve.lua unpacks two a seat.
const (
	maxBatch      = 256
	maxBatchSeats = 2560
)

// Of a key, parallel batches are in flight before a call waits: with one, two callers would wait for
// each other. maxInFlight is the limit if some of them are slow.
const (
	parallel    = 2
	maxInFlight = 5
)

// errTooFewReplicas means that the sale was made, but a failover may still lose it.
var errTooFewReplicas = errors.New("too few replicas have the sale")

// call is one call of a method of a Locker in a batch, or the command that all calls of
// Reserve in a batch share.
type call struct {
	cmd     redis.Cmder // nil for a Reserve
	script  *script     // that cmd runs; nil if it runs none
	reserve reservation // of a Reserve

	wantsEvent bool            // the call needs event
	event      *redis.SliceCmd // of the batch: settings and blocked of the event's hash

	err      error // of cmd
	replicas int64 // how many replicas have a sale, if Options.SaleReplicas is set
}

// batchKey is what the calls of a batch have in common. All keys of an event are in one slot
// of a cluster. Sales that need a check or replicas have batches of their own, so that
// other calls don't wait for these.
type batchKey struct {
	event string
	sale  bool
	alone bool // the call is in no batch
}

func (l *Locker) newBatcher() *batch.Batcher[batchKey, *call] {
	return batch.New(batch.Options[batchKey, *call]{
		Send:        l.sendBatch,
		Weigh:       func(c *call) int { return len(c.reserve.keys) },
		MaxWeight:   maxBatchSeats,
		MaxSize:     maxBatch,
		MaxQueued:   MaxQueued,
		MaxInFlight: maxInFlight,
		Parallel:    parallel,
		Slow:        l.opt.Timeout / 20,
	})
}

// sendInBatch sends c in a batch with other calls, and returns its error.
func (l *Locker) sendInBatch(ctx context.Context, key batchKey, deadline time.Time, c *call) error {
	if err := l.batcher.Do(ctx, key, deadline, c); err != nil {
		return err
	}
	return c.err
}

// sendBatch sends calls and gives each its result. All calls of Reserve with the same terms share
// one run of their script, after the other commands. All calls that want the event's settings
// share one read of them.
func (l *Locker) sendBatch(ctx context.Context, key batchKey, calls []*call) {
	if l.opt.OnBatch != nil {
		l.opt.OnBatch(len(calls))
	}
	var reserves, withEvent []*call
	toSend := calls[:0]
	for _, c := range calls {
		if c.wantsEvent {
			withEvent = append(withEvent, c)
		}
		if c.cmd == nil {
			reserves = append(reserves, c)
		} else {
			toSend = append(toSend, c)
		}
	}
	if len(withEvent) > 0 {
		shared := &call{cmd: redis.NewSliceCmd(ctx, "hmget", eventKey(key.event), "settings", "blocked")}
		toSend = append(toSend, shared)
		defer func() {
			for _, c := range withEvent {
				c.event = shared.cmd.(*redis.SliceCmd)
				c.err = cmp.Or(c.err, shared.err)
			}
		}()
	}
	groups := groupByTerms(reserves)
	first := len(toSend)
	for _, group := range groups {
		toSend = append(toSend, &call{cmd: l.reserveCommand(ctx, key.event, group), script: reserveScript})
	}
	l.send(ctx, key, toSend)
	for i, group := range groups {
		shared := toSend[first+i]
		if shared.err == nil {
			shared.err = splitReply(shared.cmd.(*redis.IntSliceCmd).Val(), group)
		}
		for _, c := range group {
			c.err = shared.err
		}
	}
}

// groupByTerms splits calls of Reserve by their terms, nearly always into one group.
func groupByTerms(reserves []*call) [][]*call {
	same := 0
	for same < len(reserves) && reserves[same].reserve.terms == reserves[0].reserve.terms {
		same++
	}
	if same == len(reserves) {
		if same == 0 {
			return nil
		}
		return [][]*call{reserves}
	}
	groups, places := [][]*call{}, map[reserveTerms]int{}
	for _, c := range reserves {
		place, there := places[c.reserve.terms]
		if !there {
			place = len(groups)
			places[c.reserve.terms], groups = place, append(groups, nil)
		}
		groups[place] = append(groups[place], c)
	}
	return groups
}

// send sends the commands of calls to the node of their event, and gives each its error.
func (l *Locker) send(ctx context.Context, key batchKey, calls []*call) {
	n, notAfter, err := l.prepare(ctx, key)
	if err != nil {
		for _, c := range calls {
			c.err = err
		}
		return
	}
	for unsent := calls; len(unsent) > 0; {
		unsent = l.sendOnce(ctx, n, notAfter, key, unsent)
	}
	for _, c := range calls {
		if key.sale && c.err != nil { // another server may answer next
			n.safety.record(c.err)
		}
	}
}

// prepare returns the node for calls of key, and the time after which their scripts must
// change nothing there. For a sale it checks the node.
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

// sendOnce sends the commands of calls one after the other on one connection. It returns the calls whose script
// Redis does not have; their commands carry its source from then on.
func (l *Locker) sendOnce(ctx context.Context, n *node, notAfter int64, key batchKey, calls []*call) (unsent []*call) {
	p := &pipelined{cmds: make([]redis.Cmder, 0, len(calls)+1)}
	for _, c := range calls {
		c.script.setNotAfter(c.cmd, notAfter)
		p.cmds = append(p.cmds, c.cmd)
	}
	var replicas *redis.IntCmd
	if key.sale && l.opt.SaleReplicas > 0 {
		// Short enough for all attempts: Redis looks at clients in WAIT only now and then.
		replicas = redis.NewIntCmd(ctx, "wait", l.opt.SaleReplicas, (l.opt.Timeout / 5).Milliseconds())
		p.cmds = append(p.cmds, replicas)
	}
	if key.alone || replicas != nil { // a long reply, or a long wait
		l.sendPipeline(ctx, pipeline{client: n.client}, []*pipelined{p})
	} else {
		l.sendShared(ctx, pipeline{n.client, key.sale}, p)
	}
	for _, c := range calls {
		redirected := l.followRedirect(ctx, c.cmd)
		if c.script.fallBackToEval(c.cmd) {
			unsent = append(unsent, c)
			continue
		}
		var now int64
		now, c.err = c.script.readTime(c.cmd)
		if redirected { // now and WAIT's reply are another node's
			continue
		}
		if now != 0 {
			l.observe(n, now, p.sent)
		}
		if replicas != nil {
			c.replicas = replicas.Val()
		}
	}
	return unsent
}

// followRedirect sends cmd again, by itself, if its reply was a redirect: the slot is
// another node's, or moves to it. It reports whether it did.
func (l *Locker) followRedirect(ctx context.Context, cmd redis.Cmder) bool {
	cluster, ok := l.client.(*redis.ClusterClient)
	if !ok {
		return false
	}
	_, moved := redis.IsMovedError(cmd.Err())
	_, ask := redis.IsAskError(cmd.Err())
	if !moved && !ask {
		return false
	}
	_ = cluster.Process(ctx, cmd) // cmd has the error, too
	return true
}

// runScript sends cmd, which s.command returned, outside of any batch.
func (l *Locker) runScript(ctx context.Context, deadline time.Time, event string, s *script, cmd redis.Cmder) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	c := &call{cmd: cmd, script: s}
	l.send(ctx, batchKey{event: event, alone: true}, []*call{c})
	return c.err
}

// run sends cmd outside of any batch.
func (l *Locker) run(ctx context.Context, deadline time.Time, cmd redis.Cmder) error {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	pipe := l.client.Pipeline()
	_ = pipe.Process(ctx, cmd) // only queues it
	return exec(ctx, pipe)
}
