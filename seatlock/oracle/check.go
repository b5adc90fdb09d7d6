package oracle

import (
	"cmp"
	"slices"
	"strings"

	"booking/seatlock"
)

// Check returns the promises that h and end prove broken: at most one finding for each
// promise and seat, sorted by seat. It returns none if all promises may have been kept. Its
// time complexity is that of sorting the calls.
func Check(h History, end Final) []Finding {
	parts, blocks := map[SeatID][]part{}, map[SeatID][]*Call{}
	add := func(c *Call, op Op, seats []string) {
		for _, seat := range seats {
			id := SeatID{c.Event, seat}
			parts[id] = append(parts[id], part{Call: c, op: op})
		}
	}
	for i := range h.Calls {
		switch c := &h.Calls[i]; c.Op {
		case Block, Unblock:
			for _, seat := range c.Seats {
				id := SeatID{c.Event, seat}
				blocks[id] = append(blocks[id], c)
			}
		case Exchange:
			add(c, moveFrom, c.Seats)
			add(c, moveTo, c.To)
		default:
			add(c, c.Op, c.Seats)
		}
	}
	for id := range end {
		if _, named := parts[id]; !named {
			parts[id] = nil
		}
	}
	for id := range blocks {
		if _, named := parts[id]; !named {
			parts[id] = nil
		}
	}
	sales := newSales(h.Calls)
	var findings []Finding
	for id, parts := range parts {
		s := newSeat(id, parts, end, &h, sales)
		s.setBlocks(blocks[id])
		findings = append(findings, s.check()...)
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Seat.Event, b.Seat.Event), strings.Compare(a.Seat.Seat, b.Seat.Seat))
	})
	return findings
}

// check returns the seat's findings.
func (s *seat) check() []Finding {
	for i := range s.users {
		u := &s.users[i]
		for index, p := range u.parts {
			switch p.Outcome {
			case Done:
				s.checkDone(u, index, p)
			case Refused:
				s.checkRefused(u, p)
			}
		}
	}
	for _, sale := range s.bought.spans {
		if other := s.bought.covering(sale.from, sale.from+1, sale.user); other != nil {
			s.report(OneBuyer, other, sale.call)
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

// checkDone checks a call that is Done. index is its place in u.parts.
func (s *seat) checkDone(u *user, index int, p part) {
	switch p.op {
	case Release:
		if sale := u.bought.covering(p.Sent, p.Answered, noUser); sale != nil {
			s.report(SalesLast, sale, p.Call)
		}
		return
	case Return, moveFrom:
		s.checkEnding(p)
		return
	}
	if other := s.owned.covering(p.Sent, p.Answered, u.number); other != nil {
		s.report(OneHolder, other, p.Call)
	}
	if block := s.blocked.covering(p.Sent, p.Answered, noUser); block != nil {
		s.report(BlockedKept, block, p.Call)
	}
	s.checkBegin(p.Call)
	switch p.op {
	case Reserve:
		if sale := u.bought.covering(p.Sent, p.Answered, noUser); sale != nil {
			s.report(SalesLast, sale, p.Call)
		}
	case Extend:
		if u.held.overlapping(p.Sent, p.Answered, index) == nil && u.afterHold.overlapping(p.Sent, p.Answered, noUser) == nil {
			s.reportWithoutHold(u, p.Call)
		}
	case Buy, moveTo:
		if sale := s.bought.covering(p.Sent, p.Answered, p.number); sale != nil {
			s.report(OneBuyer, sale, p.Call)
		}
		if p.op == Buy && u.held.overlapping(p.Sent, p.Answered, noUser) == nil && u.afterHold.overlapping(p.Sent, p.Answered, noUser) == nil {
			s.reportWithoutHold(u, p.Call)
		}
	}
}

// checkEnding checks a call that is Done and ends sales. A repeated exchange does nothing to the
// old seats.
func (s *seat) checkEnding(p part) {
	if p.op == moveFrom && s.sales.mayRepeat(p.Call) {
		return
	}
	if p.op == moveFrom && !s.sales.mayFindSale(p.Call, s.id.Seat) {
		s.report(HoldFirst, p.Call)
	}
	if sale := s.bought.covering(p.Sent, p.Answered, p.number); sale != nil {
		s.report(OwnSale, sale, p.Call)
	} else if other := s.owned.covering(p.Sent, p.Answered, noUser); other != nil {
		s.report(OneHolder, other, p.Call)
	}
}

// reportWithoutHold reports that proof, or the final state, gives the seat to a user who
// can't have held it. A refused reserve of a group may have held a part of it; that breaks
// GroupsWhole instead of HoldFirst.
func (s *seat) reportWithoutHold(u *user, proof ...*Call) {
	for _, p := range u.parts {
		if p.op == Reserve && p.Outcome == Refused && len(p.Seats) > 1 {
			s.report(GroupsWhole, append([]*Call{p.Call}, proof...)...)
			return
		}
	}
	s.report(HoldFirst, proof...)
}

// checkEnd checks the final state.
func (s *seat) checkEnd() {
	end := s.end[s.id]
	if block := s.blocked.covering(forever, forever, noUser); block != nil && end.Status != seatlock.Blocked {
		s.report(BlockedKept, block)
	}
	switch {
	case end.Status == seatlock.Blocked && s.maybeBlocked.overlapping(forever, forever, noUser) == nil,
		end.Status == seatlock.Reserved && !end.TTL:
		s.report(NothingStuck)
	case end.Status == seatlock.Sold && end.TTL:
		s.report(SalesLast)
	}
	if end.Status == seatlock.Reserved {
		s.checkHeldEnd()
	}
	s.checkSoldEnd()
}

// checkHeldEnd checks that a reserve may have made the final hold.
func (s *seat) checkHeldEnd() {
	end := s.end[s.id]
	for i := range s.users {
		u := &s.users[i]
		if end.User != "" && end.User != u.parts[0].User {
			continue
		}
		for _, p := range u.parts {
			if p.op == Reserve && p.possiblyRan() {
				return
			}
		}
		if end.User != "" {
			s.reportWithoutHold(u)
			return
		}
	}
	s.report(HoldFirst)
}
