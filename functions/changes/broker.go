package changes

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"booking/seatlock"
)

const (
	// maxEvents is how many events a process reads at a time. Each takes a connection
	// to Redis.
	maxEvents = 64
	// queueLimit is how many segments may wait for one subscriber.
	queueLimit = 64
	// segmentLimit is how many changes a segment has at most.
	segmentLimit = 500
	// publishInterval is the pause after a segment with changes. The changes of that
	// time share the next segment.
	publishInterval = 10 * time.Millisecond
	// maxWait is how long a reader waits for the next change before it checks whether
	// Redis still has its position.
	maxWait = time.Second
	// retryDelay is how long a reader waits during an outage of Redis.
	retryDelay = 200 * time.Millisecond
)

// broker passes the changes of each event to its subscribers. It reads Redis once an
// event, for any number of subscribers.
type broker struct {
	locker Locker
	slots  *semaphore.Weighted // one a reader, until its goroutine has returned
	mu     sync.Mutex
	events map[string]*reader
	count  int // readers so far
}

func newBroker(locker Locker) *broker {
	return &broker{locker: locker, slots: semaphore.NewWeighted(maxEvents), events: map[string]*reader{}}
}

// reader reads the stream of one event.
type reader struct {
	event         string
	number        int // in order of creation
	stop          context.CancelFunc
	last          string    // id of the last change that was published
	announced     time.Time // when it last published a segment without changes
	subscriptions map[*subscription]struct{}
}

// subscription is the queue of one subscriber. The broker closes segments if the
// subscriber is too slow, or if its event is evicted.
type subscription struct {
	segments chan segment
}

// segment is the changes that follow a position. Without changes it only announces the
// position: a subscriber that is elsewhere then replays. The zero segment means that the
// reader lost its position and continues from another.
type segment struct {
	from    string
	changes []seatlock.Change
}

// after returns the changes after the id last. It returns false if seg doesn't contain
// that position.
func (seg segment) after(last string) ([]seatlock.Change, bool) {
	if seg.from == last {
		return seg.changes, true
	}
	i := slices.IndexFunc(seg.changes, func(c seatlock.Change) bool { return c.ID == last })
	return seg.changes[i+1:], i >= 0
}

// subscribe returns a subscription to event, and the function that ends it. A new reader
// begins after the id last. At maxEvents it evicts another event.
func (b *broker) subscribe(event, last string) (*subscription, func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.events[event]
	if r == nil {
		if len(b.events) >= maxEvents {
			b.remove(b.evictionCandidate())
		}
		ctx, stop := context.WithCancel(context.Background())
		b.count++
		r = &reader{event: event, number: b.count, stop: stop, last: last, subscriptions: map[*subscription]struct{}{}}
		b.events[event] = r
		go b.run(ctx, r)
	}
	s := &subscription{segments: make(chan segment, queueLimit)}
	r.subscriptions[s] = struct{}{}
	return s, func() { b.unsubscribe(r, s) }
}

// evictionCandidate returns the reader with the fewest subscribers, and the oldest of
// several: subscribers of random events can't evict an event that people watch.
func (b *broker) evictionCandidate() *reader {
	var candidate *reader
	for _, r := range b.events {
		if candidate == nil || len(r.subscriptions) < len(candidate.subscriptions) ||
			len(r.subscriptions) == len(candidate.subscriptions) && r.number < candidate.number {
			candidate = r
		}
	}
	return candidate
}

// remove stops r and closes its subscriptions.
func (b *broker) remove(r *reader) {
	for s := range r.subscriptions {
		close(s.segments)
	}
	clear(r.subscriptions)
	delete(b.events, r.event)
	r.stop()
}

func (b *broker) unsubscribe(r *reader, s *subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(r.subscriptions, s)
	if len(r.subscriptions) == 0 && b.events[r.event] == r {
		b.remove(r)
	}
}

// run reads and publishes the changes of r's event until ctx ends.
func (b *broker) run(ctx context.Context, r *reader) {
	if b.slots.Acquire(ctx, 1) != nil {
		return // ctx ended
	}
	defer b.slots.Release(1)
	for ctx.Err() == nil {
		if err := b.advance(ctx, r); err != nil && ctx.Err() == nil {
			slog.DebugContext(ctx, "can't read changes", "event_id", r.event, "error", err)
			sleep(ctx, retryDelay)
		}
	}
}

// advance publishes the changes after r.last, or waits for the next one. It also returns
// at the next deadline of a hold: then an expiry is published even if no call asks for the seat.
func (b *broker) advance(ctx context.Context, r *reader) error {
	expiry, err := b.locker.RecordExpired(ctx, r.event)
	if err != nil {
		return err
	}
	changes, err := b.locker.Changes(ctx, r.event, r.last, segmentLimit)
	switch {
	case errors.Is(err, seatlock.ErrReset):
		last, err := b.locker.LastChange(ctx, r.event)
		if err != nil {
			return err
		}
		r.last = last
		b.publish(r, segment{})
		return nil
	case err != nil:
		return err
	case len(changes) > 0:
		from := r.last
		r.last = changes[len(changes)-1].ID
		b.publish(r, segment{from: from, changes: changes})
		sleep(ctx, publishInterval)
		return nil
	}
	if time.Since(r.announced) >= maxWait {
		r.announced = time.Now()
		b.publish(r, segment{from: r.last})
	}
	wait := maxWait
	if expiry >= 0 {
		wait = min(wait, max(expiry, time.Millisecond))
	}
	return b.locker.AwaitChange(ctx, r.event, r.last, wait)
}

// publish queues seg for each subscriber, and drops each one whose queue is full.
func (b *broker) publish(r *reader, seg segment) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range r.subscriptions {
		select {
		case s.segments <- seg:
		default:
			close(s.segments)
			delete(r.subscriptions, s)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
