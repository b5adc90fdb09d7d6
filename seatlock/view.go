package seatlock

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const (
	// loadPage is how many seats a page of a load has, more or less. Redis takes some tenths
	// of a millisecond for one.
	loadPage = 1000
	// loadAttempts limits how often a load begins again because Redis was replaced meanwhile.
	loadAttempts = 3
	// refreshLimit is how many changes a Refresh reads at most.
	refreshLimit = 500
	// compareInterval is how often a View compares a page of the index with the seats' keys.
	compareInterval = time.Second
	// repairInterval is how often a View loads again at most because it does not have as many
	// seats as Redis: an operator deleted the stream, for instance.
	repairInterval = 10 * time.Second
)

// soldDeadline is the deadline of a sold seat in a View.
const soldDeadline = math.MaxInt64

// View is a copy of the seats of an event that are not Available. The first Refresh loads it,
// in pages that keep Redis from other calls for less than a millisecond. The later ones only
// read the changes since. A View is not safe for concurrent use.
type View struct {
	locker    *Locker
	event     string
	position  string // of the changes; "" before the first load
	at        time.Time
	deadlines map[string]int64 // of each seat that is held or sold, ms since the epoch by the clock of Redis
	blocked   map[string]bool
	holdTime  int64 // ms
	lapsed    int64
	sorted    []viewSeat // deadlines as they were at the last Seats; nil: unknown
	touched   []string   // the seats that may differ from sorted
	compared  time.Time  // when the last page was compared
	repaired  time.Time
	owners    *owners // nil before SeatsOf
}

// viewSeat is a seat that is not Available.
type viewSeat struct {
	id       string
	deadline int64 // ms since the epoch by the clock of Redis; 0 if it is neither held nor sold
	blocked  bool
}

// Update is what a Refresh found.
type Update struct {
	Changes    []Change      // since the last Refresh, oldest first
	Reset      bool          // changes were lost, so the View was loaded again; Changes is empty
	More       bool          // there are more changes: call Refresh again
	NextExpiry time.Duration // until the next hold ends: 0 if more have ended, negative if no seat is held
}

// NewView returns the View of an event. It is empty until Refresh is called. It fails with
// ErrInvalid.
func (l *Locker) NewView(event string) (*View, error) {
	if !ValidID(event) {
		return nil, fmt.Errorf("%w: event %q", ErrInvalid, event)
	}
	return &View{locker: l, event: event}, nil
}

// At returns the time of the last Refresh: UTC, by the clock of Redis.
func (v *View) At() time.Time { return v.at }

// Position returns the ID of the last change in the View; NoChange if there is none.
func (v *View) Position() string { return v.position }

// IsFree reports whether a seat is Available, as of the last Refresh.
func (v *View) IsFree(id string) bool {
	return v.deadlines[id] < v.at.UnixMilli() && !v.blocked[id]
}

// Len returns how many seats are held, sold or blocked; one that is blocked and held or sold
// counts twice.
func (v *View) Len() int { return len(v.deadlines) + len(v.blocked) }

// Lapsed returns how many held seats Len counts and Seats leaves out: their hold has ended, and
// the index still has them.
func (v *View) Lapsed() int { return int(v.lapsed) }

// Seats returns the seats that are not Available, in the order of their IDs, as of the last
// Refresh. A later Refresh does not change them.
func (v *View) Seats() iter.Seq[Seat] {
	v.sort()
	seats, now, holdTime := v.sorted, v.at.UnixMilli(), v.holdTime
	return func(yield func(Seat) bool) {
		for _, s := range seats {
			seat := Seat{ID: s.id, Status: Sold}
			switch {
			case s.deadline < now && s.blocked:
				seat.Status = Blocked
			case s.deadline < now:
				continue
			case s.deadline != soldDeadline:
				seat.Status, seat.ExpiresIn = Reserved, time.Duration(remaining(s.deadline-now, holdTime))*time.Millisecond
			}
			if !yield(seat) {
				return
			}
		}
	}
}

func compareID(seat viewSeat, id string) int { return strings.Compare(seat.id, id) }

// sort brings sorted up to date, by a new slice: the old one may be in use.
func (v *View) sort() {
	if v.sorted == nil {
		v.touched = slices.AppendSeq(slices.Collect(maps.Keys(v.deadlines)), maps.Keys(v.blocked))
	}
	if len(v.touched) == 0 {
		return
	}
	slices.Sort(v.touched)
	merged, rest := make([]viewSeat, 0, len(v.deadlines)), v.sorted
	for _, id := range slices.Compact(v.touched) {
		i, there := slices.BinarySearchFunc(rest, id, compareID)
		merged, rest = append(merged, rest[:i]...), rest[i:]
		if there {
			rest = rest[1:]
		}
		if deadline, blocked := v.deadlines[id], v.blocked[id]; deadline != 0 || blocked {
			merged = append(merged, viewSeat{id, deadline, blocked})
		}
	}
	merged = append(merged, rest...)
	v.sorted, v.touched = merged, nil
}

