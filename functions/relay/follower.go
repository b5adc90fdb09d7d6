package relay

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"

	"booking/functions/internal/sink"
	"booking/seatlock"
)

const (
	// pollInterval is how often an event is looked at without a message, or while the sink fails. It is
	// well below the time of a lease, so that a lease does not end meanwhile.
	pollInterval = 4 * time.Second
	// quietInterval follows a change: for 10 ms after one, no message comes.
	quietInterval = 20 * time.Millisecond
	// sendMargin must remain of the lease when a request ends, though the clocks of Redis and of this
	// process differ in speed.
	sendMargin = time.Second
	// slotWait is how long a follower waits for other requests before it renews its lease.
	slotWait = time.Second
	// pageSize is how many entries are read, and sent between two moves of the cursor, unless a
	// request has more.
	pageSize = 100
	// maxBackoff limits how long a retry waits: each one twice as long as the one before.
	maxBackoff = time.Minute
)

// follower sends the changes of one event.
type follower struct {
	relay   *Relay
	event   string
	lease   Lease
	changed chan struct{} // its capacity is 1

	sent        string // the last entry that the sink received from this process; "" for none
	failures    int    // since the sink received something
	retryAt     time.Time
	stoppedAt   int64 // the version of the event when the sink answered 410; 0: it did not
	activeUntil time.Time

	mu      sync.Mutex // guards what Stats reads
	oldest  time.Time  // when the oldest change that waits was made, by the clock of this process
	unsent  int
	stopped bool
}

// subscribe calls change, which begins or ends the subscription to the event. Without Redis it
// fails; but the client does it when Redis is back.
func (f *follower) subscribe(ctx context.Context, change func(context.Context, string) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), subscribeTimeout)
	defer cancel()
	_ = change(ctx, f.event)
}

