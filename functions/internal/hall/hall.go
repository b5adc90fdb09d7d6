// Package hall keeps live views of events: a copy of an event's seats in this process, which
// all its readers share. A view is loaded once, and then only follows the changes.
package hall

import (
	"context"
	"time"

	"booking/seatlock"
)

// Hall is the view of one event. It is safe for concurrent use.
type Hall struct {
	event   string
	changed chan struct{} // see Changed; its capacity is 1

	refreshing chan struct{} // its capacity is 1: who sends owns the fields below
	view       View
	refreshed  time.Time // when the last successful Refresh of view began
	failed     time.Time // when the last Refresh that failed began
	failure    error
	nextExpiry time.Duration // after refreshed; negative if no seat is held
	snapshot   *Snapshot     // the last one; nil before the first
	following  bool          // pending collects changes
	pending    Batch

	registry *Halls
	// The registry guards the fields below.
	used       time.Time
	seats      int
	followers  int
	subscribed bool
}

// Batch is what happened since an earlier one.
type Batch struct {
	Changes  []seatlock.Change
	Reset    bool   // changes before Changes were lost
	Position string // of the last change
}

// begin waits for the right to use the view.
func (h *Hall) begin(ctx context.Context) error {
	select {
	case h.refreshing <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *Hall) end() { <-h.refreshing }

// refresh brings the view up to date unless it is at most maxAge old. The caller owns the view
// since asked at the earliest. If a refresh failed since then, refresh returns its error: the
// callers that waited for it must not wait for Redis one after the other.
func (h *Hall) refresh(ctx context.Context, asked time.Time, maxAge time.Duration) error {
	if !h.refreshed.IsZero() && (time.Since(h.refreshed) <= maxAge || !h.refreshed.Before(asked)) {
		return nil
	}
	if !h.failed.Before(asked) {
		return h.failure
	}
	ctx = context.WithoutCancel(ctx) // others wait for it, too
	for {
		began := time.Now()
		update, err := h.view.Refresh(ctx)
		if err != nil {
			h.failed, h.failure = began, err
			return err
		}
		h.collect(update)
		if !update.More {
			h.refreshed, h.nextExpiry = began, update.NextExpiry
			h.registry.measure(h, h.view.Len())
			return nil
		}
	}
}

// collect keeps an update for the follower.
func (h *Hall) collect(update seatlock.Update) {
	if update.Reset {
		h.registry.reloads.Add(1)
		h.pending = Batch{Reset: true}
	}
	if !h.following {
		return
	}
	h.pending.Changes = append(h.pending.Changes, update.Changes...)
	if update.Reset || len(update.Changes) > 0 {
		h.Signal()
	}
}

// Signal makes Changed receive a value.
func (h *Hall) Signal() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// Follow begins to collect changes for one follower, which calls Take. It returns the position
// after which they begin, and a function that ends that.
func (h *Hall) Follow(ctx context.Context) (position string, unfollow func(), err error) {
	asked := time.Now()
	h.registry.follow(h)
	if err := h.begin(ctx); err != nil {
		h.registry.unfollow(h)
		return "", nil, err
	}
	defer h.end()
	if err := h.refresh(ctx, asked, 0); err != nil {
		h.registry.unfollow(h)
		return "", nil, err
	}
	h.following, h.pending = true, Batch{}
	h.registry.subscribe(h)
	return h.view.Position(), func() {
		_ = h.begin(context.Background()) // it has no deadline
		h.following, h.pending = false, Batch{}
		h.end()
		h.registry.unfollow(h)
	}, nil
}

// Changed receives a value if Take has something, or if a refresh may find something.
func (h *Hall) Changed() <-chan struct{} { return h.changed }

// Take refreshes the view and returns what happened since the last Take, and how long until
// the next hold ends, negative if no seat is held.
func (h *Hall) Take(ctx context.Context) (Batch, time.Duration, error) {
	asked := time.Now()
	if err := h.begin(ctx); err != nil {
		return Batch{}, 0, err
	}
	defer h.end()
	if err := h.refresh(ctx, asked, 0); err != nil {
		return Batch{}, 0, err
	}
	batch := h.pending
	batch.Position = h.view.Position()
	h.pending = Batch{}
	return batch, h.nextExpiry, nil
}

// Position refreshes the view and returns its position: all changes so far are before it.
func (h *Hall) Position(ctx context.Context) (string, error) {
	asked := time.Now()
	if err := h.begin(ctx); err != nil {
		return "", err
	}
	defer h.end()
	if err := h.refresh(ctx, asked, 0); err != nil {
		return "", err
	}
	return h.view.Position(), nil
}

// SeatMap returns a snapshot of the seats that is at most maxAge old. If known accepts its
// ETag, the snapshot may have no body.
func (h *Hall) SeatMap(ctx context.Context, maxAge time.Duration, known func(etag string) bool) (*Snapshot, error) {
	asked := time.Now()
	if err := h.begin(ctx); err != nil {
		return nil, err
	}
	defer h.end()
	if s := h.snapshot; s != nil && time.Since(s.Taken) <= maxAge {
		return s, nil
	}
	if err := h.refresh(ctx, asked, maxAge); err != nil {
		return nil, err
	}
	if etag := etagOf(h.view); known(etag) {
		return &Snapshot{ETag: etag, Taken: h.refreshed}, nil
	}
	h.snapshot = newSnapshot(h.event, h.refreshed, h.view)
	return h.snapshot, nil
}
