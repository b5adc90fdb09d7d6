package oracle

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"booking/seatlock"
)

// Check returns the promises that a history and its end prove broken, at most one
// finding a seat for each; none where all may have been kept. It takes the time of
// sorting the calls.
func Check(h History, end Final) []Finding {
	calls := map[SeatID][]*Call{}
	for i := range h.Calls {
		c := &h.Calls[i]
		for _, seat := range c.Seats {
			id := SeatID{c.Event, seat}
			calls[id] = append(calls[id], c)
		}
	}
	for id := range end {
		if _, named := calls[id]; !named {
			calls[id] = nil
		}
	}
	var findings []Finding
	for id, calls := range calls {
		s := newSeat(id, calls, end, h.HoldTime)
		findings = append(findings, s.check()...)
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.Seat.Event, b.Seat.Event), strings.Compare(a.Seat.Seat, b.Seat.Seat))
	})
	return findings
}

// seat is what is known of one seat.
type seat struct {
	id    SeatID
	end   Final
	users []user
	found map[Promise]bool
	list  []Finding

	certain timeline // when it was a user's for certain
	held    timeline // when it may have been held
	sold    timeline // since when it may have been sold
}

// user is what one user did with one seat.
type user struct {
	number int
	calls  []*Call // by Sent

	certain timeline // when the seat was the user's for certain, joined
	bought  timeline // since when it was certainly sold to the user
	// When the user may have held it; the user of a span is here the place among
	// calls of the one that says so.
	held timeline
	// The first sending of a buy, and of one that may have found a hold.
	asked, sold time.Duration
}

func newSeat(id SeatID, calls []*Call, end Final, holdTime time.Duration) *seat {
	s := &seat{id: id, end: end, found: map[Promise]bool{}}
	slices.SortFunc(calls, func(a, b *Call) int {
		return cmp.Or(strings.Compare(a.User, b.User), cmp.Compare(a.Sent, b.Sent))
	})
	var certain, held, sold []span
	for len(calls) > 0 {
		n := 1
		for n < len(calls) && calls[n].User == calls[0].User {
			n++
		}
		u := user{number: len(s.users), calls: calls[:n], asked: forever, sold: forever}
		calls = calls[n:]
		mine, maybe, bought := u.spans(id.Seat, holdTime)
		certain = append(certain, mine...)
		for _, span := range maybe {
			span.user = u.number
			held = append(held, span)
		}
		slices.SortFunc(mine, func(a, b span) int { return cmp.Compare(a.from, b.from) })
		u.certain, u.held, u.bought = newTimeline(join(mine)), newTimeline(maybe), newTimeline(bought)
		for _, c := range u.calls {
			if c.Op != Buy || !c.mayHaveRun() {
				continue
			}
			sold = append(sold, span{c.Sent, forever, u.number, c})
			u.asked = min(u.asked, c.Sent)
			if from, to := c.window(); u.held.find(to, from, nobody) != nil {
				u.sold = min(u.sold, from)
			}
		}
		s.users = append(s.users, u)
	}
	s.certain, s.held, s.sold = newTimeline(certain), newTimeline(held), newTimeline(sold)
	return s
}

