package seatlock

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// MaxQueued is how many calls may wait in a process for their round trip. Past it a
// call fails at once with ErrUnavailable: a queue that takes longer to empty than its
// callers wait only turns late answers into lost ones.
const MaxQueued = 10_000

// maxRound is how many calls share a round trip at most, and maxRoundSeats how many
// seats they reserve. That keeps Redis free for others, and a round's script within
// the 8,000 values that Lua unpacks at once: it needs two for each seat.
const (
	maxRound      = 256
	maxRoundSeats = 2560
)

// minHalf is how many calls share a round trip at least, where as many wait. Of more, a
// round takes half of those that wait or were in the round before: so one half is
// answered, and comes back, while the other is under way.
const minHalf = 32

var (
	errQueueFull = errors.New("too many calls wait for Redis")
	errTooLate   = errors.New("its turn came too late")
)

// call is one caller's part in a round.
type call struct {
	cmd     redis.Cmder // what to send; nil where it is reserve
	script  script      // that cmd runs; the zero script where it runs none
	reserve reservation // which is sent together with those of others

	ctx      context.Context // of the caller; where it has ended, nothing is sent
	deadline time.Time       // by which there is an answer
	err      error
	replicas int64         // that have what a sale wrote
	done     chan struct{} // gets a value when there is an answer
}

// refuse answers a call that is not sent.
func (c *call) refuse(err error) {
	c.err = err
	c.done <- struct{}{}
}

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
//
// Callers have no timers, which would cost each of them more than its part of the
// round trip. Queues are in order of deadlines, and a round ends by the first of its
// calls': by the time that those before it have their answers, each call has its own.
// Only a call that is sent again, and so has less time than others, may find rounds
// under way that end too late for it.
type rounds struct {
	send   func(context.Context, queueKey, []*call) // answers calls before the context ends
	late   time.Duration                            // from when on a round is late
	mu     sync.Mutex
	queues map[queueKey]*queue // those with a round under way
	queued int                 // calls in all of them
}

type queue struct {
	calls    []*call // by their deadlines
	underWay int
	last     time.Time // when the last round began
	size     int       // of the last round
	ends     time.Time // by when all rounds have ended
}

// ask sends c in a round, and waits for its answer.
func (r *rounds) ask(key queueKey, c *call) error {
	c.done = make(chan struct{}, 1)
	queued, urgent := r.enqueue(key, c)
	if !queued {
		return errQueueFull
	}
	if urgent {
		defer time.AfterFunc(time.Until(c.deadline), func() { r.leave(key, c) }).Stop()
	}
	<-c.done
	return c.err
}

// leave answers c, should its turn not have come.
func (r *rounds) leave(key queueKey, c *call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q := r.queues[key]
	if q == nil {
		return
	}
	if i := slices.Index(q.calls, c); i >= 0 {
		q.calls = slices.Delete(q.calls, i, i+1)
		r.queued--
		c.refuse(errTooLate)
	}
}

// enqueue reports whether there was room for c, and whether rounds are under way that
// may end after its deadline.
func (r *rounds) enqueue(key queueKey, c *call) (queued, urgent bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queued >= MaxQueued {
		return false, false
	}
	r.queued++
	q := r.queues[key]
	if q == nil {
		q = &queue{}
		r.queues[key] = q
	}
	place := len(q.calls)
	for place > 0 && q.calls[place-1].deadline.After(c.deadline) {
		place--
	}
	q.calls = slices.Insert(q.calls, place, c)
	if q.underWay == 0 || q.underWay < maxLate && time.Since(q.last) > r.late {
		q.underWay++
		q.last = time.Now()
		go r.run(key, q)
	}
	return true, c.deadline.Before(q.ends)
}

// run makes rounds until nobody waits.
func (r *rounds) run(key queueKey, q *queue) {
	for {
		runtime.Gosched() // to whoever is about to call
		calls := r.next(key, q)
		if calls == nil {
			return
		}
		if calls = r.inTime(calls); len(calls) == 0 {
			continue
		}
		ctx, cancel := context.WithDeadline(context.Background(), calls[0].deadline)
		r.send(ctx, key, calls)
		cancel()
		for _, c := range calls {
			c.done <- struct{}{}
		}
	}
}

// inTime answers those of calls that there is no use in sending, and returns the rest.
func (r *rounds) inTime(calls []*call) []*call {
	now := time.Now()
	kept := calls[:0]
	for _, c := range calls {
		switch {
		case c.ctx.Err() != nil:
			c.refuse(fmt.Errorf("%w: %w", errTooLate, c.ctx.Err()))
		case c.deadline.Sub(now) < r.late: // it would cut off the others
			c.refuse(errTooLate)
		default:
			kept = append(kept, c)
		}
	}
	return kept
}

// next takes the calls of the next round from their queue, nil where there are none.
func (r *rounds) next(key queueKey, q *queue) []*call {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(q.calls), maxRound, max(minHalf, (len(q.calls)+q.size+1)/2))
	if n == 0 {
		if q.underWay--; q.underWay == 0 {
			delete(r.queues, key)
		}
		return nil
	}
	seats := 0
	for i, c := range q.calls[:n] {
		if seats += len(c.reserve.keys); seats > maxRoundSeats {
			n = i // not 0, as a call has MaxSeats at most
			break
		}
	}
	calls := q.calls[:n:n]
	q.calls = q.calls[n:]
	q.last, q.size = time.Now(), n
	if ends := calls[n-1].deadline; ends.After(q.ends) {
		q.ends = ends
	}
	r.queued -= n
	return calls
}

func (r *rounds) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.queued
}
