package changes

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"booking/seatlock"
)

const (
	// maxEvents is how many events a process follows at a time; each takes a
	// connection to Redis.
	maxEvents = 64
	// backlog is how many batches of changes may wait for a subscriber.
	backlog = 64
	// batching is how long changes are gathered before they are sent on.
	batching = 10 * time.Millisecond
	// longestWait is how long a read of Redis waits for the next change.
	longestWait = 5 * time.Second
	// afterFault is how long a follower waits when Redis does not answer.
	afterFault = 200 * time.Millisecond
)

var errTooManyEvents = errors.New("changes: this process follows as many events as it may")

// hub follows every event that has subscribers: one read of Redis an event, however
// many they are.
type hub struct {
	locker Locker
	mu     sync.Mutex
	events map[string]*follower
}

// follower passes the changes of one event on.
type follower struct {
	event       string
	stop        context.CancelFunc
	last        string // the ID of the last change that was passed on
	subscribers map[*subscriber]struct{}
}

// subscriber gets every change after from. Its channel is closed where it has not
// kept up.
type subscriber struct {
	from    string
	changes chan []seatlock.Change
}

// subscribe returns a subscriber to event, and what ends it.
func (h *hub) subscribe(ctx context.Context, event string) (*subscriber, func(), error) {
	last, err := h.locker.LastChange(ctx, event)
	if err != nil {
		return nil, nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.events[event]
	if f == nil {
		if len(h.events) >= maxEvents {
			return nil, nil, errTooManyEvents
		}
		following, stop := context.WithCancel(context.Background())
		f = &follower{event: event, stop: stop, last: last, subscribers: map[*subscriber]struct{}{}}
		h.events[event] = f
		go h.follow(following, f)
	}
	s := &subscriber{from: f.last, changes: make(chan []seatlock.Change, backlog)}
	f.subscribers[s] = struct{}{}
	return s, func() { h.unsubscribe(f, s) }, nil
}

func (h *hub) unsubscribe(f *follower, s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(f.subscribers, s)
	if len(f.subscribers) == 0 && h.events[f.event] == f {
		delete(h.events, f.event)
		f.stop()
	}
}

// follow reads the changes of f's event until ctx ends. It wakes when the next hold
// may end, so that its end is a change though nobody asks for the seat.
func (h *hub) follow(ctx context.Context, f *follower) {
	for ctx.Err() == nil {
		pause := batching
		found, err := h.next(ctx, f)
		if err != nil && ctx.Err() == nil {
			slog.DebugContext(ctx, "changes can't be read", "event_id", f.event, "error", err)
			pause = afterFault
		}
		h.publish(f, found)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// next waits for changes of f's event; there may be none.
func (h *hub) next(ctx context.Context, f *follower) ([]seatlock.Change, error) {
	wait, err := h.locker.Settle(ctx, f.event)
	if err != nil {
		return nil, err
	}
	if wait < 0 || wait > longestWait {
		wait = longestWait
	}
	return h.locker.Changes(ctx, f.event, f.last, max(wait, time.Millisecond))
}

// publish passes changes on, and cuts off who has not kept up.
func (h *hub) publish(f *follower, found []seatlock.Change) {
	if len(found) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	f.last = found[len(found)-1].ID
	for s := range f.subscribers {
		select {
		case s.changes <- found:
		default:
			close(s.changes)
			delete(f.subscribers, s)
		}
	}
}