// run sends changes until ctx ends or the event is deleted.
func (f *follower) run(ctx context.Context) {
	for ctx.Err() == nil {
		wait, err := f.step(ctx)
		if errors.Is(err, seatlock.ErrUnknownEvent) {
			return
		}
		if err != nil && ctx.Err() == nil {
			f.relay.logged.Do(func() { slog.Warn("the relay waits for Redis", "event_id", f.event, "error", err) })
		}
		signal := f.changed
		if time.Now().Before(f.retryAt) {
			signal = nil
		}
		if pause(ctx, signal, wait) {
			f.activeUntil = time.Now().Add(quietInterval)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	err := f.relay.command(ctx, func() error { return f.lease.Release(ctx, f.sent) })
	if err != nil {
		slog.Warn("the relay could not give a lease back; it ends by itself", "event_id", f.event, "error", err)
	}
}

// step moves the cursor, and sends a page of changes if there are some. It returns how long to wait
// for the next step.
func (f *follower) step(ctx context.Context) (wait time.Duration, err error) {
	var state seatlock.RelayState
	err = f.relay.command(ctx, func() (err error) {
		state, err = f.lease.Refresh(ctx, f.sent)
		return err
	})
	switch {
	case errors.Is(err, seatlock.ErrLeased):
		f.setUnsent(0, time.Time{})
		return min(state.LeasedFor, pollInterval) + jitter(time.Second), nil
	case err != nil:
		return time.Second + jitter(time.Second), err
	case !state.Leased:
		f.setUnsent(0, time.Time{})
		return f.idle(state.NextExpiry), nil
	case f.stoppedAt == state.Version:
		return pollInterval, nil
	case time.Now().Before(f.retryAt):
		return min(time.Until(f.retryAt), pollInterval), nil
	}
	f.setStopped(0)

	position := state.Cursor
	if f.sent != "" && isBefore(position, f.sent) {
		position = f.sent
	}
	entries, last, err := f.read(ctx, position, state)
	if err != nil {
		return time.Second + jitter(time.Second), err
	}
	if len(entries) == 0 {
		f.sent = position
		return quietInterval, nil
	}
	f.send(ctx, entries, last, state)
	return 0, nil
}

// idle returns how long to wait if no change waits.
func (f *follower) idle(nextExpiry time.Duration) time.Duration {
	if time.Now().Before(f.activeUntil) {
		return quietInterval
	}
	wait := pollInterval - jitter(time.Second)
	if nextExpiry >= 0 {
		wait = max(quietInterval, min(wait, nextExpiry))
	}
	return wait
}

// read returns the entries after a position, and the position after the last of them. If some of them
// were lost, it returns one that says so.
func (f *follower) read(ctx context.Context, position string, state seatlock.RelayState) (entries []seatlock.Entry, last string, err error) {
	err = f.relay.command(ctx, func() (err error) {
		entries, err = f.relay.source.Journal(ctx, f.event, position, max(pageSize, f.relay.opt.Batch))
		return err
	})
	switch {
	case errors.Is(err, seatlock.ErrReset):
		f.relay.logged.Do(func() {
			slog.Error("changes were lost before the relay sent them; it sends booking.seats.reset", "event_id", f.event, "after", position, "until", state.Last)
		})
		return []seatlock.Entry{newReset(position, state.Last, state.Now)}, state.Last, nil
	case err != nil || len(entries) == 0:
		return nil, "", err
	}
	return entries, entries[len(entries)-1].ID, nil
}

// send sends entries, while the lease lasts. Whatever happens, the next step must follow at once, to
// renew the lease: a request may have taken most of it.
func (f *follower) send(ctx context.Context, entries []seatlock.Entry, last string, state seatlock.RelayState) {
	now := time.Now()
	left := len(entries)
	for chunk := range slices.Chunk(entries, f.relay.opt.Batch) {
		f.setUnsent(left, now.Add(-state.Now.Sub(chunk[0].Time)))
		end := chunk[len(chunk)-1].ID
		if chunk[0].Type == resetType {
			end = last
		}
		switch err := f.sendChunk(ctx, chunk, end); {
		case errors.Is(err, errNoSlot), err != nil && ctx.Err() != nil:
			return
		case errors.Is(err, sink.ErrGone):
			f.setStopped(state.Version)
			slog.Error("the sink answered 410 Gone: the relay sends no more changes of this event; to go on, put the event again or restart the relay", "event_id", f.event)
			return
		case err != nil:
			f.fail(err)
			return
		}
		left -= len(chunk)
		f.sent, f.failures, f.retryAt = end, 0, time.Time{}
	}
	f.activeUntil = time.Now().Add(quietInterval)
}

// errNoSlot means that a request was not sent: too many others are in flight, or too little of the
// lease remains.
var errNoSlot = errors.New("relay: not sent")

// sendChunk sends entries in one request.
func (f *follower) sendChunk(ctx context.Context, entries []seatlock.Entry, end string) error {
	events := make([]cloudevent.Event, len(entries))
	for i, entry := range entries {
		position := entry.ID
		if entry.Type == resetType {
			position = end
		}
		var err error
		if events[i], err = newEvent(f.relay.opt.Source, f.event, entry, position); err != nil {
			return err
		}
	}
	slot, cancel := context.WithTimeout(ctx, slotWait)
	defer cancel()
	if f.relay.requests.Acquire(slot, 1) != nil {
		return errNoSlot
	}
	defer f.relay.requests.Release(1)
	if f.lease.Remaining() < sink.Timeout+sendMargin {
		return errNoSlot
	}
	err := f.relay.sink.Send(ctx, requestID(f.event, entries), events...)
	switch {
	case err == nil:
		f.relay.sent.Add(int64(len(entries)))
		if entries[0].Type == resetType {
			f.relay.resets.Add(1)
		}
	case ctx.Err() == nil:
		f.relay.failures.Add(1)
	}
	return err
}

// fail sets when to retry.
func (f *follower) fail(err error) {
	wait := min(f.relay.opt.Backoff<<min(f.failures, 16), maxBackoff)
	wait -= jitter(wait / 2)
	if status, ok := errors.AsType[*sink.StatusError](err); ok {
		wait = max(wait, status.RetryAfter)
	}
	f.failures++
	f.retryAt = time.Now().Add(wait)
	f.relay.logged.Do(func() {
		slog.Warn("the sink does not take changes; the relay retries", "event_id", f.event, "attempts", f.failures, "retry_in", wait.Round(time.Millisecond).String(), "error", err)
	})
}

// setUnsent records how many changes wait, and since when the oldest one.
func (f *follower) setUnsent(n int, oldest time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unsent, f.oldest = n, oldest
}

// setStopped records that the sink answered 410 at a version of the event; 0: it did not.
func (f *follower) setStopped(version int64) {
	f.stoppedAt = version
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = version != 0
}

// jitter returns a random duration below d.
func jitter(d time.Duration) time.Duration { return rand.N(d) }
