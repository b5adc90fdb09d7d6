package load

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"booking/functions/cmd/rush/internal/client"
	"booking/seatlock/oracle"
)

// The promises of reserve-best, beside those of a reserve.
const (
	BestAdjacent oracle.Promise = "the best available seats are next to one another in a row of the plan"
	BestOfArea   oracle.Promise = "who asks for places of an area gets different places of that area"
	BestRepeats  oracle.Promise = "a repeat with the same Idempotency-Key gets the same seats"
	BestRefusals oracle.Promise = "reserve-best refuses only if no such seats are free"
)

// bestKeyAge is how old a call may be whose key the audit repeats. The service forgets keys after
// 10 minutes by default.
const bestKeyAge = 5 * time.Minute

// Best is what came of the calls for the best available seats.
type Best struct {
	Keys, Holds       int // calls, each Idempotency-Key once, and those that got seats or places
	Places            int // that these got
	Singles, FirstFit int // single free seats that these left, and that a naive first fit would have left
}

// reserveBest asks for the best available seats, and for the same again while it does not know what
// came of it. A buyer who is too early asks again when the sale opens.
func (v *visit) reserveBest(n int) client.Call {
	want := client.BestRequest{User: v.User, Quantity: v.Seats, Area: v.Area, Key: fmt.Sprintf("%d-%s-%d", v.Client.Start().UnixMicro(), v.User, n)}
	send := func(due time.Duration) client.Call {
		return v.attempt(due, func(due time.Duration) client.Call { return v.Client.SendBest(v.onSale, want, due) })
	}
	call := send(v.after(browseDelay))
	for call.NotOnSale && call.Sent < v.Event.Opening.OpenFrom {
		call = send(max(v.after(reloadDelay), v.returns()))
	}
	return call
}

// runBest is run for a buyer who does not choose seats.
func (v *visit) runBest(ctx context.Context) {
	chooser := v.Hall.NewChooser(v.rand, v.Zipf)
	for n := range v.Tries {
		call := v.reserveBest(n)
		switch {
		case v.onSale.Err() != nil && call.Outcome != oracle.Done:
			return
		case call.Outcome == oracle.Done && v.finish(ctx, chooser, slices.Clone(call.Seats)):
			return
		}
		v.Client.Sleep(v.onSale, v.after(refusalDelay))
	}
}

// asksBest reports whether a buyer asks for the best available seats.
func (l *Load) asksBest() bool {
	return slices.ContainsFunc(l.Buyers, func(b Buyer) bool { return b.Best })
}

// repeatBests repeats the calls that got seats, each key once, and those whose outcome is unknown.
func (l *Load) repeatBests(ctx context.Context) {
	last := map[string]client.Call{} // by key: the first success, otherwise the last call
	for _, c := range l.Client.Log.Calls() {
		if c.Best != nil && last[c.Best.Key].Outcome != oracle.Done {
			last[c.Best.Key] = c
		}
	}
	for _, key := range slices.Sorted(maps.Keys(last)) {
		call := last[key]
		if call.Outcome == oracle.Unknown || call.Outcome == oracle.Done && l.Client.Now() < call.Answered+bestKeyAge {
			l.repeatBest(ctx, *call.Best)
		}
	}
}

// judgeBest returns the calls for the best available seats that got seats, as reserves, and what it found.
// The calls with one key are one reserve, which ran in the first or the last of them.
func (l *Load) judgeBest(calls []client.Call) (reserves []oracle.Call, best Best, findings []oracle.Finding) {
	sent, done := map[string]time.Duration{}, map[string]oracle.Call{} // by key
	for _, c := range calls {
		if c.Best == nil {
			continue
		}
		key := c.Best.Key
		if first, is := sent[key]; !is || c.Sent < first {
			sent[key] = c.Sent
		}
		first, is := done[key]
		switch {
		case c.Outcome != oracle.Done:
			continue
		case is && !slices.Equal(first.Seats, c.Seats):
			findings = append(findings, l.bestFinding(BestRepeats, first, c.Call))
		case !is:
			c.Op = oracle.Reserve
			done[key] = c.Call
			if c.User != Auditor {
				best.Holds++
			}
			switch {
			case c.Best.Area == "" && (!c.Adjacent || !l.Hall.adjacent(c.Seats)):
				findings = append(findings, l.bestFinding(BestAdjacent, c.Call))
			case c.Best.Area != "" && !l.Hall.arePlaces(c.Seats):
				findings = append(findings, l.bestFinding(BestOfArea, c.Call))
			case c.Best.Area != "" && c.User != Auditor:
				best.Places += len(c.Seats)
			}
		}
	}
	best.Keys = len(sent)
	for key, call := range done {
		call.Sent = sent[key]
		reserves = append(reserves, call)
	}
	slices.SortFunc(reserves, func(a, b oracle.Call) int { return cmp.Compare(a.Answered, b.Answered) })
	return reserves, best, findings
}

// repeatBest makes a call again until its outcome is known, up to ten times.
func (l *Load) repeatBest(ctx context.Context, want client.BestRequest) client.Call {
	var call client.Call
	for range 10 {
		call = l.Client.SendBest(ctx, want, l.Client.Now())
		if call.Outcome == oracle.Done || call.Outcome == oracle.Refused || call.Answer() == client.Unexpected || call.Op == "" {
			break
		}
		l.Client.Sleep(ctx, l.Client.Now()+time.Second/4)
	}
	return call
}

