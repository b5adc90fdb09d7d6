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
	// maxEvents is how many events a process follows at a time; each takes a
	// connection to Redis.
	maxEvents = 64
	// backlog is how many batches of changes may wait for a subscriber.
	backlog = 64
	// batchLimit is how many changes a batch has at most.
	batchLimit = 500
	// batching is how long changes are gathered before they are sent on.
	batching = 10 * time.Millisecond
	// longestWait is how long a follower waits for the next change before it asks
	// whether Redis still has its position.
	longestWait = time.Second
	// afterFault is how long a follower waits when Redis does not answer.
	afterFault = 200 * time.Millisecond
)

// hub follows every event that has subscribers: one read of Redis an event, however
// many they are.
type hub struct {
	locker  Locker
	reading *semaphore.Weighted // held by each follower, also by one that ends
	mu      sync.Mutex
	events  map[string]*follower
	began   int // followers so far
}

func newHub(locker Locker) *hub {
	return &hub{locker: locker, reading: semaphore.NewWeighted(maxEvents), events: map[string]*follower{}}
}

// follower passes the changes of one event on.
type follower struct {
	event       string
	number      int // followers are numbered as they begin
	stop        context.CancelFunc
	last        string    // the position after what was passed on
	told        time.Time // when subscribers last heard of an empty batch
	subscribers map[*subscriber]struct{}
}

// subscriber gets every batch. Its channel is closed if it has not kept up, or if its
// event gives way to another.
type subscriber struct {
	batches chan batch
}

// batch has the changes that follow a position. It is empty if there are none: then it
// tells a subscriber that is at another position to look by itself. The zero batch means
// that the follower's position was lost: the next batch goes on from another.
type batch struct {
	from    string
	changes []seatlock.Change
}

// after returns what follows the position last, and false if b does not tell.
func (b batch) after(last string) ([]seatlock.Change, bool) {
	if b.from == last {
		return b.changes, true
	}
	i := slices.IndexFunc(b.changes, func(c seatlock.Change) bool { return c.ID == last })
	return b.changes[i+1:], i >= 0
}

// subscribe returns a subscriber to event, and what ends it. last is where a new
// follower begins. If there are too many events, the one with the fewest subscribers
// gives way, of several the one that has been followed longest: random events can't
// lock out an event that people watch.
func (h *hub) subscribe(event, last string) (*subscriber, func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.events[event]
	if f == nil {
		if len(h.events) >= maxEvents {
			h.end(h.leastRead())
		}
		following, stop := context.WithCancel(context.Background())
		h.began++
		f = &follower{event: event, number: h.began, stop: stop, last: last, subscribers: map[*subscriber]struct{}{}}
		h.events[event] = f
		go h.follow(following, f)
	}
	s := &subscriber{batches: make(chan batch, backlog)}
	f.subscribers[s] = struct{}{}
	return s, func() { h.unsubscribe(f, s) }
}

func (h *hub) leastRead() *follower {
	var least *follower
	for _, f := range h.events {
		if least == nil || len(f.subscribers) < len(least.subscribers) ||
			len(f.subscribers) == len(least.subscribers) && f.number < least.number {
			least = f
		}
	}
	return least
}

func (h *hub) end(f *follower) {
	for s := range f.subscribers {
		close(s.batches)
	}
	clear(f.subscribers)
	delete(h.events, f.event)
	f.stop()
}

func (h *hub) unsubscribe(f *follower, s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(f.subscribers, s)
	if len(f.subscribers) == 0 && h.events[f.event] == f {
		h.end(f)
	}
}

// follow reads the changes of f's event until ctx ends.
func (h *hub) follow(ctx context.Context, f *follower) {
	if h.reading.Acquire(ctx, 1) != nil {
		return // ctx ended
	}
	defer h.reading.Release(1)
	for ctx.Err() == nil {
		if err := h.advance(ctx, f); err != nil && ctx.Err() == nil {
			slog.DebugContext(ctx, "changes can't be read", "event_id", f.event, "error", err)
			pause(ctx, afterFault)
		}
	}
}

// advance passes on the changes of f's event since f.last. If there are none it waits
// for the next. It wakes when the next hold may end, so that its end is a change even
// if no call asks for the seat.
func (h *hub) advance(ctx context.Context, f *follower) error {
	expiry, err := h.locker.RecordExpired(ctx, f.event)
	if err != nil {
		return err
	}
	found, err := h.locker.Changes(ctx, f.event, f.last, batchLimit)
	switch {
	case errors.Is(err, seatlock.ErrReset):
		last, err := h.locker.LastChange(ctx, f.event)
		if err != nil {
			return err
		}
		f.last = last
		h.publish(f, batch{})
		return nil
	case err != nil:
		return err
	case len(found) > 0:
		from := f.last
		f.last = found[len(found)-1].ID
		h.publish(f, batch{from: from, changes: found})
		pause(ctx, batching)
		return nil
	}
	if time.Since(f.told) >= longestWait {
		f.told = time.Now()
		h.publish(f, batch{from: f.last})
	}
	wait := longestWait
	if expiry >= 0 {
		wait = min(wait, max(expiry, time.Millisecond))
	}
	return h.locker.AwaitChange(ctx, f.event, f.last, wait)
}

// publish passes b on, and cuts off each subscriber that has not kept up.
func (h *hub) publish(f *follower, b batch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range f.subscribers {
		select {
		case s.batches <- b:
		default:
			close(s.batches)
			delete(f.subscribers, s)
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
