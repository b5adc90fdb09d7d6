// Package batch sends the items of concurrent callers in batches, so that they share
// the cost of a round trip.
//
// A [Batcher] sends a lone item at once, from its caller's goroutine. While a batch is in flight,
// or Options.Parallel of them, later items of the same key wait and share the next batch, which a
// goroutine of its own sends. So the cost of an item falls as the load grows. If the batch in
// flight is slow, the next one does not wait for it: one packet that is lost on one connection
// delays only its own batch.
//
// Callers set no timers, because a timer would cost each of them more than its share of
// the round trip. Instead, a queue is in the order of deadlines, and a batch ends by the
// earliest deadline of its items. So the batches before an item end by the item's own
// deadline. Only an item with less time than those before it, a retry, may need a timer.
package batch

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

var (
	// ErrQueueFull means that Options.MaxQueued items wait already. The item was not sent.
	ErrQueueFull = errors.New("batch: queue full")

	// ErrTooLate means that the context of an item ended, or its deadline came too near,
	// before its batch was sent. The item was not sent.
	ErrTooLate = errors.New("batch: too late to send")
)

// minTake is how many items a batch takes from a queue that has as many. If more wait, it
// takes half of the items that wait or were in the batch before: while one half is in
// flight, the callers of the other half get their results and come back.
const minTake = 32

// Options of a Batcher. All but Weigh and Parallel must be set.
type Options[K comparable, T any] struct {
	// Send sends items, which share key, and returns when they have their results or ctx
	// has ended. ctx ends at the earliest deadline of items. Send may reorder items, but
	// not use the slice after it has returned.
	Send func(ctx context.Context, key K, items []T)

	// Weigh returns the weight of an item; nil means that items have none. It must not block.
	Weigh func(item T) int

	MaxWeight   int           // limit of a batch's weight; a heavier item is sent alone
	MaxSize     int           // limit of a batch's items
	MaxQueued   int           // limit of the items that wait, of all keys together
	MaxInFlight int           // limit of a key's batches in flight, the slow ones included
	Parallel    int           // how many batches of a key are in flight before an item waits; 0 means 1
	Slow        time.Duration // a batch in flight for longer is slow; an item with less time left is not sent
}

// Batcher sends items in batches. It is safe for concurrent use.
type Batcher[K comparable, T any] struct {
	opt    Options[K, T]
	mu     sync.Mutex
	queues map[K]*queue[T] // of the keys that have a batch in flight
	queued int             // items in all queues
}

// queue is the state of one key.
type queue[T any] struct {
	waiting  []*entry[T] // in the order of deadlines
	inFlight int         // batches
	began    time.Time   // when the last batch began
	size     int         // of the last batch
	endsBy   time.Time   // when all batches in flight have ended, at the latest
}

// entry is the item of one caller of Do.
type entry[T any] struct {
	item     T
	ctx      context.Context
	deadline time.Time
	err      error
	done     sync.WaitGroup // unlike a channel, it costs no allocation
}

// refuse ends the Do of an entry that is not sent.
func (e *entry[T]) refuse(err error) {
	e.err = err
	e.done.Done()
}

// New returns a Batcher.
func New[K comparable, T any](opt Options[K, T]) *Batcher[K, T] {
	if opt.Weigh == nil {
		opt.Weigh = func(T) int { return 0 }
	}
	return &Batcher[K, T]{opt: opt, queues: map[K]*queue[T]{}}
}

// Do sends item in a batch of key and returns nil when Options.Send has returned. It fails
// with ErrQueueFull or ErrTooLate, and then has not sent the item. It returns by the
// deadline if Send returns when its context ends. If ctx ends, Do does not return early,
// but the item is not sent any more.
func (b *Batcher[K, T]) Do(ctx context.Context, key K, deadline time.Time, item T) error {
	e := &entry[T]{item: item, ctx: ctx, deadline: deadline}
	e.done.Add(1)
	q, leads, needsTimer := b.enqueue(key, e)
	if q == nil {
		return ErrQueueFull
	}
	if needsTimer {
		defer time.AfterFunc(time.Until(deadline), func() { b.remove(key, e) }).Stop()
	}
	if leads {
		b.lead(key, q)
	}
	e.done.Wait()
	return e.err
}

// Len returns how many items wait for their batch, MaxQueued at most.
func (b *Batcher[K, T]) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queued
}

