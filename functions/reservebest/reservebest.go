// Package reservebest is the function that chooses the best available seats and holds them.
package reservebest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"booking/functions/internal/api"
	"booking/functions/internal/bestavailable"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/functions/internal/plan"
	"booking/seatlock"
)

// Locker is the part of seatlock.Locker that the function uses.
type Locker interface {
	ReserveFirst(ctx context.Context, event string, groups [][]string, user string, terms seatlock.Terms) (seatlock.Choice, error)
	Chosen(ctx context.Context, event, user string, terms seatlock.Terms) (seatlock.Choice, bool, error)
	BlockedFor(ctx context.Context, event, channel string) ([]string, error)
	Holdings(ctx context.Context, event string, seats []string) ([]seatlock.Holding, error)
}

type function struct {
	locker  Locker
	catalog *catalog.Catalog
	lives   *lives
	timeout time.Duration
	tried   func(attempts int)
}

// Options of the function.
type Options struct {
	Timeout time.Duration      // how long a call chooses; 0 means 2 seconds
	OnTried func(attempts int) // is called after each call that holds seats; may be nil
}

// New returns the handler of POST /reserve-best.
func New(locker Locker, c *catalog.Catalog, halls *hall.Halls, rules api.Rules, opt Options) http.Handler {
	f := &function{locker: locker, catalog: c, lives: &lives{halls: halls, events: map[string]*live{}}, timeout: opt.Timeout, tried: opt.OnTried}
	if f.timeout == 0 {
		f.timeout = 2 * time.Second
	}
	return api.Handler(http.MethodPost, func(w http.ResponseWriter, r *http.Request) error {
		q, err := decode(w, r, rules.MaxSeats)
		api.RecordSeats(r, api.Seats{EventID: q.event, UserID: q.user})
		if err != nil {
			return err
		}
		choice, adjacent, err := f.reserve(r.Context(), q)
		if err != nil {
			return err
		}
		seats := api.Seats{EventID: q.event, SeatIDs: choice.Seats, UserID: q.user, Request: q.keyed}
		api.RecordSeats(r, seats)
		response := api.NewSeatsResponse("reserved", seats).Until(choice.Hold)
		response.Adjacent = &adjacent
		return api.WriteSeats(w, r, "reserved", response)
	})
}

// reserve holds the best seats for q, and reports whether they are adjacent.
func (f *function) reserve(ctx context.Context, q request) (choice seatlock.Choice, adjacent bool, err error) {
	err = f.catalog.WithPlan(ctx, q.event, func(p *plan.Plan, fresh bool, terms seatlock.Terms) error {
		terms.Channel, terms.Request = q.channel, q.keyed
		var index *bestavailable.Index
		if q.channel == "" {
			choice, index, err = f.reserveFree(ctx, q, p, terms)
		} else {
			choice, index, err = f.reserveFromChannel(ctx, q, p, terms)
		}
		if refused(err) { // perhaps the request was answered when there were such seats
			first, found, lookup := f.locker.Chosen(ctx, q.event, q.user, terms)
			if found || lookup != nil {
				choice, err = first, lookup
			}
		}
		if problem := problemOf(p, err); problem != nil && !fresh { // another plan may have such seats
			return seatlock.ErrStalePlan
		} else if problem != nil {
			return problem
		}
		if err != nil {
			return err
		}
		adjacent = index.Adjacent(choice.Seats)
		return nil
	})
	return choice, adjacent, err
}

// reserveFree holds the best seats that are available.
func (f *function) reserveFree(ctx context.Context, q request, p *plan.Plan, terms seatlock.Terms) (seatlock.Choice, *bestavailable.Index, error) {
	if p.Len() == 0 {
		return seatlock.Choice{}, nil, bestavailable.ErrNoRows
	}
	l, err := f.lives.acquire(ctx, q.event, p)
	if err != nil {
		return seatlock.Choice{}, nil, err
	}
	defer f.lives.release(l)
	sync, deadline := l.syncSoon, time.Now().Add(f.timeout)
	for attempt := 1; ; attempt++ {
		if err := sync(ctx); err != nil {
			return seatlock.Choice{}, nil, err
		}
		groups, err := l.take(q.seats, attempt > 1)
		var choice seatlock.Choice
		if err == nil {
			choice, err = f.locker.ReserveFirst(ctx, q.event, groups, q.user, terms)
			l.settle(groups, choice.Seats, err)
		}
		switch {
		case err == nil:
			if f.tried != nil {
				f.tried(attempt)
			}
			return choice, l.index, nil
		case errors.Is(err, seatlock.ErrTaken), refused(err) && attempt == 1: // the index is too old
		case errors.Is(err, errInFlight):
			if !pause(ctx) {
				return seatlock.Choice{}, nil, ctx.Err()
			}
		default:
			return seatlock.Choice{}, l.index, err
		}
		sync = l.sync
		if time.Now().After(deadline) {
			return seatlock.Choice{}, nil, fmt.Errorf("%w: others took the seats %d times", seatlock.ErrUnavailable, attempt)
		}
	}
}

