package seatlock

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// MaxQueued is how many calls may wait in a process for their round trip. Past it a
// call fails at once with ErrUnavailable: a queue that takes longer to empty than its
// callers wait only turns late answers into lost ones.
const MaxQueued = 10_000

// maxRound is how many calls share a round trip at most. It keeps a round's script
// within the 8,000 values that Lua unpacks at once, and Redis free for others.
const maxRound = 256

var (
	errQueueFull = errors.New("too many calls wait for Redis")
	errNotSent   = errors.New("the caller left before its turn")
)

// call is one caller's part in a round.
type call struct {
	cmd     redis.Cmder // what to send; nil where it is reserve
	script  script      // that cmd runs; the zero script where it runs none
	reserve reservation // which is sent together with those of others

	err      error
	replicas int64         // that have what a sale wrote
	done     chan struct{} // closed when there is an answer
	turn     atomic.Int32
}

// Whose turn it is with a call.
const (
	inQueue int32 = iota
	inRound
	abandoned
)

// queueKey is what shares rounds: all calls of an event, which is one slot of a
// cluster; but sales that wait for replicas let nobody else wait.
type queueKey struct {
	event string
	sale  bool
}

// rounds sends calls in rounds: what comes while a round trip is under way waits,
// and shares the next. So the cost of a round trip falls as the load grows, and a
// call that finds none under way is sent at once.
type rounds struct {
	send   func(queueKey, []*call) // answers calls
	mu     sync.Mutex
	queues map[queueKey]*[]*call // of those with a round under way
	queued int
	timers sync.Pool
}

// ask sends c in a round, and waits for its answer until the deadline, or until ctx
// ends.
func (r *rounds) ask(ctx context.Context, deadline time.Time, key queueKey, c *call) error {
	c.done = make(chan struct{})
	c.turn.Store(inQueue)
	if !r.enqueue(key, c) {
		return errQueueFull
	}
	timer, _ := r.timers.Get().(*time.Timer) // a context with a deadline costs a microsecond more
	if timer == nil {
		timer = time.NewTimer(time.Until(deadline))
	} else {
		timer.Reset(time.Until(deadline))
	}
	defer func() { timer.Stop(); r.timers.Put(timer) }()
	err := context.DeadlineExceeded
	select {
	case <-c.done:
		return c.err
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if c.turn.CompareAndSwap(inQueue, abandoned) {
		return errors.Join(errNotSent, err)
	}
	return err
}

func (r *rounds) enqueue(key queueKey, c *call) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queued >= MaxQueued {
		return false
	}
	r.queued++
	queue, underWay := r.queues[key]
	if !underWay {
		queue = new([]*call)
		r.queues[key] = queue
		go r.run(key)
	}
	*queue = append(*queue, c)
	return true
}

// run makes rounds until nobody waits.
func (r *rounds) run(key queueKey) {
	for {
		runtime.Gosched() // to whoever is about to call
		calls := r.next(key)
		if calls == nil {
			return
		}
		kept := calls[:0]
		for _, c := range calls {
			if c.turn.CompareAndSwap(inQueue, inRound) {
				kept = append(kept, c)
			}
		}
		if len(kept) > 0 {
			r.send(key, kept)
		}
		for _, c := range kept {
			close(c.done)
		}
	}
}

// next takes the calls of the next round from their queue, nil where there are none.
func (r *rounds) next(key queueKey) []*call {
	r.mu.Lock()
	defer r.mu.Unlock()
	queue := r.queues[key]
	n := min(len(*queue), maxRound)
	if n == 0 {
		delete(r.queues, key)
		return nil
	}
	calls := (*queue)[:n:n]
	*queue = (*queue)[n:]
	r.queued -= n
	return calls
}

func (r *rounds) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queued
}
