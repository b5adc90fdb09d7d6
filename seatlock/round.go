package seatlock

import (
	"context"
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

// maxInFlight is how many batches of a key are in flight at most. All but the last are slow.
const maxInFlight = 4

// call is one caller's part in a batch.
type call struct {
	cmd     redis.Cmder // what to send; nil where it is reserve
	script  script      // that cmd runs; the zero script where it runs none
	reserve reservation // which is sent together with those of others

	err      error
	replicas int64 // that have what a sale wrote
}

// batchKey is what the calls of a batch have in common: an event, which is one slot of a
// cluster. Sales that wait for replicas have batches of their own.
type batchKey struct {
	event string
	sale  bool
}

func (l *Locker) newBatcher() *batch.Batcher[batchKey, *call] {
	return batch.New(batch.Options[batchKey, *call]{
		Send:        l.sendBatch,
		Weigh:       func(c *call) int { return len(c.reserve.keys) },
		MaxWeight:   maxBatchSeats,
		MaxSize:     maxBatch,
		MaxQueued:   MaxQueued,
		MaxInFlight: maxInFlight,
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
