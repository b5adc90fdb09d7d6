package reservebest

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"booking/functions/internal/bestavailable"
	"booking/functions/internal/hall"
	"booking/functions/internal/plan"
	"booking/seatlock"
)

const (
	// maxAge is how old the index of an event may be for a call's first attempt. An older one is
	// refreshed, but no call waits for that until it is older than waitAge: it only costs
	// another attempt.
	maxAge  = 50 * time.Millisecond
	waitAge = time.Second
	// idleTime is how long an event without calls keeps its index.
	idleTime = 10 * time.Second
	// maxSeats limits the seats of all indexes, about 15 bytes each: past it, an index without
	// calls is closed before that time.
	maxSeats = 2_000_000
	// alternatives is how many groups an attempt offers beside the one that it has taken, if other
	// processes may want the same seats. Each costs Redis some time.
	alternatives = 3
)

// lives are the indexes of a process, one an event that has calls.
type lives struct {
	halls *hall.Halls

	mu       sync.Mutex
	events   map[string]*live
	seats    int // of events
	sweeping bool
}

// live is the index of an event. It follows the event, and knows which seats the calls of this
// process have taken before the event does.
type live struct {
	event string
	plan  *plan.Plan
	ready chan struct{} // closed when follower and err are set
	err   error

	users int // lives.mu guards it, and used
	used  time.Time

	follower *hall.Follower
	index    *bestavailable.Index

	mu        sync.Mutex
	refreshed time.Time            // when the refresh of the view began that the index has; zero: it has none
	taken     map[string]time.Time // seats, and when their call ended; zero: it is in flight
	syncing   bool                 // without a call that waits
	spread    int                  // see bestavailable.Request
}

// acquire returns the index of an event whose plan is p. The caller releases it.
func (ls *lives) acquire(ctx context.Context, event string, p *plan.Plan) (*live, error) {
	ls.mu.Lock()
	l := ls.events[event]
	if l == nil || l.plan != p {
		if l != nil {
			ls.remove(l)
		}
		l = &live{event: event, plan: p, ready: make(chan struct{}), taken: map[string]time.Time{}}
		ls.seats += p.Len()
		ls.makeRoom()
		ls.events[event] = l
		go l.open(ls.halls)
	}
	l.users++
	if !ls.sweeping {
		ls.sweeping = true
		time.AfterFunc(idleTime, ls.sweep)
	}
	ls.mu.Unlock()
	select {
	case <-l.ready:
	case <-ctx.Done():
		ls.release(l)
		return nil, ctx.Err()
	}
	if l.err != nil {
		ls.release(l)
		return nil, l.err
	}
	return l, nil
}

// open begins to follow the event.
func (l *live) open(halls *hall.Halls) {
	defer close(l.ready)
	l.index = bestavailable.New(l.plan)
	l.follower, _, l.err = halls.Follow(context.Background(), l.event)
}

func (ls *lives) release(l *live) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l.users--
	l.used = time.Now()
	switch {
	case ls.events[l.event] != l: // removed
		l.closeUnused()
	case l.err != nil:
		ls.remove(l)
	}
}

// remove removes an index from events. It is closed once it has no users. ls.mu is locked.
func (ls *lives) remove(l *live) {
	delete(ls.events, l.event)
	ls.seats -= l.plan.Len()
	l.closeUnused()
}

// closeUnused ends the follower of an index without users.
func (l *live) closeUnused() {
	if l.users > 0 {
		return
	}
	go func() { // it may wait for Redis
		if <-l.ready; l.follower != nil {
			l.follower.Close()
		}
	}()
}

// makeRoom removes indexes without users while there are too many seats. ls.mu is locked.
func (ls *lives) makeRoom() {
	for _, l := range ls.events {
		if ls.seats <= maxSeats {
			return
		}
		if l.users == 0 {
			ls.remove(l)
		}
	}
}

// sweep closes the indexes that had no calls for idleTime.
func (ls *lives) sweep() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.events {
		if l.users == 0 && time.Since(l.used) >= idleTime {
			ls.remove(l)
		}
	}
	if ls.sweeping = len(ls.events) > 0; ls.sweeping {
		time.AfterFunc(idleTime, ls.sweep)
	}
}

// sync brings the index up to date.
func (l *live) sync(ctx context.Context) error { return l.follower.Update(ctx, 0, l.update) }

