package hall

import (
	"container/list"
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"booking/seatlock"
)

const (
	// idleTime is how long an event without readers stays in memory.
	idleTime = time.Minute
	// maxHalls limits the events in memory, maxSeats their seats. Events with followers stay.
	maxHalls = 10_000
	maxSeats = 1_000_000
	// subscribeTimeout is how long Redis may take to begin a subscription. After that, the
	// client begins it when it can.
	subscribeTimeout = time.Second
)

// View is the part of seatlock.View that a Hall uses.
type View interface {
	Refresh(ctx context.Context) (seatlock.Update, error)
	At() time.Time
	Position() string
	Len() int
	Lapsed() int
	Seats() iter.Seq[seatlock.Seat]
	SeatsOf(ctx context.Context, user string) ([]string, error)
	IsFree(id string) bool
}

// Subscription is the part of seatlock.Subscription that Halls uses.
type Subscription interface {
	Add(ctx context.Context, event string) error
	Remove(ctx context.Context, event string) error
	Events() <-chan string
}

// Source makes views and subscriptions.
type Source interface {
	NewView(event string) (View, error)
	Subscribe() Subscription
}

// redisSource is the Source of a Locker.
type redisSource struct{ locker *seatlock.Locker }

func (s redisSource) NewView(event string) (View, error) { return s.locker.NewView(event) }
func (s redisSource) Subscribe() Subscription            { return s.locker.Subscribe() }

// Halls are the views of a process. Views that were not used for a minute are dropped, and
// the least recently used ones if there are too many.
type Halls struct {
	source  Source
	reloads atomic.Int64

	mu       sync.Mutex
	halls    map[string]*list.Element // of *Hall
	recent   *list.List               // the most recently used first
	seats    int
	followed int
	sweeping bool

	subscribing  sync.Mutex   // guards subscription, and Hall.subscribed
	subscription Subscription // nil before the first follower
}

// New returns the Halls of the events in the Redis of locker, without views.
func New(locker *seatlock.Locker) *Halls { return NewFrom(redisSource{locker}) }

// NewFrom returns Halls of another source.
func NewFrom(source Source) *Halls {
	return &Halls{source: source, halls: map[string]*list.Element{}, recent: list.New()}
}

// Hall returns the view of an event. It fails with seatlock.ErrInvalid.
func (hs *Halls) Hall(event string) (*Hall, error) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return hs.hall(event)
}

// hall returns the view of an event. hs.mu is locked.
func (hs *Halls) hall(event string) (*Hall, error) {
	if element := hs.halls[event]; element != nil {
		hs.recent.MoveToFront(element)
		h := element.Value.(*Hall)
		h.used = time.Now()
		return h, nil
	}
	view, err := hs.source.NewView(event)
	if err != nil {
		return nil, err
	}
	h := &Hall{event: event, refreshing: make(chan struct{}, 1), view: view, registry: hs, used: time.Now(), followers: map[*Follower]struct{}{}}
	hs.halls[event] = hs.recent.PushFront(h)
	hs.evict()
	if !hs.sweeping {
		hs.sweeping = true
		time.AfterFunc(idleTime, hs.sweep)
	}
	return h, nil
}

// evict drops the least recently used views until the limits are kept. hs.mu is locked.
func (hs *Halls) evict() {
	for element := hs.recent.Back(); element != nil && (hs.recent.Len() > maxHalls || hs.seats > maxSeats); {
		previous := element.Prev()
		if element != hs.recent.Front() {
			hs.drop(element)
		}
		element = previous
	}
}

// drop removes a view unless it has followers. hs.mu is locked.
func (hs *Halls) drop(element *list.Element) {
	h := element.Value.(*Hall)
	if len(h.followers) > 0 {
		return
	}
	hs.recent.Remove(element)
	delete(hs.halls, h.event)
	hs.seats -= h.seats
	h.seats = 0
}

// sweep drops the views that were not used for idleTime.
func (hs *Halls) sweep() {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	for element := hs.recent.Back(); element != nil; {
		previous := element.Prev()
		if time.Since(element.Value.(*Hall).used) >= idleTime {
			hs.drop(element)
		}
		element = previous
	}
	if hs.sweeping = hs.recent.Len() > 0; hs.sweeping {
		time.AfterFunc(idleTime/4, hs.sweep)
	}
}

// measure records how many seats a view has.
func (hs *Halls) measure(h *Hall, seats int) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if element := hs.halls[h.event]; element == nil || element.Value != h {
		return // it was dropped
	}
	hs.seats += seats - h.seats
	h.seats = seats
	hs.evict()
}

// newFollower adds a Follower to the view of an event, which then stays in memory.
func (hs *Halls) newFollower(event string) (*Follower, error) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	h, err := hs.hall(event)
	if err != nil {
		return nil, err
	}
	if len(h.followers) == 0 {
		hs.followed++
	}
	f := &Follower{hall: h, changed: make(chan struct{}, 1)}
	h.followers[f] = struct{}{}
	return f, nil
}

func (hs *Halls) removeFollower(f *Follower) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if _, there := f.hall.followers[f]; !there {
		return
	}
	delete(f.hall.followers, f)
	if len(f.hall.followers) == 0 {
		hs.followed--
		f.hall.used = time.Now()
	}
}

// eachFollower calls act for each follower of h, with hs.mu locked.
func (hs *Halls) eachFollower(h *Hall, act func(*Follower)) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	for f := range h.followers {
		act(f)
	}
}

// takePending returns what f has collected.
func (hs *Halls) takePending(f *Follower) Batch {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	batch := f.pending
	f.pending = Batch{}
	return batch
}

// subscribe subscribes to the changes of h if it has followers, and otherwise ends that.
// Without Redis it fails; but the client knows what it was asked for, and does it when Redis is
// back.
func (hs *Halls) subscribe(h *Hall) {
	hs.subscribing.Lock()
	defer hs.subscribing.Unlock()
	hs.mu.Lock()
	wanted := len(h.followers) > 0
	hs.mu.Unlock()
	if wanted == h.subscribed {
		return
	}
	h.subscribed = wanted
	if hs.subscription == nil {
		hs.subscription = hs.source.Subscribe()
		go hs.dispatch(hs.subscription.Events())
	}
	ctx, cancel := context.WithTimeout(context.Background(), subscribeTimeout)
	defer cancel()
	if wanted {
		_ = hs.subscription.Add(ctx, h.event)
	} else {
		_ = hs.subscription.Remove(ctx, h.event)
	}
}

// dispatch signals the followers of each event.
func (hs *Halls) dispatch(events <-chan string) {
	for event := range events {
		hs.mu.Lock()
		element := hs.halls[event]
		hs.mu.Unlock()
		if element != nil {
			hs.eachFollower(element.Value.(*Hall), (*Follower).Signal)
		}
	}
}

// Interval returns how often a follower refreshes its view although no message came, in case
// one was lost: once a second, or less often if there are over a thousand events to follow.
func (hs *Halls) Interval() time.Duration {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return max(time.Second, time.Duration(hs.followed)*time.Millisecond)
}

// Stats are figures of the views of a process.
type Stats struct {
	Halls, Seats, Reloads int
}

// Stats returns the figures of now.
func (hs *Halls) Stats() Stats {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	return Stats{Halls: len(hs.halls), Seats: hs.seats, Reloads: int(hs.reloads.Load())}
}
