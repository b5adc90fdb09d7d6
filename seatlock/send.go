package seatlock

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// errTooFewReplicas means that a sale was made, but may not outlive its primary yet.
var errTooFewReplicas = errors.New("too few replicas have the sale")

// sendRound sends the calls of a round, all reservations as one script, and gives
// each its answer.
func (l *Locker) sendRound(ctx context.Context, key queueKey, calls []*call) {
	if l.opt.OnRound != nil {
		l.opt.OnRound(len(calls))
	}
	var reserves, sent []*call
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

// sendAll sends the commands of calls on one connection, and again, as source, those
// of scripts that Redis does not know.
func (l *Locker) sendAll(ctx context.Context, key queueKey, calls []*call) {
	for len(calls) > 0 {
		pipe, err := l.pipeline(ctx, key)
		if err != nil {
			for _, c := range calls {
				c.err = err
			}
			return
		}
		for _, c := range calls {
			_ = pipe.Process(ctx, c.cmd) // which queues it
		}
		var replicas *redis.IntCmd
		if key.sale {
			// Short enough for all attempts, as Redis looks at its waiting clients only now and then.
			replicas = redis.NewIntCmd(ctx, "wait", l.opt.SaleReplicas, (l.opt.Timeout / 5).Milliseconds())
			_ = pipe.Process(ctx, replicas)
		}
		_, _ = pipe.Exec(ctx) // each command has its own error
		var forgotten []*call
		for _, c := range calls {
			followed := l.follow(ctx, c.cmd)
			if c.script.forgotten(c.cmd) {
				forgotten = append(forgotten, c)
				continue
			}
			c.err = c.cmd.Err()
			if key.sale && !followed { // else the replicas are another node's
				c.replicas = replicas.Val()
			}
		}
		calls = forgotten
	}
}

// pipeline returns a pipeline for the calls of key, in a cluster that of the node
// which has the event. The cluster's own would not do: WAIT names no key to find the
// node by, and where a slot moves it sends a command to two nodes at the same time,
// whose replies then race.
func (l *Locker) pipeline(ctx context.Context, key queueKey) (redis.Pipeliner, error) {
	cluster, ok := l.client.(*redis.ClusterClient)
	if !ok {
		return l.client.Pipeline(), nil
	}
	node, err := cluster.MasterForKey(ctx, seatsKey(key.event))
	if err != nil {
		return nil, fmt.Errorf("find the primary: %w", err)
	}
	return node.Pipeline(), nil
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
	args := make([]any, 0, 8+2*seats+sets)
	args = append(args, "evalsha", reserveScript.digest, 2+seats+sets, seatsKey(event), changesKey(event))
	for _, c := range calls {
		for _, key := range c.reserve.keys {
			args = append(args, key)
		}
	}
	for _, c := range calls[:sets] {
		args = append(args, userKey(event, c.reserve.user))
	}
	args = append(args, l.opt.MaxSeatsPerUser, l.opt.HoldTime.Milliseconds(), l.opt.MaxHoldTime.Milliseconds())
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
	for _, c := range calls {
		if len(reply) == 0 || reply[0] < 0 || reply[0] >= int64(len(reply)) {
			return fmt.Errorf("unexpected reply of %d to %d reservations", len(reply), len(calls))
		}
		c.reserve.reply, reply = reply[1:1+reply[0]], reply[1+reply[0]:]
	}
	return nil
}