// syncSoon is sync if the index is older than waitAge. If it is older than maxAge, it begins a sync and
// does not wait for it.
func (l *live) syncSoon(ctx context.Context) error {
	l.mu.Lock()
	age := time.Since(l.refreshed)
	begins := age > maxAge && age <= waitAge && !l.syncing
	l.syncing = l.syncing || begins
	l.mu.Unlock()
	if age > waitAge {
		return l.sync(ctx)
	}
	if begins {
		go func() {
			_ = l.sync(context.WithoutCancel(ctx)) // if it fails, the index gets older, until a call waits
			l.mu.Lock()
			defer l.mu.Unlock()
			l.syncing = false
		}()
	}
	return nil
}

// update applies what happened since the last update.
func (l *live) update(batch hall.Batch, view hall.View) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refreshed.IsZero() || batch.Reset {
		l.index.Load(func(yield func(string) bool) {
			for seat := range view.Seats() {
				if !yield(seat.ID) {
					return
				}
			}
			for id := range l.taken {
				if !yield(id) {
					return
				}
			}
		})
	}
	for _, c := range batch.Changes {
		l.apply(c)
	}
	if l.refreshed.Equal(batch.Refreshed) {
		return
	}
	l.refreshed = batch.Refreshed
	for id, ended := range l.taken {
		if !ended.IsZero() && ended.Before(batch.Refreshed) { // the view knows what came of it
			l.index.Set([]string{id}, view.IsFree(id))
			delete(l.taken, id)
		}
	}
}

// apply makes a change. Seats that calls of this process have taken stay so until the view knows what
// came of that.
func (l *live) apply(c seatlock.Change) {
	switch c.Type {
	case seatlock.ChangeHeld, seatlock.ChangeExtended, seatlock.ChangeSold, seatlock.ChangeBlocked:
		l.index.Set(c.SeatIDs, false)
	default:
		for i, id := range c.SeatIDs {
			if _, is := l.taken[id]; !is {
				l.index.Set(c.SeatIDs[i:i+1], true)
			}
		}
		l.index.Set(c.ToSeatIDs, false)
	}
}

// errInFlight means that only seats which other calls of this process have taken would do: these
// calls may yet fail.
var errInFlight = errors.New("reservebest: all such seats are in flight")

// take returns groups of free seats, the best one first. No other call of this process gets that one
// before settle. More groups follow if other processes have wanted the same seats; of an area always,
// because many buyers come at once for few places. It fails as Find does; if the call has synced the
// index, with errInFlight instead if that is so.
func (l *live) take(r bestavailable.Request, synced bool) ([][]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Spread, r.Seed = l.spread, rand.Uint64()
	best, err := l.index.Take(r)
	if err != nil {
		if synced && refused(err) && l.foundAmongTaken(r) {
			return nil, errInFlight
		}
		return nil, err
	}
	for _, id := range best.SeatIDs {
		l.taken[id] = time.Time{}
	}
	groups := [][]string{best.SeatIDs}
	if l.spread == 0 && r.Area == "" {
		return groups, nil
	}
	others, _ := l.index.Find(r) // none is no fault
	for _, other := range others[:min(alternatives, len(others))] {
		groups = append(groups, other.SeatIDs)
	}
	return groups, nil
}

// foundAmongTaken reports whether there are seats for r if those that calls of this process have
// taken are free.
func (l *live) foundAmongTaken(r bestavailable.Request) bool {
	if len(l.taken) == 0 {
		return false
	}
	taken := slices.Collect(maps.Keys(l.taken))
	l.index.Set(taken, true)
	defer l.index.Set(taken, false)
	_, err := l.index.Find(r)
	return err == nil
}

// settle ends the attempt with groups. held is the group that it holds, nil for none; err is its
// error. The view will tell which of the seats are free.
func (l *live) settle(groups [][]string, held []string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for _, id := range slices.Concat(groups[0], held) {
		l.taken[id] = now
	}
	l.index.Set(held, false)
	switch {
	case errors.Is(err, seatlock.ErrTaken), slices.ContainsFunc(groups[1:], func(other []string) bool { return slices.Equal(other, held) }):
		// Other processes want the same seats: spread over more groups.
		l.spread = min(2*l.spread+2, bestavailable.MaxSpread)
	case err == nil:
		l.spread = max(0, l.spread-1)
	case errors.Is(err, seatlock.ErrNotOnSale), errors.Is(err, seatlock.ErrSeatLimit):
		l.index.Set(groups[0], true) // the next call may have them at once
	}
}

// refused reports whether err says that there are no such seats.
func refused(err error) bool {
	_, notAdjacent := errors.AsType[*bestavailable.NotAdjacentError](err)
	return notAdjacent || errors.Is(err, bestavailable.ErrSoldOut)
}
