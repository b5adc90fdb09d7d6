package changes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"booking/functions/internal/api"
	"booking/functions/internal/hall"
	"booking/seatlock"
)

const (
	// keptChanges is how many changes of its last frames a feed keeps for clients that resume.
	keptChanges = 1024
	// heartbeat is the interval of the comments that keep silent streams alive.
	heartbeat = 15 * time.Second
	// sweepInterval is how often a feed looks for clients that hung up.
	sweepInterval = time.Second
	// quietTime is how long a feed reads on after a change. Redis announces only the first
	// change after 10 ms without one.
	quietTime = 20 * time.Millisecond
	// retryDelay is how long a feed waits during an outage of Redis.
	retryDelay = 200 * time.Millisecond
	// sendShare is how many streams are worth a goroutine that sends to them.
	sendShare = 256
)

// feeds are the feeds of a process, one an event that has streams.
type feeds struct {
	halls    *hall.Halls
	interval time.Duration // between frames

	mu     sync.Mutex
	events map[string]*feed
	closed bool
}

// feed sends the changes of an event to its streams. It encodes each frame once.
type feed struct {
	event    string
	halls    *hall.Halls
	users    int // streams that are open or about to be; feeds.mu guards it
	stop     context.CancelFunc
	started  chan struct{}
	follower *hall.Follower // set before started is closed, unless err is
	err      error

	mu       sync.Mutex
	position string            // of the last change that was sent
	from     string            // the position before kept
	kept     []seatlock.Change // the last changes that were sent
	streams  map[*stream]struct{}
	sent     chan struct{} // closed when position moves
}

// acquire returns the feed of an event, which runs until release was called as often.
func (fs *feeds) acquire(ctx context.Context, event string) (*feed, error) {
	fs.mu.Lock()
	if fs.closed {
		fs.mu.Unlock()
		return nil, errClosed
	}
	f := fs.events[event]
	if f == nil {
		running, stop := context.WithCancel(context.Background())
		f = &feed{event: event, halls: fs.halls, started: make(chan struct{}), stop: stop, streams: map[*stream]struct{}{}, sent: make(chan struct{})}
		fs.events[event] = f
		go f.run(running, fs.interval)
	}
	f.users++
	fs.mu.Unlock()
	select {
	case <-f.started:
	case <-ctx.Done():
		fs.release(f)
		return nil, ctx.Err()
	}
	if f.err != nil {
		fs.release(f)
		return nil, f.err
	}
	return f, nil
}

func (fs *feeds) release(f *feed) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.users--
	if f.users == 0 {
		delete(fs.events, f.event)
		f.stop()
	}
}

// close ends all streams.
func (fs *feeds) close() {
	fs.mu.Lock()
	fs.closed = true
	var all []*stream
	for _, f := range fs.events {
		f.mu.Lock()
		for s := range f.streams {
			all = append(all, s)
		}
		f.mu.Unlock()
	}
	fs.mu.Unlock()
	for _, s := range all {
		s.close()
	}
}

// run sends frames until ctx ends: the first after silence at once, then one an interval.
func (f *feed) run(ctx context.Context, interval time.Duration) {
	f.follower, f.position, f.err = f.halls.Follow(ctx, f.event)
	f.from = f.position
	close(f.started)
	if f.err != nil {
		return
	}
	defer f.follower.Close()
	var lastFrame, lastSweep time.Time
	lastHeartbeat := time.Now()
	wait := quietTime
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-f.follower.Changed():
		case <-timer.C:
		}
		if !pause(ctx, interval-time.Since(lastFrame)) {
			return
		}
		batch, nextExpiry, err := f.follower.Take(ctx)
		now := time.Now()
		wait = f.halls.Interval()
		switch {
		case err != nil:
			wait = retryDelay
		case batch.Reset || len(batch.Changes) > 0:
			f.advance(batch)
			lastFrame, lastHeartbeat, wait = now, now, max(interval, quietTime)
		case nextExpiry >= 0:
			wait = min(wait, max(nextExpiry, time.Millisecond))
		}
		if now.Sub(lastFrame) < quietTime { // the announcement of a change that was read already
			wait = min(wait, max(interval, quietTime))
		}
		if now.Sub(lastSweep) >= sweepInterval {
			lastSweep = now
			f.each(nil, func(s *stream) {
				if s.hungUp() {
					s.close()
				}
			})
		}
		if now.Sub(lastHeartbeat) >= heartbeat {
			lastHeartbeat = now
			f.each(nil, func(s *stream) { s.send([]byte(": alive\n\n")) })
		}
		wait = min(wait, sweepInterval)
	}
}

