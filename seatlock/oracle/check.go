package oracle

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"booking/seatlock"
)

// Check returns the promises that h and end prove broken: at most one finding for each
// promise and seat, sorted by seat. It returns none if all promises may have been kept. Its
// time complexity is that of sorting the calls.
func Check(h History, end Final) []Finding {
	calls, blocks := map[SeatID][]*Call{}, map[SeatID][]*Call{}
	for i := range h.Calls {
		c := &h.Calls[i]
		for _, seat := range c.Seats {
			id := SeatID{c.Event, seat}
			if c.Op == Block || c.Op == Unblock {
				blocks[id] = append(blocks[id], c)
			} else {
				calls[id] = append(calls[id], c)
			}
		}
	}
	for id := range end {
		if _, named := calls[id]; !named {
			calls[id] = nil
		}
	}
	for id := range blocks {
		if _, named := calls[id]; !named {
			calls[id] = nil
		}
	}
	var findings []Finding
	for id, calls := range calls {
		s := newSeat(id, calls, end, &h)
		s.setBlocks(blocks[id])
		findings = append(findings, s.check()...)
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Seat.Event, b.Seat.Event), strings.Compare(a.Seat.Seat, b.Seat.Seat))
	})
	return findings
}

// seat has everything that is known about one seat.
type seat struct {
	id       SeatID
	end      Final
	history  *History
	users    []user
	blocks   []*Call // blocks and unblocks
	reported map[Promise]bool
	findings []Finding

	owned timeline // when the seat was certainly a user's
	held  timeline // when a user may have held it
	sold  timeline // when it may have been sold to a user

	blocked      timeline // when the seat was certainly blocked
	maybeBlocked timeline // when it may have been
}

// user has the calls of one user for one seat, and what they show.
type user struct {
	number int
	calls  []*Call // sorted by Sent

	owned  timeline // when the seat was certainly the user's, joined
	bought timeline // when it was certainly sold to the user
	// When the user may have held the seat. Here a span's user is the index in calls of its
	// call.
	held timeline
	// The earliest times of a buy that may have run, and of one that may have found a hold.
	firstBuy, firstSale time.Duration
}

func newSeat(id SeatID, calls []*Call, end Final, h *History) *seat {
	s := &seat{id: id, end: end, history: h, reported: map[Promise]bool{}}
	slices.SortFunc(calls, func(a, b *Call) int {
		return cmp.Or(strings.Compare(a.User, b.User), cmp.Compare(a.Sent, b.Sent))
	})
	var owned, held, sold []span
	for len(calls) > 0 {
		n := 1
		for n < len(calls) && calls[n].User == calls[0].User {
			n++
		}
		u := user{number: len(s.users), calls: calls[:n], firstBuy: forever, firstSale: forever}
		calls = calls[n:]
		userOwned, userHeld, userBought := u.spans(id.Seat, h.HoldTime)
		owned = append(owned, userOwned...)
		for _, span := range userHeld {
			span.user = u.number
			held = append(held, span)
		}
		slices.SortFunc(userOwned, func(a, b span) int { return cmp.Compare(a.from, b.from) })
		u.owned, u.held, u.bought = newTimeline(join(userOwned)), newTimeline(userHeld), newTimeline(userBought)
		for _, c := range u.calls {
			if c.Op != Buy || !c.mayHaveRun() {
				continue
			}
			sold = append(sold, span{c.Sent, forever, u.number, c})
			u.firstBuy = min(u.firstBuy, c.Sent)
			if from, to := c.window(); u.held.overlapping(from, to, noUser) != nil {
				u.firstSale = min(u.firstSale, from)
			}
		}
		s.users = append(s.users, u)
	}
	s.owned, s.held, s.sold = newTimeline(owned), newTimeline(held), newTimeline(sold)
	return s
}

