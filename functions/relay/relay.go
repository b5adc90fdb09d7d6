// Package relay is the function that sends every change of the events that were put to a sink, as
// CloudEvents: at least once, and in order within an event.
package relay

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"booking/functions/internal/sink"
	"booking/seatlock"
)

const (
	// listInterval is how often the list of events is read.
	listInterval = 500 * time.Millisecond
	// listPage is how many events a command reads.
	listPage = 1000
	// maxCommands is how many commands to Redis may be in flight.
	maxCommands = 16
	// subscribeTimeout is how long Redis may take to begin a subscription. After that, the client
	// begins it when it can.
	subscribeTimeout = time.Second
	// releaseTimeout is how long the leases may take to be given back.
	releaseTimeout = 2 * time.Second
	// logInterval is how often a failure is logged at most.
	logInterval = 10 * time.Second
)

// Options of a Relay.
type Options struct {
	Source  string        // the source of the events is this, and /events/ and the event; "" means /booking
	Batch   int           // how many events a request has at most; 0 means 1. Above 1, each is batched
	Kept    int           // how many changes of an event are kept while they wait; 0 means 100,000
	Backoff time.Duration // how long the first retry waits at most; 0 means 500 ms
	Sink    sink.Options
}

// Lease is the part of seatlock.Relay that a Relay uses.
type Lease interface {
	Refresh(ctx context.Context, sent string) (seatlock.RelayState, error)
	Remaining() time.Duration
	Release(ctx context.Context, sent string) error
}

// Subscription is the part of seatlock.Subscription that a Relay uses.
type Subscription interface {
	Add(ctx context.Context, event string) error
	Remove(ctx context.Context, event string) error
	Events() <-chan string
	Close() error
}

// Source has the events and their changes.
type Source interface {
	Events(ctx context.Context, after string, limit int) ([]string, error)
	Journal(ctx context.Context, event, after string, limit int) ([]seatlock.Entry, error)
	NewRelay(event string, kept int) (Lease, error)
	Subscribe() Subscription
}

// redisSource is the Source of a Locker.
type redisSource struct{ *seatlock.Locker }

func (s redisSource) NewRelay(event string, kept int) (Lease, error) {
	return s.Locker.NewRelay(event, kept)
}
func (s redisSource) Subscribe() Subscription { return s.Locker.Subscribe() }

// Stats are the numbers of a Relay since it began.
type Stats struct {
	Events   int           // that it follows
	Stopped  int           // of these: how many wait, because the sink answered 410
	Unsent   int           // changes that were read and wait
	Lag      time.Duration // how long the oldest of them has waited
	Sent     int64         // events of CloudEvents that the sink received
	Failures int64         // requests that failed
	Resets   int64         // how often changes were lost before they were sent
}

// Relay sends the changes of events to a sink.
type Relay struct {
	opt      Options
	source   Source
	sink     *sink.Sink
	commands *semaphore.Weighted
	requests *semaphore.Weighted
	logged   rate.Sometimes

	sent, failures, resets atomic.Int64

	mu        sync.Mutex
	followers map[string]*follower
	ended     map[string]string // of the followers that ended because their event is gone: what they sent last, by event
}

// New returns a Relay of the events in the Redis of locker.
func New(locker *seatlock.Locker, opt Options) *Relay { return NewFrom(redisSource{locker}, opt) }

// NewFrom returns a Relay of another source.
func NewFrom(source Source, opt Options) *Relay {
	opt.Source = cmp.Or(opt.Source, "/booking")
	opt.Batch, opt.Kept, opt.Backoff = cmp.Or(opt.Batch, 1), cmp.Or(opt.Kept, 100_000), cmp.Or(opt.Backoff, 500*time.Millisecond)
	opt.Sink.Batched = opt.Batch > 1
	return &Relay{
		opt: opt, source: source, sink: sink.New(opt.Sink), followers: map[string]*follower{}, ended: map[string]string{},
		commands: semaphore.NewWeighted(maxCommands), requests: semaphore.NewWeighted(sink.MaxInFlight),
		logged: rate.Sometimes{First: 1, Interval: logInterval},
	}
}

// Run sends the changes until ctx ends. Then it cuts off the requests in flight, gives the leases
// back, and returns.
func (r *Relay) Run(ctx context.Context) {
	subscription := r.source.Subscribe()
	dispatched := make(chan struct{})
	go func() {
		defer close(dispatched)
		for event := range subscription.Events() {
			r.signal(event)
		}
	}()
	var running sync.WaitGroup
	for ctx.Err() == nil {
		events, err := r.list(ctx)
		if err != nil && ctx.Err() == nil {
			r.logged.Do(func() { slog.Warn("the relay can't read the list of events; it retries", "error", err) })
		}
		for _, event := range events {
			r.follow(ctx, &running, subscription, event)
		}
		pause(ctx, nil, listInterval)
	}
	running.Wait()
	if err := subscription.Close(); err != nil {
		slog.Warn("the relay's subscription did not close", "error", err)
	}
	<-dispatched
}

// list returns all events that were put.
func (r *Relay) list(ctx context.Context) (events []string, err error) {
	for after := ""; ; after = events[len(events)-1] {
		page, err := r.source.Events(ctx, after, listPage)
		if err != nil {
			return nil, err
		}
		if events = append(events, page...); len(page) < listPage {
			return events, nil
		}
	}
}

// follow begins to follow an event, unless it is followed.
func (r *Relay) follow(ctx context.Context, running *sync.WaitGroup, subscription Subscription, event string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.followers[event] != nil {
		return
	}
	lease, err := r.source.NewRelay(event, r.opt.Kept)
	if err != nil {
		slog.Error("the relay can't follow an event", "event_id", event, "error", err)
		return
	}
	f := &follower{relay: r, event: event, lease: lease, changed: make(chan struct{}, 1), sent: r.ended[event]}
	r.followers[event] = f
	delete(r.ended, event)
	running.Go(func() {
		f.subscribe(ctx, subscription.Add)
		f.run(ctx)
		f.subscribe(ctx, subscription.Remove)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.followers, event)
		if f.sent != "" {
			r.ended[event] = f.sent
		}
	})
}

// signal wakes the follower of an event.
func (r *Relay) signal(event string) {
	r.mu.Lock()
	f := r.followers[event]
	r.mu.Unlock()
	if f == nil {
		return
	}
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// command calls send, which sends a command to Redis, when few enough others are in flight.
func (r *Relay) command(ctx context.Context, send func() error) error {
	if err := r.commands.Acquire(ctx, 1); err != nil {
		return err
	}
	defer r.commands.Release(1)
	return send()
}

// Stats returns the numbers of now.
func (r *Relay) Stats() Stats {
	s := Stats{Sent: r.sent.Load(), Failures: r.failures.Load(), Resets: r.resets.Load()}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Events = len(r.followers)
	for _, f := range r.followers {
		f.mu.Lock()
		s.Unsent += f.unsent
		if f.unsent > 0 {
			s.Lag = max(s.Lag, time.Since(f.oldest))
		}
		if f.stopped {
			s.Stopped++
		}
		f.mu.Unlock()
	}
	return s
}

// pause waits until d has passed, signal receives a value or ctx ends. signal may be nil.
func pause(ctx context.Context, signal <-chan struct{}, d time.Duration) (signaled bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-signal:
		return true
	}
	return false
}