// pause waits for d. It reports false if ctx ends.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// advance sends a batch to all streams.
func (f *feed) advance(batch hall.Batch) {
	var frame []byte
	if batch.Reset {
		frame = resetFrame(batch.Position)
		if len(batch.Changes) > 0 { // they are in the seat map that the client loads
			batch.Changes = nil
		}
	} else {
		frame = encode(f.event, batch.Changes)
	}
	f.each(func() {
		if batch.Reset {
			f.from, f.kept = batch.Position, nil
		}
		f.kept = append(f.kept, batch.Changes...)
		if surplus := len(f.kept) - keptChanges; surplus > 0 {
			f.from, f.kept = f.kept[surplus-1].ID, slices.Clone(f.kept[surplus:])
		}
		f.position = batch.Position
		close(f.sent)
		f.sent = make(chan struct{})
	}, func(s *stream) { s.send(frame) })
}

// each calls act for every stream, in several goroutines if there are many. First it calls
// begin with f.mu locked, unless begin is nil. A stream that joins later is not among them.
func (f *feed) each(begin func(), act func(*stream)) {
	f.mu.Lock()
	if begin != nil {
		begin()
	}
	all := make([]*stream, 0, len(f.streams))
	for s := range f.streams {
		all = append(all, s)
	}
	f.mu.Unlock()
	share := max(sendShare, (len(all)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	var sending sync.WaitGroup
	for part := range slices.Chunk(all, share) {
		if len(part) == len(all) {
			for _, s := range part {
				act(s)
			}
			return
		}
		sending.Go(func() {
			for _, s := range part {
				act(s)
			}
		})
	}
	sending.Wait()
}

// join adds a stream that has the changes up to a position, and sends it those that follow.
// If the feed does not have the position, join reports whether it is ahead of what the feed
// has sent, and returns a channel that is closed when the feed has sent more.
func (f *feed) join(s *stream, position string) (joined, ahead bool, sent <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if position != f.position {
		i := slices.IndexFunc(f.kept, func(c seatlock.Change) bool { return c.ID == position })
		if i < 0 && position != f.from {
			f.follower.Signal()
			return false, after(position, f.position), f.sent
		}
		s.send(encode(f.event, f.kept[i+1:]))
	}
	if !s.isClosed() { // it leaves only once
		f.streams[s] = struct{}{}
	}
	return true, false, nil
}

func (f *feed) leave(s *stream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.streams, s)
}

// after reports whether position a comes after position b, both IDs of changes.
func after(a, b string) bool {
	a1, a2 := parts(a)
	b1, b2 := parts(b)
	return a1 > b1 || a1 == b1 && a2 > b2
}

func parts(id string) (first, second uint64) {
	a, b, _ := strings.Cut(id, "-")
	first, _ = strconv.ParseUint(a, 10, 64)
	second, _ = strconv.ParseUint(b, 10, 64)
	return first, second
}

// change is the data of an event. The name of the event is the type of the change.
type change struct {
	EventID   string   `json:"event_id"`
	SeatIDs   []string `json:"seat_ids"`
	Status    string   `json:"status"`                // of the seats after the change
	ToSeatIDs []string `json:"to_seat_ids,omitempty"` // only of exchanged: the seats that are sold instead
	ExpiresAt string   `json:"expires_at,omitempty"`  // only if Status is Reserved
}

// statusAfter is the status of the seats after each type of change.
var statusAfter = map[seatlock.ChangeType]seatlock.Status{
	seatlock.ChangeHeld: seatlock.Reserved, seatlock.ChangeExtended: seatlock.Reserved, seatlock.ChangeSold: seatlock.Sold,
	seatlock.ChangeReleased: seatlock.Available, seatlock.ChangeExpired: seatlock.Available,
	seatlock.ChangeReturned: seatlock.Available, seatlock.ChangeExchanged: seatlock.Available, seatlock.ChangeBlocked: seatlock.Blocked, seatlock.ChangeUnblocked: seatlock.Available,
}

// encode returns changes as events, one an event.
func encode(event string, changes []seatlock.Change) []byte {
	var b bytes.Buffer
	for _, c := range changes {
		data := change{EventID: event, SeatIDs: c.SeatIDs, Status: statusAfter[c.Type].String(), ToSeatIDs: c.ToSeatIDs}
		if !c.Deadline.IsZero() {
			data.ExpiresAt = api.Time(c.Deadline)
		}
		encoded, err := json.Marshal(data)
		if err != nil {
			panic(err) // unreachable: change has only strings
		}
		fmt.Fprintf(&b, "id: %s\nevent: %s\ndata: %s\n\n", c.ID, c.Type, encoded)
	}
	return b.Bytes()
}

// resetFrame tells the client that changes before a position were lost.
func resetFrame(position string) []byte {
	return fmt.Appendf(nil, "id: %s\nevent: reset\ndata: {}\n\n", position)
}
