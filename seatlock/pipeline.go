package seatlock

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"booking/seatlock/internal/batch"
)

// maxPipeline is how many batches share a round trip at most. To a server, parallelPipelines round trips
// are in flight before a batch waits, and maxPipelines if some of them are slow.
const (
	maxPipeline       = 64
	parallelPipelines = 4
	maxPipelines      = 16
)

// pipeline is what the commands of a round trip have in common. Sales have round trips of their own, so
// that other calls don't wait for the disk or the replicas.
type pipeline struct {
	client Client // of the server
	sale   bool
}

// pipelined is the commands of a batch, which share a round trip with those of batches of other events.
type pipelined struct {
	cmds []redis.Cmder
	sent time.Time // when they were sent
}

func (l *Locker) newPipelines() *batch.Batcher[pipeline, *pipelined] {
	return batch.New(batch.Options[pipeline, *pipelined]{
		Send:        l.sendPipeline,
		Weigh:       func(p *pipelined) int { return len(p.cmds) },
		MaxWeight:   maxBatch,
		MaxSize:     maxPipeline,
		MaxQueued:   MaxQueued,
		MaxInFlight: maxPipelines,
		Parallel:    parallelPipelines,
		Slow:        l.opt.Timeout / 20,
	})
}

// sendShared sends the commands of p in a round trip with others, and gives each its error.
func (l *Locker) sendShared(ctx context.Context, key pipeline, p *pipelined) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(l.opt.Timeout)
	}
	if err := l.pipelines.Do(ctx, key, deadline, p); err != nil {
		for _, cmd := range p.cmds {
			cmd.SetErr(err)
		}
	}
}

// sendPipeline sends the commands of all in one round trip.
func (l *Locker) sendPipeline(ctx context.Context, key pipeline, all []*pipelined) {
	pipe := key.client.Pipeline()
	for _, p := range all {
		for _, cmd := range p.cmds {
			_ = pipe.Process(ctx, cmd) // only queues it
		}
	}
	sent := time.Now()
	_ = exec(ctx, pipe) // each command has its own error
	for _, p := range all {
		p.sent = sent
	}
}
