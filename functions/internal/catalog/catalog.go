// Package catalog knows the plan of each event that this process serves. A script of seatlock
// refuses a call that was checked against another version of the plan; then the catalog loads
// the plan and makes the call again.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"booking/functions/internal/api"
	"booking/functions/internal/plan"
	"booking/seatlock"
)

const (
	// maxEvents limits the events in memory, maxSeats the seats of their plans.
	maxEvents = 10_000
	maxSeats  = 500_000
	// checkAge is how long a read believes that an event exists.
	checkAge = 250 * time.Millisecond
	// maxAttempts limits how often a call is made because its plan has changed meanwhile.
	maxAttempts = 20
)

// Locker is the part of seatlock.Locker that a Catalog uses.
type Locker interface {
	Event(ctx context.Context, event string) (seatlock.Event, error)
	Plan(ctx context.Context, event string) (version int64, plan []byte, err error)
}

// Options of a Catalog.
type Options struct {
	Unlisted *plan.Plan // of the events without settings
	Listed   bool       // events without settings are unknown
}

// Catalog is safe for concurrent use.
type Catalog struct {
	locker Locker
	opt    Options
	loads  singleflight.Group

	mu     sync.Mutex
	events map[string]*entry
	seats  int // of all plans
}

// entry is an event with its plan.
type entry struct {
	version int64 // of the plan; 0 if the event has no settings
	plan    *plan.Plan
	loaded  time.Time // when Redis had the event last; Catalog.mu guards it
}

// New returns an empty Catalog.
func New(locker Locker, opt Options) *Catalog {
	return &Catalog{locker: locker, opt: opt, events: map[string]*entry{}}
}

// With calls do with the terms of a call on seats of an event. It fails with a *Problem if the
// event is unknown or does not have one of the seats, and otherwise with the error of do.
func (c *Catalog) With(ctx context.Context, event string, seats []string, do func(seatlock.Terms) error) error {
	return c.with(ctx, event, func(e *entry, fresh bool) error {
		switch missing := e.missing(seats); {
		case missing == "":
			return do(seatlock.Terms{PlanVersion: &e.version})
		case fresh:
			return api.NewProblem(api.CodeUnknownSeat, "There is no seat "+missing+" in this hall.")
		}
		return seatlock.ErrStalePlan // a newer one may have it
	})
}

// WithPlan calls do with the plan of an event, and the terms of a call on its seats. fresh says that
// the plan was loaded for this call: if it was not, do returns seatlock.ErrStalePlan in place of an
// answer that only the current plan can give. It fails with a *Problem if the event is unknown, and
// otherwise with the error of do.
func (c *Catalog) WithPlan(ctx context.Context, event string, do func(p *plan.Plan, fresh bool, terms seatlock.Terms) error) error {
	return c.with(ctx, event, func(e *entry, fresh bool) error { return do(e.plan, fresh, seatlock.Terms{PlanVersion: &e.version}) })
}

// with calls do with an event, and again after it has loaded the event, while do fails because the
// event has changed. It fails with seatlock.ErrUnavailable if the event changes again and again.
// fresh: the event was loaded for this call.
func (c *Catalog) with(ctx context.Context, event string, do func(e *entry, fresh bool) error) error {
	e, fresh, err := c.get(ctx, event)
	for attempt := 1; err == nil; attempt++ {
		err = do(e, fresh)
		switch changed := errors.Is(err, seatlock.ErrStalePlan) || errors.Is(err, seatlock.ErrUnknownEvent); {
		case !changed:
			return err
		case attempt == maxAttempts:
			return fmt.Errorf("%w: the event has changed %d times during the call", seatlock.ErrUnavailable, attempt)
		}
		e, err = c.load(ctx, event)
		fresh = true
	}
	return err
}

// missing returns one of seats that the plan does not have, "" if it has them all.
func (e *entry) missing(seats []string) string {
	for _, seat := range seats {
		if !e.plan.Has(seat) {
			return seat
		}
	}
	return ""
}

// Check fails with a *Problem if an event is unknown. It believes for checkAge that an event
// exists.
func (c *Catalog) Check(ctx context.Context, event string) error {
	if !c.opt.Listed {
		return nil
	}
	c.mu.Lock()
	e := c.events[event]
	recent := e != nil && time.Since(e.loaded) < checkAge
	c.mu.Unlock()
	if recent {
		return nil
	}
	_, err := c.load(ctx, event)
	return err
}

// Plan returns the plan of an event.
func (c *Catalog) Plan(ctx context.Context, event string) (*plan.Plan, error) {
	e, err := c.load(ctx, event)
	if err != nil {
		return nil, err
	}
	return e.plan, nil
}

