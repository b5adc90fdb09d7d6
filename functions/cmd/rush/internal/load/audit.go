package load

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"booking/functions/cmd/rush/internal/client"
	"booking/seatlock"
	"booking/seatlock/oracle"
)

// mapAge is how old a seat map may be, with a margin.
const mapAge = 300 * time.Millisecond

// maxWait bounds how long an audit waits for holds to end.
const maxWait = 20 * time.Second

// Auditor is the user who tries the seats that are left.
const Auditor = "auditor"

// Audit is the result of an audit.
type Audit struct {
	Held, Sold int // seats at the end
	Blocked    int // seats that were blocked until the audit unblocked them
	Confirmed  int // seats whose buy got a success
	Tried      int // unsold seats that the Auditor tried to reserve
	Untried    int // other unsold seats
	Findings   []oracle.Finding
}

// Audit repeats each buy that got a success, waits until all holds have ended, unblocks the
// blocked seats, and tries to reserve each seat that is left. Then it judges all calls of the run. If ctx
// ends, it leaves the seats untried.
func (l *Load) Audit(ctx context.Context, event string) (Audit, error) {
	var a Audit
	longest, buyers, groups := l.summarizeCalls()
	a.Confirmed = len(buyers)
	sold := map[string]bool{} // whether the repeated buy got a success again
	var mu sync.Mutex
	forEach(groups, func(seats []string) {
		call := l.ask(context.WithoutCancel(ctx), oracle.Buy, seats, buyers[seats[0]])
		mu.Lock()
		defer mu.Unlock()
		for _, seat := range seats {
			sold[seat] = call.Outcome == oracle.Done
		}
	})
	m, expired, err := l.awaitHolds(ctx, longest)
	if err != nil {
		return a, fmt.Errorf("the run can't be judged, because the last seat map failed: %w; run rush again when the service answers", err)
	}
	blocked, lost := l.checkBlocked(m, event)
	a.Blocked = len(blocked)
	a.Findings = append(l.Client.Mismatches(), lost...)
	unblocked := map[string]bool{}
	if ctx.Err() == nil {
		for seats := range slices.Chunk(blocked, seatlock.MaxBlockSeats) {
			done := l.ask(ctx, oracle.Unblock, seats, Channel).Outcome == oracle.Done
			for _, seat := range seats {
				unblocked[seat] = done
			}
		}
		var left [][]string
		for _, seat := range l.Hall.Seats {
			if !m.Taken[seat] || unblocked[seat] {
				left = append(left, []string{seat})
			}
		}
		a.Tried = len(left)
		forEach(left, func(seats []string) {
			if l.ask(ctx, oracle.Reserve, seats, Auditor).Outcome == oracle.Done {
				l.ask(ctx, oracle.Release, seats, Auditor)
			}
		})
	}
	a.Held, a.Sold = len(m.Held), len(m.Sold)
	a.Untried = len(l.Hall.Seats) - a.Sold - a.Tried
	final := oracle.Final{}
	for _, seat := range m.Held { // if all holds must have expired, this one has no end
		final[oracle.SeatID{Event: event, Seat: seat}] = oracle.State{Status: seatlock.Reserved, TTL: !expired}
	}
	for _, seat := range m.Blocked {
		if !unblocked[seat] {
			final[oracle.SeatID{Event: event, Seat: seat}] = oracle.State{Status: seatlock.Blocked}
		}
	}
	for _, seat := range m.Sold {
		state := oracle.State{Status: seatlock.Sold}
		if sold[seat] {
			state.User = buyers[seat]
		}
		final[oracle.SeatID{Event: event, Seat: seat}] = state
	}
	h := oracle.History{HoldTime: longest, Opening: l.Event.Opening, Calls: slices.Clone(l.Event.Calls)}
	if l.Event.HoldTime > 0 {
		h.HoldTime = l.Event.HoldTime
	}
	for _, c := range l.Client.Log.Calls() {
		if c.Op != client.SeatMap {
			h.Calls = append(h.Calls, c.Call)
		}
	}
	a.Findings = append(a.Findings, oracle.Check(h, final)...)
	return a, nil
}

// checkBlocked returns the seats of the event that a seat map shows as blocked, and a finding
// for each that it should show so and does not.
func (l *Load) checkBlocked(m client.Map, event string) (blocked []string, findings []oracle.Finding) {
	is := map[string]bool{}
	for _, seat := range m.Blocked {
		is[seat] = true
	}
	for _, seat := range l.Event.Blocked {
		if is[seat] {
			blocked = append(blocked, seat)
			continue
		}
		f := oracle.Finding{Promise: oracle.BlockedKept, Seat: oracle.SeatID{Event: event, Seat: seat}}
		switch {
		case slices.Contains(m.Held, seat):
			f.State.Status = seatlock.Reserved
		case slices.Contains(m.Sold, seat):
			f.State.Status = seatlock.Sold
		}
		for _, c := range l.Event.Calls {
			if slices.Contains(c.Seats, seat) {
				f.Calls = append(f.Calls, c)
			}
		}
		findings = append(findings, f)
	}
	return blocked, findings
}

// summarizeCalls returns the longest hold, the buyer of each seat, and the seats of
// each buy. A buy that was sent twice counts once.
func (l *Load) summarizeCalls() (longest time.Duration, buyers map[string]string, groups [][]string) {
	buyers = map[string]string{}
	for _, c := range l.Client.Log.Calls() {
		if c.Op == oracle.Reserve || c.Op == oracle.Extend {
			longest = max(longest, c.Hold)
		}
		if c.Op != oracle.Buy || c.Outcome != oracle.Done {
			continue
		}
		if buyers[c.Seats[0]] != c.User {
			groups = append(groups, c.Seats)
		}
		for _, seat := range c.Seats {
			buyers[seat] = c.User
		}
	}
	return longest, buyers, groups
}

// awaitHolds waits until no seat is held, all holds must have expired, maxWait has
// passed, or ctx ends. It returns the last seat map, and whether all holds must have
// expired by then.
func (l *Load) awaitHolds(ctx context.Context, longest time.Duration) (m client.Map, expired bool, err error) {
	begun := l.Client.Now()
	for {
		l.Client.Sleep(context.WithoutCancel(ctx), l.Client.Now()+mapAge)
		expired = l.Client.Now() > begun+longest+longest/100+mapAge+time.Second
		m, err = l.Client.Observe()
		if err == nil && len(m.Held) == 0 || expired || ctx.Err() != nil || l.Client.Now() > begun+maxWait {
			return m, expired, err
		}
	}
}

// forEach calls do for each group of seats, 16 at a time.
func forEach(groups [][]string, do func([]string)) {
	queue := make(chan []string)
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for seats := range queue {
				do(seats)
			}
		})
	}
	for _, seats := range groups {
		queue <- seats
	}
	close(queue)
	workers.Wait()
}

// ask sends a call until its outcome is known, up to ten times.
func (l *Load) ask(ctx context.Context, op oracle.Op, seats []string, user string) client.Call {
	var call client.Call
	for range 10 {
		call = l.Client.Send(ctx, op, seats, user, l.Client.Now())
		if call.Outcome == oracle.Done || call.Outcome == oracle.Refused || call.Answer() == client.Unexpected || call.Op == "" {
			break
		}
		l.Client.Sleep(ctx, l.Client.Now()+time.Second/4)
	}
	return call
}
