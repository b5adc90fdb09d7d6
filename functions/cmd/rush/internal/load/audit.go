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
	Confirmed  int // seats whose buy got a success, without those that were returned since
	Tried      int // unsold seats that the Auditor tried to reserve
	Untried    int // other unsold seats
	Best       Best
	Findings   []oracle.Finding
}

// Audit repeats each return and exchange that got a success, and then a buy of each sale that must
// be there.
// It waits until all holds have ended, unblocks the blocked seats, and tries to reserve each seat
// that is left. Then it judges all calls of the run. If ctx ends, it leaves the seats untried.
func (l *Load) Audit(ctx context.Context, event string) (Audit, error) {
	var a Audit
	l.repeatBests(context.WithoutCancel(ctx))
	calls := l.Client.Log.Calls()
	longest, sales := longestHold(calls), currentSales(calls)
	owners := map[string]oracle.Call{} // by seat: the repeated buy that got a success again
	var mu sync.Mutex
	forEach(endings(calls), func(call oracle.Call) { l.ask(context.WithoutCancel(ctx), call) })
	forEach(sales, func(sale oracle.Call) {
		call := l.ask(context.WithoutCancel(ctx), sale)
		mu.Lock()
		defer mu.Unlock()
		a.Confirmed += len(sale.Seats)
		for _, seat := range sale.Seats {
			if call.Outcome == oracle.Done {
				owners[seat] = sale
			}
		}
	})
	m, expired, err := l.awaitHolds(ctx, longest)
	if err != nil {
		return a, fmt.Errorf("the run can't be judged, because the last seat map failed: %w; run rush again when the service answers", err)
	}
	blocked, lost := l.checkBlocked(m, event)
	a.Blocked = len(blocked)
	var untrue []oracle.Finding
	if l.asksBest() && ctx.Err() == nil && len(m.Held) == 0 {
		untrue = l.checkRefusals(ctx, m)
	}
	reserves, best, findings := l.judgeBest(l.Client.Log.Calls())
	a.Best = best
	a.Findings = slices.Concat(l.Client.Mismatches(), lost, untrue, findings)
	unblocked := map[string]bool{}
	if ctx.Err() == nil {
		for seats := range slices.Chunk(blocked, seatlock.MaxBlockSeats) {
			done := l.ask(ctx, oracle.Call{Op: oracle.Unblock, Seats: seats, User: Channel}).Outcome == oracle.Done
			for _, seat := range seats {
				unblocked[seat] = done
			}
		}
		var left []oracle.Call
		for _, seat := range slices.Concat(l.Hall.Seats, l.Hall.Places) {
			if !m.Taken[seat] || unblocked[seat] {
				left = append(left, oracle.Call{Op: oracle.Reserve, Seats: []string{seat}, User: Auditor})
			}
		}
		a.Tried = len(left)
		forEach(left, func(call oracle.Call) {
			if l.ask(ctx, call).Outcome == oracle.Done {
				call.Op = oracle.Release
				l.ask(ctx, call)
			}
		})
	}
	a.Held, a.Sold = len(m.Held), len(m.Sold)
	a.Untried = l.Hall.Size() - a.Sold - a.Tried
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
		final[oracle.SeatID{Event: event, Seat: seat}] = oracle.State{Status: seatlock.Sold, User: owners[seat].User, Order: owners[seat].Order}
	}
	h := oracle.History{HoldTime: longest, Opening: l.Event.Opening, Calls: slices.Clone(l.Event.Calls)}
	if l.Event.HoldTime > 0 {
		h.HoldTime = l.Event.HoldTime
	}
	for _, c := range l.Client.Log.Calls() {
		if c.Op != client.SeatMap && c.Op != client.Best {
			h.Calls = append(h.Calls, c.Call)
		}
	}
	ofBuyers := slices.DeleteFunc(slices.Clone(reserves), func(c oracle.Call) bool { return c.User == Auditor })
	a.Best.Singles, a.Best.FirstFit = l.Hall.countSingles(ofBuyers, h.Calls, l.Event.Blocked)
	h.Calls = append(h.Calls, reserves...)
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

// longestHold returns the longest hold that a call made.
func longestHold(calls []client.Call) (longest time.Duration) {
	for _, c := range calls {
		if c.Op == oracle.Reserve || c.Op == oracle.Extend || c.Op == client.Best {
			longest = max(longest, c.Hold)
		}
	}
	return longest
}

// endings returns the returns and exchanges that got a success, each once.
func endings(calls []client.Call) (all []oracle.Call) {
	known := map[string]bool{}
	for _, c := range calls {
		key := string(c.Op) + " " + c.User + " " + c.Order
		if (c.Op == oracle.Return || c.Op == oracle.Exchange) && c.Outcome == oracle.Done && !known[key] {
			known[key] = true
			all = append(all, oracle.Call{Op: c.Op, Seats: c.Seats, To: c.To, User: c.User, Order: c.Order})
		}
	}
	return all
}

// currentSales returns a buy for each sale that must be there: a buy or an exchange got a success,
// and no return or exchange of its user and order may have ended it. If that ended a part of a
// sale, the buy has the other seats. No buyer gets a seat again under the same order.
func currentSales(calls []client.Call) (sales []oracle.Call) {
	type sale struct{ seat, user, order string }
	known := map[sale]bool{} // ended, or in sales already
	for _, c := range calls {
		if (c.Op == oracle.Return || c.Op == oracle.Exchange) && c.Outcome != oracle.Refused && c.Outcome != oracle.NotRun {
			for _, seat := range c.Seats {
				known[sale{seat, c.User, c.Order}] = true
			}
		}
	}
	for _, c := range calls {
		var seats []string
		switch {
		case c.Outcome != oracle.Done:
		case c.Op == oracle.Buy:
			seats = c.Seats
		case c.Op == oracle.Exchange:
			seats = c.To
		}
		again := oracle.Call{Op: oracle.Buy, User: c.User, Order: c.Order}
		for _, seat := range seats {
			if key := (sale{seat, c.User, c.Order}); !known[key] {
				known[key] = true
				again.Seats = append(again.Seats, seat)
			}
		}
		if len(again.Seats) > 0 {
			sales = append(sales, again)
		}
	}
	return sales
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

// forEach calls do for each of the calls, 16 at a time.
func forEach(calls []oracle.Call, do func(oracle.Call)) {
	queue := make(chan oracle.Call)
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for call := range queue {
				do(call)
			}
		})
	}
	for _, call := range calls {
		queue <- call
	}
	close(queue)
	workers.Wait()
}

// ask sends a call until its outcome is known, up to ten times.
func (l *Load) ask(ctx context.Context, want oracle.Call) client.Call {
	var call client.Call
	for range 10 {
		call = l.Client.Send(ctx, want, l.Client.Now())
		if call.Outcome == oracle.Done || call.Outcome == oracle.Refused || call.Answer() == client.Unexpected || call.Op == "" {
			break
		}
		l.Client.Sleep(ctx, l.Client.Now()+time.Second/4)
	}
	return call
}