// PlanVersion returns the version of an event's plan, 0 if the event has no settings.
func (c *Catalog) PlanVersion(ctx context.Context, event string) (int64, error) {
	e, err := c.load(ctx, event)
	if err != nil {
		return 0, err
	}
	return e.version, nil
}

// Document returns what the seller said of an event: what GET /events/{event_id} answers, without the
// event's id and counts. It is nil if the event has no settings.
func (c *Catalog) Document(ctx context.Context, event string) ([]byte, error) {
	found, err := c.locker.Event(ctx, event)
	if errors.Is(err, seatlock.ErrUnknownEvent) {
		_, err := c.load(ctx, event) // the event may have to have settings
		return nil, err
	}
	return found.Document, err
}

// Drawing is a plan, and the shapes that it draws beside the seats.
type Drawing struct {
	Version int64 // as PlanVersion returns it
	Plan    *plan.Plan
	Shapes  []plan.Shape
}

// Drawing returns the drawing of an event. It reads the whole plan, so keep the result.
func (c *Catalog) Drawing(ctx context.Context, event string) (Drawing, error) {
	version, stored, err := c.locker.Plan(ctx, event)
	if errors.Is(err, seatlock.ErrUnknownEvent) {
		e, err := c.load(ctx, event)
		if err != nil {
			return Drawing{}, err
		}
		return Drawing{Version: e.version, Plan: e.plan}, nil
	}
	if err != nil {
		return Drawing{}, err
	}
	raw, areas, err := unpack(stored)
	if err != nil {
		return Drawing{}, err
	}
	d := Drawing{Version: version}
	if d.Plan, err = Parse(raw, areas); err != nil {
		return Drawing{}, err
	}
	if d.Shapes, err = plan.Shapes(raw); err != nil {
		return Drawing{}, err
	}
	return d, nil
}

// get returns an event from memory, and loads it if it is not there. An event that was never
// loaded is expected to have no settings: the script knows better.
func (c *Catalog) get(ctx context.Context, event string) (e *entry, fresh bool, err error) {
	c.mu.Lock()
	e = c.events[event]
	c.mu.Unlock()
	switch {
	case e != nil:
		return e, false, nil
	case !c.opt.Listed:
		return &entry{plan: c.opt.Unlisted}, false, nil
	}
	e, err = c.load(ctx, event)
	return e, true, err
}

// loaded is an event, and when its load began.
type loaded struct {
	*entry
	began time.Time
}

// load reads an event, and parses its plan if that is new. Callers share a load, but none takes the
// result of one that began before the call: the event may have changed in between.
func (c *Catalog) load(ctx context.Context, event string) (*entry, error) {
	called := time.Now()
	for {
		found, err, _ := c.loads.Do(event, func() (any, error) {
			began := time.Now()
			e, err := c.loadOnce(context.WithoutCancel(ctx), event) // others wait for it, too
			return loaded{e, began}, err
		})
		if result := found.(loaded); !result.began.Before(called) {
			return result.entry, err
		}
	}
}

func (c *Catalog) loadOnce(ctx context.Context, event string) (*entry, error) {
	found, err := c.locker.Event(ctx, event)
	if errors.Is(err, seatlock.ErrUnknownEvent) {
		c.keep(event, nil)
		if c.opt.Listed {
			detail := "There is no event " + event + "."
			if event == seatlock.DefaultEvent {
				detail = "There is no event " + event + "; name the event in event_id."
			}
			return nil, api.NewProblem(api.CodeUnknownEvent, detail)
		}
		return &entry{plan: c.opt.Unlisted}, nil
	}
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	e := c.events[event]
	if e != nil {
		e.loaded = time.Now()
	}
	c.mu.Unlock()
	if e != nil && e.version == found.PlanVersion {
		return e, nil
	}
	version, stored, err := c.locker.Plan(ctx, event)
	if err != nil {
		return nil, err
	}
	e = &entry{version: version, loaded: time.Now()}
	if e.plan, err = Read(stored); err != nil {
		return nil, err
	}
	c.keep(event, e)
	return e, nil
}

// keep keeps an event in memory, or forgets it if e is nil. If there are too many, it forgets
// any others.
func (c *Catalog) keep(event string, e *entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(event)
	if e == nil {
		return
	}
	c.events[event] = e
	c.seats += e.plan.Len()
	for other := range c.events {
		if len(c.events) <= maxEvents && c.seats <= maxSeats {
			return
		}
		if other != event {
			c.forget(other)
		}
	}
}

func (c *Catalog) forget(event string) {
	if e := c.events[event]; e != nil {
		c.seats -= e.plan.Len()
		delete(c.events, event)
	}
}
