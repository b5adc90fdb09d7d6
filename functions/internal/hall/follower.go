package hall

import (
	"context"
	"time"

	"booking/seatlock"
)

// Follower collects the changes of an event. It keeps the view in memory until Close.
type Follower struct {
	hall    *Hall
	changed chan struct{} // its capacity is 1
	pending Batch         // the registry guards it
}

// Batch is what happened since an earlier one.
type Batch struct {
	Changes  []seatlock.Change
	Reset    bool   // changes before Changes were lost
	Position string // of the last change

	Refreshed time.Time // when the refresh began that brought the view to Position
}

// maxPending limits the changes that a Follower collects. If it is slower, it gets a Reset.
const maxPending = 50_000

// Follow returns a Follower of an event, and the position after which its changes begin. It
// fails with seatlock.ErrInvalid or seatlock.ErrUnavailable.
func (hs *Halls) Follow(ctx context.Context, event string) (f *Follower, position string, err error) {
	f, err = hs.newFollower(event)
	if err != nil {
		return nil, "", err
	}
	batch, _, err := f.Take(ctx)
	if err != nil {
		f.Close()
		return nil, "", err
	}
	hs.subscribe(f.hall)
	return f, batch.Position, nil
}

// Changed receives a value if Take has something, or if a refresh may find something.
func (f *Follower) Changed() <-chan struct{} { return f.changed }

// Signal makes Changed receive a value.
func (f *Follower) Signal() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// Take refreshes the view and returns what happened since the last Take, and how long until
// the next hold ends, negative if no seat is held.
func (f *Follower) Take(ctx context.Context) (taken Batch, nextExpiry time.Duration, err error) {
	err = f.Update(ctx, 0, func(batch Batch, _ View) { taken, nextExpiry = batch, f.hall.nextExpiry })
	return taken, nextExpiry, err
}

// Update brings the view up to date, unless it is at most maxAge old, and then calls apply with what
// happened since the last Update or Take. apply may read the view, which does not change meanwhile.
func (f *Follower) Update(ctx context.Context, maxAge time.Duration, apply func(Batch, View)) error {
	asked := time.Now()
	if err := f.hall.begin(ctx); err != nil {
		return err
	}
	defer f.hall.end()
	if err := f.hall.refresh(ctx, asked, maxAge, f); err != nil {
		return err
	}
	batch := f.hall.registry.takePending(f)
	batch.Position, batch.Refreshed = f.hall.view.Position(), f.hall.refreshed
	apply(batch, f.hall.view)
	return nil
}

// Position refreshes the view and returns its position: all changes so far are before it.
func (f *Follower) Position(ctx context.Context) (string, error) {
	asked := time.Now()
	if err := f.hall.begin(ctx); err != nil {
		return "", err
	}
	defer f.hall.end()
	if err := f.hall.refresh(ctx, asked, 0, nil); err != nil {
		return "", err
	}
	return f.hall.view.Position(), nil
}

// Close ends the Follower. It does nothing if it was called before.
func (f *Follower) Close() {
	f.hall.registry.removeFollower(f)
	f.hall.registry.subscribe(f.hall)
}