func (l *Load) bestFinding(p oracle.Promise, calls ...oracle.Call) oracle.Finding {
	f := oracle.Finding{Promise: p, Calls: calls}
	if len(calls) > 0 && len(calls[0].Seats) > 0 {
		f.Seat = oracle.SeatID{Event: calls[0].Event, Seat: calls[0].Seats[0]}
	}
	return f
}

// checkRefusals asks for two seats next to one another and for one, and the same for places of the
// area, when nothing else happens, and compares the answers with a seat map.
func (l *Load) checkRefusals(ctx context.Context, m client.Map) (findings []oracle.Finding) {
	free := map[string]int{"": l.Hall.largestBlock(m.Taken)} // by area: how many a buyer can get
	for _, place := range l.Hall.Places {
		if !m.Taken[place] {
			free[Area]++
		}
	}
	for area, available := range free {
		for _, quantity := range []int{2, 1} {
			key := fmt.Sprintf("%d-%s-%s%d", l.Client.Start().UnixMicro(), Auditor, area, quantity)
			call := l.repeatBest(ctx, client.BestRequest{User: Auditor, Quantity: quantity, Area: area, Key: key})
			switch {
			case call.Outcome == oracle.Done:
				l.ask(ctx, oracle.Call{Op: oracle.Release, Seats: slices.Clone(call.Seats), User: Auditor})
			case call.Outcome == oracle.Refused && !call.NotOnSale && available >= quantity:
				findings = append(findings, l.bestFinding(BestRefusals, call.Call))
			}
		}
	}
	return findings
}

// countSingles counts the single free seats that the reserves of the best available seats left, each
// beside those that a naive first fit would have left in its place. others are all other calls, and
// blocked the seats that were taken from the start.
func (h *Hall) countSingles(reserves, others []oracle.Call, blocked []string) (left, firstFit int) {
	until := map[string]time.Duration{} // by seat: until when it is taken
	set := func(seats []string, at time.Duration) {
		for _, seat := range seats {
			until[seat] = at
		}
	}
	set(blocked, math.MaxInt64)
	isBest := len(reserves)
	order := slices.Concat(reserves, others)
	which := make([]int, len(order))
	for i := range which {
		which[i] = i
	}
	slices.SortStableFunc(which, func(i, j int) int { return cmp.Compare(order[i].Answered, order[j].Answered) })
	for _, i := range which {
		c := order[i]
		if c.Outcome != oracle.Done {
			continue
		}
		taken := func(seat string) bool { return until[seat] > c.Sent }
		switch c.Op {
		case oracle.Reserve:
			if i < isBest && !h.isPlace(c.Seats[0]) {
				left += h.singlesLeftBy(c.Seats, taken)
				firstFit += h.singlesLeftBy(h.firstBlock(len(c.Seats), taken), taken)
			}
			set(c.Seats, c.Answered+c.Hold)
		case oracle.Extend:
			set(c.Seats, c.Answered+c.Hold)
		case oracle.Buy:
			set(c.Seats, math.MaxInt64)
		case oracle.Release, oracle.Return:
			set(c.Seats, 0)
		case oracle.Exchange:
			set(c.Seats, 0)
			set(c.To, math.MaxInt64)
		}
	}
	return left, firstFit
}

// singlesLeftBy counts the single free seats of a row that are there because a group is taken.
func (h *Hall) singlesLeftBy(group []string, taken func(seat string) bool) int {
	if len(group) == 0 {
		return 0
	}
	row := h.Rows[h.positions[group[0]].row].SeatIDs
	inGroup := func(seat string) bool { return slices.Contains(group, seat) }
	before := singles(row, func(seat string) bool { return taken(seat) && !inGroup(seat) })
	return max(0, singles(row, func(seat string) bool { return taken(seat) || inGroup(seat) })-before)
}

// firstBlock returns the first n free seats that are next to one another, nil if there are none.
func (h *Hall) firstBlock(n int, taken func(seat string) bool) []string {
	for _, row := range h.Rows {
		free := 0
		for i, seat := range row.SeatIDs {
			if free++; taken(seat) {
				free = 0
			}
			if free == n {
				return row.SeatIDs[i+1-n : i+1]
			}
		}
	}
	return nil
}

// largestBlock returns how many free seats are next to one another at most.
func (h *Hall) largestBlock(taken map[string]bool) (largest int) {
	for _, row := range h.Rows {
		free := 0
		for _, seat := range row.SeatIDs {
			if free++; taken[seat] {
				free = 0
			}
			largest = max(largest, free)
		}
	}
	return largest
}

// singles counts the free seats of a row without a free neighbor.
func singles(row []string, taken func(seat string) bool) (count int) {
	for i, seat := range row {
		if !taken(seat) && (i == 0 || taken(row[i-1])) && (i+1 == len(row) || taken(row[i+1])) {
			count++
		}
	}
	return count
}

// adjacent reports whether seats are next to one another in a row, in its order.
func (h *Hall) adjacent(seats []string) bool {
	for i, seat := range seats {
		p, is := h.positions[seat]
		if before := h.positions[seats[max(i-1, 0)]]; !is || i > 0 && (p.row != before.row || p.number != before.number+1) {
			return false
		}
	}
	return true
}

// arePlaces reports whether seats are different places of the area.
func (h *Hall) arePlaces(seats []string) bool {
	for i, seat := range seats {
		if !h.isPlace(seat) || slices.Contains(seats[:i], seat) {
			return false
		}
	}
	return true
}