// spans returns when the seat was certainly the user's, when the user may have held it,
// and when it was certainly sold to the user.
func (u *user) spans(seat string, holdTime time.Duration) (owned, held, bought []span) {
	var mayRun, mustRun []timeValue
	for _, c := range u.calls {
		if c.Op != Release {
			continue
		}
		from, to := c.window()
		if c.mayHaveRun() || c.mayHaveRunBeforeRetry() {
			mayRun = append(mayRun, timeValue{to, from})
		}
		if c.mayHaveRun() {
			mustRun = append(mustRun, timeValue{from, to})
		}
	}
	// firstPossible.from(t) is the earliest run of a release that may still run at t.
	// firstCertain.from(t) is when the first release sent at t or later has certainly run.
	firstPossible, firstCertain := newSuffixMin(mayRun), newSuffixMin(mustRun)

	for i, c := range u.calls {
		if c.Op != Release && c.mayHaveRunBeforeRetry() {
			held = append(held, span{c.Sent, c.heldUntil(seat, holdTime), i, c})
		}
		if !c.mayHaveRun() || c.Op == Release {
			continue
		}
		from, ran := c.window()
		if c.Op == Buy {
			if c.Outcome == Done {
				bought = append(bought, span{ran + 1, forever, u.number, c})
			}
			continue
		}
		if ran == forever {
			held = append(held, span{from, forever, i, c})
			continue
		}
		// Events of the same nanosecond may have happened in either order: hence + 1 and - 1.
		if to := min(from+c.Hold-tolerance(c.Hold), firstPossible.from(from)-1); to > ran+1 {
			owned = append(owned, span{ran + 1, to, u.number, c})
		}
		held = append(held, span{from, min(firstCertain.from(ran+1), c.heldUntil(seat, holdTime)), i, c})
	}
	return append(owned, bought...), held, bought
}

// check returns the seat's findings.
func (s *seat) check() []Finding {
	var buyer *Call
	for i := range s.users {
		u := &s.users[i]
		for index, c := range u.calls {
			switch {
			case c.Outcome == Done && c.Op == Release:
				if sale := u.bought.covering(c.Sent, c.Answered, noUser); sale != nil {
					s.report(SalesLast, sale, c)
				}
			case c.Outcome == Done:
				s.checkDone(u, index, c)
			case c.Outcome == Refused && c.Op == Release:
				if c.conflict(s.id.Seat) != nil && u.firstBuy > c.Answered {
					s.report(NothingStuck, c)
				}
			case c.Outcome == Refused:
				s.checkRefused(u, c)
			}
			if c.Outcome == Done && c.Op == Buy {
				if buyer != nil && buyer.User != c.User {
					s.report(OneBuyer, buyer, c)
				}
				buyer = c
			}
		}
	}
	for _, span := range s.owned.spans {
		if other := s.owned.covering(span.from, span.from+1, span.user); other != nil {
			s.report(OneHolder, other, span.call)
		}
	}
	s.checkBlocks()
	s.checkEnd()
	return s.findings
}

// report adds a finding, unless the promise already has one.
func (s *seat) report(p Promise, proof ...*Call) {
	if s.reported[p] {
		return
	}
	s.reported[p] = true
	f := Finding{Promise: p, Seat: s.id, State: s.end[s.id]}
	for _, c := range proof {
		f.Calls = append(f.Calls, *c)
	}
	s.findings = append(s.findings, f)
}

// checkDone checks a reserve, extend or buy that is Done. index is its place in u.calls.
func (s *seat) checkDone(u *user, index int, c *Call) {
	if other := s.owned.covering(c.Sent, c.Answered, u.number); other != nil {
		s.report(OneHolder, other, c)
	}
	if block := s.blocked.covering(c.Sent, c.Answered, noUser); block != nil {
		s.report(BlockedKept, block, c)
	}
	s.checkBegin(c)
	switch c.Op {
	case Extend:
		if u.held.overlapping(c.Sent, c.Answered, index) == nil && u.firstSale > c.Answered {
			s.reportWithoutHold(u, c)
		}
	case Buy:
		if u.held.overlapping(c.Sent, c.Answered, noUser) == nil && u.firstSale > c.Answered {
			s.reportWithoutHold(u, c)
		}
		if end := s.end[s.id]; end.Status != seatlock.Sold || end.User != "" && end.User != c.User {
			s.report(SalesLast, c)
		}
	}
}