// pause waits some milliseconds. It reports false if ctx ends.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(time.Millisecond + rand.N(4*time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reserveFromChannel holds the best seats of a channel. Only sellers do that, and seldom, so it reads
// the seats of the channel from Redis each time.
func (f *function) reserveFromChannel(ctx context.Context, q request, p *plan.Plan, terms seatlock.Terms) (seatlock.Choice, *bestavailable.Index, error) {
	index := bestavailable.NewWithAccessible(p)
	deadline := time.Now().Add(f.timeout)
	for {
		free, err := f.freeOfChannel(ctx, q)
		if err != nil {
			return seatlock.Choice{}, nil, err
		}
		index.Load(func(yield func(string) bool) {
			for seat := range p.Seats() {
				if !free[seat.ID] && !yield(seat.ID) {
					return
				}
			}
		})
		q.seats.Seed = rand.Uint64()
		candidates, err := index.Find(q.seats)
		if err != nil {
			return seatlock.Choice{}, index, err
		}
		var groups [][]string
		for _, c := range candidates[:min(1+alternatives, len(candidates))] {
			groups = append(groups, c.SeatIDs)
		}
		choice, err := f.locker.ReserveFirst(ctx, q.event, groups, q.user, terms)
		if !errors.Is(err, seatlock.ErrTaken) {
			return choice, index, err
		}
		if time.Now().After(deadline) {
			return seatlock.Choice{}, nil, fmt.Errorf("%w: others took the seats of the channel", seatlock.ErrUnavailable)
		}
	}
}

// freeOfChannel returns the seats of a channel that are neither held nor sold.
func (f *function) freeOfChannel(ctx context.Context, q request) (map[string]bool, error) {
	seats, err := f.locker.BlockedFor(ctx, q.event, q.channel)
	if err != nil {
		return nil, err
	}
	holdings, err := f.locker.Holdings(ctx, q.event, seats)
	if err != nil {
		return nil, err
	}
	free := make(map[string]bool, len(seats))
	for _, id := range seats {
		free[id] = true
	}
	for _, h := range holdings {
		delete(free, h.ID)
	}
	return free, nil
}

// problemOf returns the *Problem of a refusal to choose, nil if err is another error.
func problemOf(p *plan.Plan, err error) error {
	if errors.Is(err, bestavailable.ErrNoRows) {
		if areas := names(p, "area"); areas != "" {
			return api.Invalid("The plan of the event has no rows of seats; send area_id: %s.", areas)
		}
		return api.Invalid("The event has no plan to choose from; put one with PUT /events, or reserve seats by name.")
	}
	if errors.Is(err, bestavailable.ErrSoldOut) {
		return api.NewProblem(api.CodeSoldOut, "Fewer seats are free than you want, in this category and zone or area. Nothing was reserved; want fewer, or others.")
	}
	if few, ok := errors.AsType[*bestavailable.NotAdjacentError](err); ok {
		problem := api.NewProblem(api.CodeNoAdjacentSeats, fmt.Sprintf("The largest block of free seats has %d. Nothing was reserved; want fewer, or send \"adjacent\":false.", few.LargestBlock))
		problem.LargestBlock = few.LargestBlock
		return problem
	}
	if unknown, ok := errors.AsType[*bestavailable.UnknownError](err); ok {
		member := unknown.Member
		if member == "area" {
			member = "area_id"
		}
		known := names(p, unknown.Member)
		if known == "" {
			return api.Invalid("There is no %s %.64q in the plan, and no other; omit it.", member, unknown.Name)
		}
		return api.Invalid("There is no %s %.64q in the plan; there are %s.", member, unknown.Name, known)
	}
	return nil
}

// names lists up to ten of a plan's categories, zones or areas; "" if it has none.
func names(p *plan.Plan, member string) string {
	var all []string
	switch member {
	case "area":
		for _, a := range p.Areas() {
			all = append(all, a.ID)
		}
	case "category":
		for seat := range p.Seats() {
			if seat.Area == "" && seat.Category != "" && !slices.Contains(all, seat.Category) {
				all = append(all, seat.Category)
			}
		}
	case "zone":
		for seat := range p.Seats() {
			if seat.Zone != "" && (len(all) == 0 || all[len(all)-1] != seat.Zone) {
				all = append(all, seat.Zone)
			}
		}
		slices.Sort(all)
		all = slices.Compact(all)
	}
	if more := len(all) - 10; more > 0 {
		all = append(all[:10], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(all, ", ")
}
