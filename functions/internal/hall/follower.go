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
}

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
func (f *Follower) Take(ctx context.Context) (Batch, time.Duration, error) {
	asked := time.Now()
	if err := f.hall.begin(ctx); err != nil {
		return Batch{}, 0, err
	}
	defer f.hall.end()
	if err := f.hall.refresh(ctx, asked, 0, f); err != nil {
		return Batch{}, 0, err
	}
	batch := f.hall.registry.takePending(f)
	batch.Position = f.hall.view.Position()
	return batch, f.hall.nextExpiry, nil
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