// reportWithoutHold reports that proof, or the final state, gives the seat to a user who
// can't have held it. A refused reserve of a group may have held a part of it; that breaks
// GroupsWhole instead of HoldFirst.
func (s *seat) reportWithoutHold(u *user, proof ...*Call) {
	for _, c := range u.calls {
		if c.Op == Reserve && c.Outcome == Refused && len(c.Seats) > 1 {
			s.report(GroupsWhole, append([]*Call{c}, proof...)...)
			return
		}
	}
	s.report(HoldFirst, proof...)
}

// checkRefused checks a reserve, extend or buy that was refused. What it says about the
// seat, or that it does not name it, must have been true at some time during the call.
func (s *seat) checkRefused(u *user, c *Call) {
	conflict := c.conflict(s.id.Seat)
	own := u.owned.covering(c.Sent, c.Answered, noUser)
	if c.NotOnSale && !s.history.Opening.At.IsZero() && c.Sent >= s.history.Opening.OpenFrom {
		s.report(OpensOnTime, c)
	}
	if block := s.blocked.covering(c.Sent, c.Answered, noUser); block != nil && c.Op == Reserve &&
		len(c.Conflicts) > 0 && (conflict == nil || conflict.Status != seatlock.Blocked) {
		s.report(BlockedKept, block, c)
		return
	}
	switch {
	case conflict == nil && len(c.Conflicts) == 0: // the user's seat limit, the sale window, or an unknown cause
		if own != nil && len(c.Seats) == 1 {
			s.report(OwnerServed, own, c)
		}
	case conflict == nil:
		if other := s.owned.covering(c.Sent, c.Answered, u.number); other != nil {
			s.report(OneHolder, other, c)
		}
	case conflict.OwnedByCaller:
		if u.firstBuy > c.Answered {
			s.report(NothingStuck, c)
		}
	case own != nil:
		s.report(OwnerServed, own, c)
	case conflict.Status == seatlock.Blocked:
		if s.maybeBlocked.overlapping(c.Sent, c.Answered, noUser) == nil {
			s.report(NothingStuck, c)
		}
	case conflict.Status == seatlock.Available:
		if other := s.owned.covering(c.Sent, c.Answered, u.number); other != nil {
			s.report(OneHolder, other, c)
		}
	case conflict.Status == seatlock.Sold:
		if s.sold.overlapping(c.Sent, c.Answered, u.number) == nil {
			s.report(NothingStuck, c)
		}
	case s.held.overlapping(c.Sent, c.Answered, u.number) == nil:
		s.report(NothingStuck, c)
	}
}

// checkEnd checks the final state.
func (s *seat) checkEnd() {
	end := s.end[s.id]
	if block := s.blocked.covering(forever, forever, noUser); block != nil && end.Status != seatlock.Blocked {
		s.report(BlockedKept, block)
	}
	if end.Status == seatlock.Blocked {
		if s.maybeBlocked.overlapping(forever, forever, noUser) == nil {
			s.report(NothingStuck)
		}
		return
	}
	switch {
	case end.Status == seatlock.Sold && end.TTL:
		s.report(SalesLast)
	case end.Status == seatlock.Reserved && !end.TTL:
		s.report(NothingStuck)
	}
	var causes []*Call // the calls that may have made the state
	var whole bool
	for i := range s.users {
		u := &s.users[i]
		if end.User != "" && end.User != u.calls[0].User {
			continue
		}
		for _, c := range u.calls {
			if end.Status == seatlock.Sold && c.Op == Buy && c.mayHaveRun() ||
				end.Status == seatlock.Reserved && c.Op == Reserve && (c.mayHaveRun() || c.mayHaveRunBeforeRetry()) {
				causes = append(causes, c)
				whole = whole || s.allSold(c)
			}
		}
		if end.User != "" && end.Status == seatlock.Reserved && len(causes) == 0 {
			s.reportWithoutHold(u)
			return
		}
	}
	switch {
	case end.Status == seatlock.Available:
	case len(causes) == 0:
		s.report(HoldFirst)
	case end.Status == seatlock.Sold && !whole:
		s.report(GroupsWhole, causes[:min(3, len(causes))]...)
	}
}

// allSold reports whether finally all seats of a buy are sold to its user.
func (s *seat) allSold(c *Call) bool {
	for _, seat := range c.Seats {
		state := s.end[SeatID{c.Event, seat}]
		if state.Status != seatlock.Sold || state.User != "" && state.User != c.User {
			return false
		}
	}
	return true
}