// enqueue adds e to the queue of key, and returns the queue; nil if there is no room. It reports
// whether its caller is to lead a batch, because e need not wait, and whether e may have to wait
// past its deadline.
func (b *Batcher[K, T]) enqueue(key K, e *entry[T]) (q *queue[T], leads, needsTimer bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.queued >= b.opt.MaxQueued {
		return nil, false, false
	}
	b.queued++
	q = b.queues[key]
	if q == nil {
		q = &queue[T]{}
		b.queues[key] = q
	}
	place := len(q.waiting)
	for place > 0 && q.waiting[place-1].deadline.After(e.deadline) {
		place--
	}
	q.waiting = slices.Insert(q.waiting, place, e)
	if q.inFlight < max(1, b.opt.Parallel) || q.inFlight < b.opt.MaxInFlight && time.Since(q.began) > b.opt.Slow {
		q.inFlight++
		q.began = time.Now()
		leads = true
	}
	return q, leads, e.deadline.Before(q.endsBy)
}

// remove refuses e if it still waits.
func (b *Batcher[K, T]) remove(key K, e *entry[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	q := b.queues[key]
	if q == nil {
		return
	}
	if i := slices.Index(q.waiting, e); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
		b.queued--
		e.refuse(ErrTooLate)
	}
}

// lead sends a batch from the goroutine of a caller. If items wait after it, another goroutine goes
// on, and the caller returns. A panic of Send ends the process, as it does in run: the caller could
// recover it, and then the others of the batch would wait forever.
func (b *Batcher[K, T]) lead(key K, q *queue[T]) {
	defer func() {
		if fault := recover(); fault != nil {
			go panic(fmt.Sprintf("%v\n\n%s", fault, debug.Stack()))
			select {}
		}
	}()
	if b.sendNext(key, q) && !b.end(key, q) {
		go b.run(key, q)
	}
}

// run sends batches until no item waits.
func (b *Batcher[K, T]) run(key K, q *queue[T]) {
	for sent := true; sent; sent = b.sendNext(key, q) {
		runtime.Gosched() // lets callers that are about to call join the batch
	}
}

// sendNext sends the next batch of q. It reports false if no item waits: then it has ended the run.
func (b *Batcher[K, T]) sendNext(key K, q *queue[T]) bool {
	entries := b.take(key, q)
	if entries == nil {
		return false
	}
	entries = b.refuseLate(entries)
	if len(entries) == 0 {
		return true
	}
	items := make([]T, len(entries))
	for i, e := range entries {
		items[i] = e.item
	}
	ctx, cancel := context.WithDeadline(context.Background(), entries[0].deadline)
	b.opt.Send(ctx, key, items)
	cancel()
	for _, e := range entries {
		e.done.Done()
	}
	return true
}

// end ends a run of q if no item waits, and reports whether it did.
func (b *Batcher[K, T]) end(key K, q *queue[T]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(q.waiting) > 0 {
		return false
	}
	b.endLocked(key, q)
	return true
}

func (b *Batcher[K, T]) endLocked(key K, q *queue[T]) {
	if q.inFlight--; q.inFlight == 0 {
		delete(b.queues, key)
	}
}

// take removes the entries of the next batch from q. If there are none, it ends the run
// and returns nil.
func (b *Batcher[K, T]) take(key K, q *queue[T]) []*entry[T] {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := min(len(q.waiting), b.opt.MaxSize, max(minTake, (len(q.waiting)+q.size+1)/2))
	if n == 0 {
		b.endLocked(key, q)
		return nil
	}
	weight := 0
	for i, e := range q.waiting[:n] {
		if weight += b.opt.Weigh(e.item); weight > b.opt.MaxWeight && i > 0 {
			n = i
			break
		}
	}
	entries := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	q.began, q.size = time.Now(), n
	if last := entries[n-1].deadline; last.After(q.endsBy) {
		q.endsBy = last
	}
	b.queued -= n
	return entries
}

// refuseLate refuses the entries that are too late to send, and returns the others. An
// entry with next to no time left would end the whole batch early.
func (b *Batcher[K, T]) refuseLate(entries []*entry[T]) []*entry[T] {
	now := time.Now()
	inTime := entries[:0]
	for _, e := range entries {
		switch {
		case e.ctx.Err() != nil:
			e.refuse(fmt.Errorf("%w: %w", ErrTooLate, e.ctx.Err()))
		case e.deadline.Sub(now) < b.opt.Slow:
			e.refuse(ErrTooLate)
		default:
			inTime = append(inTime, e)
		}
	}
	return inTime
}