// touch notes that a seat may differ from sorted.
func (v *View) touch(id string) {
	if v.touched = append(v.touched, id); len(v.touched) > len(v.deadlines)+loadPage {
		v.sorted, v.touched = nil, nil // Seats was not called for long
	}
}

// Refresh brings the View up to date. It also appends an expired change for each hold whose
// deadline has passed, unless an earlier call has. It fails with ErrUnavailable; the View is
// then as it was.
func (v *View) Refresh(ctx context.Context) (Update, error) {
	if v.position == "" {
		return v.load(ctx)
	}
	r, err := v.locker.refresh(ctx, v.event, v.position, v.page())
	switch {
	case err != nil:
		return Update{}, fmt.Errorf("refresh: %w", err)
	case r.changes == nil:
		return v.load(ctx)
	}
	v.apply(r)
	if !r.more() && !v.hasCounts(r) && time.Since(v.repaired) >= repairInterval {
		v.repaired = time.Now()
		if update, err := v.load(ctx); err == nil { // otherwise later: the changes must not be lost
			return update, nil
		}
	}
	return Update{Changes: r.changes, More: r.more(), NextExpiry: r.nextExpiry}, nil
}

// hasCounts reports whether the View has as many seats as Redis.
func (v *View) hasCounts(r refreshed) bool {
	return r.size == int64(len(v.deadlines)) && r.blocked == int64(len(v.blocked))
}

// page returns the page to compare, -1 for none.
func (v *View) page() int32 {
	if time.Since(v.compared) < compareInterval {
		return -1
	}
	v.compared = time.Now()
	return rand.Int32()
}

// apply makes the changes of r.
func (v *View) apply(r refreshed) {
	for _, c := range r.changes {
		for _, id := range c.ToSeatIDs {
			v.deadlines[id] = soldDeadline
			v.touch(id)
		}
		for _, id := range c.SeatIDs {
			switch c.Type {
			case ChangeHeld, ChangeExtended:
				v.deadlines[id] = c.Deadline.UnixMilli()
			case ChangeSold:
				v.deadlines[id] = soldDeadline
			case ChangeReleased, ChangeExpired, ChangeReturned, ChangeExchanged:
				delete(v.deadlines, id)
			case ChangeBlocked:
				v.blocked[id] = true
			case ChangeUnblocked:
				delete(v.blocked, id)
			}
			v.touch(id)
		}
		if v.owners != nil {
			v.owners.apply(c)
		}
		v.position = c.ID
	}
	v.at, v.lapsed, v.holdTime = r.at, r.lapsed, r.holdTime
}

// load reads all seats. The pages are read at different times. But each change that came
// meanwhile is applied afterwards, so in the end each seat is as the last change left it.
func (v *View) load(ctx context.Context) (Update, error) {
	for attempt := 1; ; attempt++ {
		loaded := &View{locker: v.locker, event: v.event, blocked: map[string]bool{}, compared: v.compared, repaired: v.repaired}
		r, complete, err := loaded.loadOnce(ctx)
		if err != nil {
			return Update{}, fmt.Errorf("load: %w", err)
		}
		if !complete && attempt < loadAttempts {
			continue
		}
		if r.changes == nil {
			return Update{}, fmt.Errorf("load: %w: Redis lost the changes %d times", ErrUnavailable, attempt)
		}
		reset := v.position != ""
		*v = *loaded
		return Update{Reset: reset, NextExpiry: r.nextExpiry}, nil
	}
}

// loadOnce loads v. It is not complete if Redis was replaced meanwhile; then r.changes may be
// nil.
func (v *View) loadOnce(ctx context.Context) (r refreshed, complete bool, err error) {
	if r, err = v.locker.refresh(ctx, v.event, "", v.page()); err != nil {
		return r, false, err
	}
	v.position = r.last
	if v.deadlines, err = v.locker.scanIndex(ctx, v.event, r.size); err != nil {
		return r, false, err
	}
	if r.blocked > 0 {
		if v.blocked, err = v.locker.scanBlocked(ctx, v.event); err != nil {
			return r, false, err
		}
	}
	for {
		if r, err = v.locker.refresh(ctx, v.event, v.position, -1); err != nil || r.changes == nil {
			return r, false, err
		}
		v.apply(r)
		if !r.more() {
			return r, v.hasCounts(r), nil
		}
	}
}

// SeatMap is a snapshot of the seats of an event that are not Available.
type SeatMap struct {
	At     time.Time // of the snapshot: UTC, by the clock of Redis
	Change string    // the ID of the last Change in the snapshot; NoChange if there is none
	Seats  []Seat    // in the order of their IDs
}

// Map returns the seats of an event that are not Available. It reads them all: to read them
// often, use a View. It fails with ErrInvalid or ErrUnavailable.
func (l *Locker) Map(ctx context.Context, event string) (SeatMap, error) {
	view, err := l.NewView(event)
	if err == nil {
		_, err = view.Refresh(ctx)
	}
	if err != nil {
		return SeatMap{}, fmt.Errorf("map: %w", err)
	}
	return SeatMap{At: view.At(), Change: view.Position(), Seats: slices.Collect(view.Seats())}, nil
}
