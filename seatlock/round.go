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

// maxLate is how many rounds of a queue may be under way at most, all but the last
// of which are late.
const maxLate = 4

// rounds sends calls in rounds: what comes while a round trip is under way waits,
// and shares the next. So the cost of a round trip falls as the load grows, and a
// call that finds none under way is sent at once; as is one that finds them late, for
// a packet that is lost on one connection need not hold up everybody.
type rounds struct {
	send   func(queueKey, []*call) // answers calls
	late   time.Duration           // from when on a round is late
	mu     sync.Mutex
	queues map[queueKey]*queue // those with a round under way
	queued int                 // calls in all of them
	timers sync.Pool
}

type queue struct {
	calls    []*call
	underWay int
	last     time.Time // when the last round began
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
	q := r.queues[key]
	if q == nil {
		q = &queue{}
		r.queues[key] = q
	}
	q.calls = append(q.calls, c)
	if q.underWay == 0 || q.underWay < maxLate && time.Since(q.last) > r.late {
		q.underWay++
		q.last = time.Now()
		go r.run(key, q)
	}
	return true
}

// run makes rounds until nobody waits.
func (r *rounds) run(key queueKey, q *queue) {
	for {
		runtime.Gosched() // to whoever is about to call
		calls := r.next(key, q)
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
func (r *rounds) next(key queueKey, q *queue) []*call {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(q.calls), maxRound)
	if n == 0 {
		if q.underWay--; q.underWay == 0 {
			delete(r.queues, key)
		}
		return nil
	}
	calls := q.calls[:n:n]
	q.calls = q.calls[n:]
	q.last = time.Now()
	r.queued -= n
	return calls
}

func (r *rounds) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queued
}