// spans returns when the seat was certainly the user's, when the user may have held
// it, and since when it was certainly sold to the user.
func (u *user) spans(seat string, holdTime time.Duration) (certain, held, bought []span) {
	// The earliest that a release can have run which may follow a moment, and the
	// latest that one can which does follow it.
	var mayFollow, follows [][2]time.Duration
	for _, c := range u.calls {
		if c.Op != Release {
			continue
		}
		from, to := c.window()
		if c.mayHaveRun() || c.mayHaveRunBefore() {
			mayFollow = append(mayFollow, [2]time.Duration{to, from})
		}
		if c.mayHaveRun() {
			follows = append(follows, [2]time.Duration{from, to})
		}
	}
	mayEnd, hasEnded := newStairs(mayFollow), newStairs(follows)

	for i, c := range u.calls {
		if c.Op != Release && c.mayHaveRunBefore() {
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
		// Of what happens at the same nanosecond, either may have come first.
		if to := min(from+c.Hold-slack(c.Hold), mayEnd.from(from)-1); to > ran+1 {
			certain = append(certain, span{ran + 1, to, u.number, c})
		}
		held = append(held, span{from, min(hasEnded.from(ran+1), c.heldUntil(seat, holdTime)), i, c})
	}
	return append(certain, bought...), held, bought
}

// check returns what is broken.
func (s *seat) check() []Finding {
	var buyer *Call
	for i := range s.users {
		u := &s.users[i]
		for place, c := range u.calls {
			switch {
			case c.Outcome == Done && c.Op == Release:
				if sale := u.bought.find(c.Sent, c.Answered, nobody); sale != nil {
					s.report(SalesLast, sale, c)
				}
			case c.Outcome == Done:
				s.checkDone(u, place, c)
			case c.Outcome == Refused && c.Op == Release:
				if c.conflict(s.id.Seat) != nil && u.asked > c.Answered {
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
	for _, span := range s.certain.spans {
		if other := s.certain.find(span.from, span.from+1, span.user); other != nil {
			s.report(OneHolder, other, span.call)
		}
	}
	s.checkEnd()
	return s.list
}

// report notes that a promise was broken, the first time.
func (s *seat) report(p Promise, calls ...*Call) {
	if s.found[p] {
		return
	}
	s.found[p] = true
	f := Finding{Promise: p, Seat: s.id, State: s.end[s.id]}
	for _, c := range calls {
		f.Calls = append(f.Calls, *c)
	}
	s.list = append(s.list, f)
}

// checkDone judges a reserve, extend or buy, at a place among the user's calls, that
// the user was told is done.
func (s *seat) checkDone(u *user, place int, c *Call) {
	if other := s.certain.find(c.Sent, c.Answered, u.number); other != nil {
		s.report(OneHolder, other, c)
	}
	switch c.Op {
	case Extend:
		if u.held.find(c.Answered, c.Sent, place) == nil && u.sold > c.Answered {
			s.reportWithoutHold(u, c)
		}
	case Buy:
		if u.held.find(c.Answered, c.Sent, nobody) == nil && u.sold > c.Answered {
			s.reportWithoutHold(u, c)
		}
		if end := s.end[s.id]; end.Status != seatlock.Sold || end.User != "" && end.User != c.User {
			s.report(SalesLast, c)
		}
	}
}

// reportWithoutHold notes that proof, or the state in the end, shows the seat to be
// the user's, who can't have held it; perhaps a reserve of a group was refused, and
// yet took it.
func (s *seat) reportWithoutHold(u *user, proof ...*Call) {
	for _, c := range u.calls {
		if c.Op == Reserve && c.Outcome == Refused && len(c.Seats) > 1 {
			s.report(GroupsWhole, append([]*Call{c}, proof...)...)
			return
		}
	}
	s.report(HoldFirst, proof...)
}

// checkRefused judges a reserve, extend or buy that was refused: what it says of the
// seat, or that it doesn't name it, was so at some moment of the call.
func (s *seat) checkRefused(u *user, c *Call) {
	told := c.conflict(s.id.Seat)
	own := u.certain.find(c.Sent, c.Answered, nobody)
	switch {
	case told == nil && len(c.Conflicts) == 0: // the user's limit, or nothing is known
		if own != nil && len(c.Seats) == 1 {
			s.report(OwnerServed, own, c)
		}
	case told == nil:
		if other := s.certain.find(c.Sent, c.Answered, u.number); other != nil {
			s.report(OneHolder, other, c)
		}
	case told.OwnedByCaller:
		if u.asked > c.Answered {
			s.report(NothingStuck, c)
		}
	case own != nil:
		s.report(OwnerServed, own, c)
	case told.Status == seatlock.Available:
		if other := s.certain.find(c.Sent, c.Answered, u.number); other != nil {
			s.report(OneHolder, other, c)
		}
	case told.Status == seatlock.Sold:
		if s.sold.find(c.Answered, c.Sent, u.number) == nil {
			s.report(NothingStuck, c)
		}
	case s.held.find(c.Answered, c.Sent, u.number) == nil:
		s.report(NothingStuck, c)
	}
}

// checkEnd judges how the seat stands in the end.
func (s *seat) checkEnd() {
	end := s.end[s.id]
	switch {
	case end.Status == seatlock.Sold && end.TTL:
		s.report(SalesLast)
	case end.Status == seatlock.Reserved && !end.TTL:
		s.report(NothingStuck)
	}
	var made []*Call // those of which the state may have come
	var whole bool
	for i := range s.users {
		u := &s.users[i]
		if end.User != "" && end.User != u.calls[0].User {
			continue
		}
		for _, c := range u.calls {
			if end.Status == seatlock.Sold && c.Op == Buy && c.mayHaveRun() ||
				end.Status == seatlock.Reserved && c.Op == Reserve && (c.mayHaveRun() || c.mayHaveRunBefore()) {
				made = append(made, c)
				whole = whole || s.allSold(c)
			}
		}
		if end.User != "" && end.Status == seatlock.Reserved && len(made) == 0 {
			s.reportWithoutHold(u)
			return
		}
	}
	switch {
	case end.Status == seatlock.Available:
	case len(made) == 0:
		s.report(HoldFirst)
	case end.Status == seatlock.Sold && !whole:
		s.report(GroupsWhole, made[:min(3, len(made))]...)
	}
}

// allSold reports whether all seats of a buy are sold in the end, to its user.
func (s *seat) allSold(c *Call) bool {
	for _, seat := range c.Seats {
		state := s.end[SeatID{c.Event, seat}]
		if state.Status != seatlock.Sold || state.User != "" && state.User != c.User {
			return false
		}
	}
	return true
}
