// Package hall keeps live views of events: a copy of an event's seats in this process, which
// all its readers share. A view is loaded once, and then only follows the changes.
package hall

import (
	"context"
	"iter"
	"time"

	"booking/seatlock"
)

// Hall is the view of one event. It is safe for concurrent use.
type Hall struct {
	event string

	refreshing chan struct{} // its capacity is 1: who sends owns the fields below
	view       View
	refreshed  time.Time // when the last successful Refresh of view began
	failed     time.Time // when the last Refresh that failed began
	failure    error
	nextExpiry time.Duration // after refreshed; negative if no seat is held
	snapshot   *Snapshot     // the last one; nil before the first
	counts     Counts
	countsOf   string // the ETag of the view that counts are of

	registry *Halls
	// The registry guards the fields below.
	used       time.Time
	seats      int
	followers  map[*Follower]struct{}
	subscribed bool
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
// since asked at the earliest; caller is its follower, nil if it has none. If a refresh failed since then, refresh returns its error: the
// callers that waited for it must not wait for Redis one after the other.
func (h *Hall) refresh(ctx context.Context, asked time.Time, maxAge time.Duration, caller *Follower) error {
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
		h.collect(update, caller)
		if !update.More {
			h.refreshed, h.nextExpiry = began, update.NextExpiry
			h.registry.measure(h, h.view.Len())
			return nil
		}
	}
}

// collect keeps an update for the followers, and signals all but the caller, who takes it now.
func (h *Hall) collect(update seatlock.Update, caller *Follower) {
	if update.Reset {
		h.registry.reloads.Add(1)
	}
	if update.Reset || len(update.Changes) > 0 {
		h.registry.eachFollower(h, func(f *Follower) {
			if update.Reset {
				f.pending = Batch{Reset: true}
			}
			if f.pending.Changes = append(f.pending.Changes, update.Changes...); len(f.pending.Changes) > maxPending {
				f.pending = Batch{Reset: true}
			}
			if f != caller {
				f.Signal()
			}
		})
	}
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
	if err := h.refresh(ctx, asked, maxAge, nil); err != nil {
		return nil, err
	}
	if etag := etagOf(h.view); known(etag) {
		return &Snapshot{ETag: etag, Taken: h.refreshed}, nil
	}
	h.snapshot = newSnapshot(h.event, h.refreshed, h.view)
	return h.snapshot, nil
}

// Seats refreshes the view. It returns the seats that are not Available, in the order of their IDs,
// and the position of the last change in them. A later refresh does not change them.
func (h *Hall) Seats(ctx context.Context) (seats iter.Seq[seatlock.Seat], position string, err error) {
	asked := time.Now()
	if err := h.begin(ctx); err != nil {
		return nil, "", err
	}
	defer h.end()
	if err := h.refresh(ctx, asked, 0, nil); err != nil {
		return nil, "", err
	}
	return h.view.Seats(), h.view.Position(), nil
}

// Counts are the numbers of seats that are not available, by status.
type Counts struct {
	Reserved, Sold, Blocked int
}

// Counts returns counts that are at most maxAge old.
func (h *Hall) Counts(ctx context.Context, maxAge time.Duration) (Counts, error) {
	asked := time.Now()
	if err := h.begin(ctx); err != nil {
		return Counts{}, err
	}
	defer h.end()
	if err := h.refresh(ctx, asked, maxAge, nil); err != nil {
		return Counts{}, err
	}
	if etag := etagOf(h.view); h.countsOf != etag {
		h.counts, h.countsOf = Counts{}, etag
		for seat := range h.view.Seats() {
			switch seat.Status {
			case seatlock.Reserved:
				h.counts.Reserved++
			case seatlock.Sold:
				h.counts.Sold++
			case seatlock.Blocked:
				h.counts.Blocked++
			}
		}
	}
	return h.counts, nil
}

// SeatsOf returns the seats of a user as of now. It may return a few of other users, so compare them
// with seatlock.Locker.Holdings.
func (h *Hall) SeatsOf(ctx context.Context, user string) ([]string, error) {
	asked := time.Now()
	if err := h.begin(ctx); err != nil {
		return nil, err
	}
	defer h.end()
	if err := h.refresh(ctx, asked, 0, nil); err != nil {
		return nil, err
	}
	return h.view.SeatsOf(context.WithoutCancel(ctx), user) // the first call loads the users, for others, too
}
