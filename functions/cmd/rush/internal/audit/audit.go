// Package audit looks at the hall after the storm, and judges the whole history.
package audit

import (
	"context"
	"fmt"
	"sync"
	"time"

	"booking/functions/cmd/rush/internal/client"
	"booking/functions/cmd/rush/internal/history"
	"booking/functions/cmd/rush/internal/plan"
	"booking/seatlock"
	"booking/seatlock/oracle"
)

// mapAge is how old a seat map may be, and a little more.
const mapAge = 300 * time.Millisecond

// patience is how long the end of all holds is waited for.
const patience = 20 * time.Second

// inspector is the user who tries the seats that are left.
const inspector = "inspector"

// Audit is the end of a run.
type Audit struct {
	Client *client.Client
	Event  string
	Hall   *plan.Hall
	Log    *history.Log
}

// Result is what the audit found.
type Result struct {
	Held, Sold int // seats, in the end
	Sales      int // that were acknowledged, seats
	Tried      int // seats that were not sold, and were tried
	Untried    int // seats that were not sold, and were not
	Findings   []oracle.Finding
}

// Run has every buyer whose sale was acknowledged ask for it again, waits until no
// seat is held any more, tries each that is left, and judges every call that was
// made. Only one that ctx cuts short leaves the seats untried.
func (a *Audit) Run(ctx context.Context) (Result, error) {
	var r Result
	longest := time.Duration(0) // hold
	owners := map[string]string{}
	var groups [][]string
	for _, c := range a.Log.Calls() {
		if c.Op == oracle.Reserve || c.Op == oracle.Extend {
			longest = max(longest, c.Hold)
		}
		if c.Op != oracle.Buy || c.Outcome != oracle.Done {
			continue
		}
		if owners[c.Seats[0]] != c.User { // else the button was pressed twice
			groups = append(groups, c.Seats)
		}
		for _, seat := range c.Seats {
			owners[seat] = c.User
		}
	}
	r.Sales = len(owners)
	kept := map[string]bool{}
	var mu sync.Mutex
	a.each(groups, func(seats []string) {
		call := a.ask(context.WithoutCancel(ctx), oracle.Buy, seats, owners[seats[0]])
		mu.Lock()
		defer mu.Unlock()
		for _, seat := range seats {
			kept[seat] = call.Outcome == oracle.Done
		}
	})
	m, over, err := a.settle(ctx, longest)
	if err != nil {
		return r, fmt.Errorf("the run can't be judged: the seat map can't be read in the end: %w; run rush again when the service answers", err)
	}
	if ctx.Err() == nil {
		var left [][]string
		for _, seat := range a.Hall.Seats {
			if !m.Taken[seat] {
				left = append(left, []string{seat})
			}
		}
		r.Tried = len(left)
		a.each(left, func(seats []string) {
			if a.ask(ctx, oracle.Reserve, seats, inspector).Outcome == oracle.Done {
				a.ask(ctx, oracle.Release, seats, inspector)
			}
		})
	}
	r.Held, r.Sold = len(m.Held), len(m.Sold)
	r.Untried = len(a.Hall.Seats) - r.Sold - r.Tried
	end := oracle.Final{}
	for _, seat := range m.Held { // by a hold that has no end, where every hold is over
		end[oracle.SeatID{Event: a.Event, Seat: seat}] = oracle.State{Status: seatlock.Reserved, TTL: !over}
	}
	for _, seat := range m.Sold {
		state := oracle.State{Status: seatlock.Sold}
		if kept[seat] {
			state.User = owners[seat]
		}
		end[oracle.SeatID{Event: a.Event, Seat: seat}] = state
	}
	h := oracle.History{HoldTime: longest}
	for _, c := range a.Log.Calls() {
		if c.Op != history.Look {
			h.Calls = append(h.Calls, c.Call)
		}
	}
	r.Findings = append(a.Client.Wrong(), oracle.Check(h, end)...)
	return r, nil
}

// settle waits until nothing is held any more, or every hold must be over, which it
// reports, or patience is.
func (a *Audit) settle(ctx context.Context, longest time.Duration) (m client.Map, over bool, err error) {
	begun := a.Client.Now()
	for {
		a.Client.Sleep(context.WithoutCancel(ctx), a.Client.Now()+mapAge)
		over = a.Client.Now() > begun+longest+longest/100+mapAge+time.Second
		m, err = a.Client.Watch()
		if err == nil && len(m.Held) == 0 || over || ctx.Err() != nil || a.Client.Now() > begun+patience {
			return m, over, err
		}
	}
}

// asking is how many ask at the same time.
const asking = 16

// each calls do for all of seats.
func (a *Audit) each(seats [][]string, do func([]string)) {
	todo := make(chan []string)
	var all sync.WaitGroup
	for range asking {
		all.Go(func() {
			for s := range todo {
				do(s)
			}
		})
	}
	for _, s := range seats {
		todo <- s
	}
	close(todo)
	all.Wait()
}

// ask sends a request until it is answered.
func (a *Audit) ask(ctx context.Context, op oracle.Op, seats []string, user string) history.Call {
	var call history.Call
	for range 10 {
		call = a.Client.Change(ctx, op, seats, user, a.Client.Now())
		if call.Outcome == oracle.Done || call.Outcome == oracle.Refused || call.Kind() == history.Unexpected || call.Op == "" {
			break
		}
		a.Client.Sleep(ctx, a.Client.Now()+time.Second/4)
	}
	return call
}
