package oracle

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"booking/seatlock"
)

// seat has everything that is known about one seat.
type seat struct {
	id       SeatID
	end      Final
	history  *History
	sales    sales
	users    []user
	blocks   []*Call // blocks and unblocks
	reported map[Promise]bool
	findings []Finding

	owned timeline // when the seat was certainly a user's
	held  timeline // when a user may have held it
	sold  timeline // when it may have been sold to a user

	// By the number of the owner:
	bought      timeline         // when it was certainly sold
	maybeBought timeline         // when it may have been sold
	boughtBy    map[int]timeline // bought, for one owner

	blocked      timeline // when the seat was certainly blocked
	maybeBlocked timeline // when it may have been
}

// part is what a call does to one seat.
type part struct {
	*Call
	op     Op  // of the call; moveFrom or moveTo of an exchange
	number int // of the owner whose sale it begins or ends

	mayEnd, mustEnd bool // whether it may, or must, have ended a hold or sale; only of a call that does that
}

// The parts of an exchange.
const (
	moveFrom Op = "exchange from"
	moveTo   Op = "exchange to"
)

// user has the calls of one user for one seat, and what they show.
type user struct {
	number int
	parts  []part // sorted by Sent

	owned timeline // when the seat was certainly the user's, joined
	// When the user may have held the seat. Here a span's user is the index in parts of its
	// call.
	held timeline

	// By the number of the owner:
	bought      timeline // when it was certainly sold to the user
	maybeBought timeline // when it may have been
	afterHold   timeline // maybeBought, without the buys that can't have found a hold
}

func newSeat(id SeatID, parts []part, end Final, h *History, sales sales) *seat {
	s := &seat{id: id, end: end, history: h, sales: sales, reported: map[Promise]bool{}}
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(strings.Compare(a.User, b.User), cmp.Compare(a.Sent, b.Sent))
	})
	numbers := map[owner]int{}
	var owned, held, sold, bought, maybeBought []span
	for len(parts) > 0 {
		n := 1
		for n < len(parts) && parts[n].User == parts[0].User {
			n++
		}
		u := user{number: len(s.users), parts: parts[:n]}
		parts = parts[n:]
		for i := range u.parts {
			s.complete(&u.parts[i], numbers)
		}
		f := u.spans(id.Seat, h.HoldTime, sales)
		owned, bought, maybeBought = append(owned, f.owned...), append(bought, f.bought...), append(maybeBought, f.maybeBought...)
		for _, span := range f.held {
			span.user = u.number
			held = append(held, span)
		}
		for _, span := range f.maybeBought {
			span.user = u.number
			sold = append(sold, span)
		}
		slices.SortFunc(f.owned, func(a, b span) int { return cmp.Compare(a.from, b.from) })
		u.owned, u.held = newTimeline(join(f.owned)), newTimeline(f.held)
		u.bought, u.maybeBought = newTimeline(f.bought), newTimeline(f.maybeBought)
		u.afterHold = u.findHolds()
		s.users = append(s.users, u)
	}
	s.owned, s.held, s.sold = newTimeline(owned), newTimeline(held), newTimeline(sold)
	s.bought, s.maybeBought, s.boughtBy = newTimeline(bought), newTimeline(maybeBought), map[int]timeline{}
	for number, spans := range group(bought) {
		s.boughtBy[number] = newTimeline(spans)
	}
	return s
}

// group groups spans by their users or owners.
func group(spans []span) map[int][]span {
	groups := map[int][]span{}
	for _, s := range spans {
		groups[s.user] = append(groups[s.user], s)
	}
	return groups
}

// complete sets the owner of a part, and whether it ends something.
func (s *seat) complete(p *part, numbers map[owner]int) {
	number, known := numbers[p.owner()]
	if !known {
		number = len(numbers)
		numbers[p.owner()] = number
	}
	p.number = number
	switch p.op {
	case Release:
		p.mayEnd, p.mustEnd = p.possiblyRan(), p.mayHaveRun()
	case Return, moveFrom:
		p.mayEnd, p.mustEnd = p.possiblyRan() && s.sales.mayFindSale(p.Call, s.id.Seat), p.mayHaveRun()
	}
}

// userSpans are the spans of one user. Those of sales have the number of the owner.
type userSpans struct{ owned, held, bought, maybeBought []span }

// spans returns when the seat was the user's.
func (u *user) spans(seat string, holdTime time.Duration, sales sales) (f userSpans) {
	ending := map[int][]part{} // by owner
	for _, p := range u.parts {
		if p.op == Return || p.op == moveFrom {
			ending[p.number] = append(ending[p.number], p)
		}
	}
	saleEnds := map[int]ends{}
	for number, parts := range ending {
		saleEnds[number] = newEnds(parts)
	}
	ofHolds := slices.Clone(u.parts) // the end of a sale is also that of the hold before it
	for i, p := range ofHolds {
		if p.op == moveFrom && sales.mayRepeat(p.Call) { // it is done while the old seats are held, too
			ofHolds[i].mustEnd = false
		}
	}
	holdEnds := newEnds(ofHolds)

	for i, p := range u.parts {
		from, ran := p.window()
		switch p.op {
		case Reserve, Extend:
			switch {
			case p.mayHaveRunBeforeRetry():
				f.held = append(f.held, span{from, p.heldUntil(seat, holdTime), i, p.Call})
			case p.Outcome == Unknown:
				f.held = append(f.held, span{from, forever, i, p.Call})
			case p.Outcome == Done:
				if to := min(from+p.Hold-tolerance(p.Hold), holdEnds.certainlyUntil(from)); to > ran+1 {
					f.owned = append(f.owned, span{ran + 1, to, u.number, p.Call})
				}
				f.held = append(f.held, span{from, min(holdEnds.possiblyUntil(ran), p.heldUntil(seat, holdTime)), i, p.Call})
			}
		case Buy, moveTo:
			ends := saleEnds[p.number]
			if to := ends.certainlyUntil(from); p.Outcome == Done && to > ran+1 {
				f.bought = append(f.bought, span{ran + 1, to, p.number, p.Call})
				f.owned = append(f.owned, span{ran + 1, to, u.number, p.Call})
			}
			to := ends.possiblyUntil(ran)
			switch {
			case p.mayHaveRun():
				f.maybeBought = append(f.maybeBought, span{from, to, p.number, p.Call})
			case p.mayHaveRunBeforeRetry() && (p.op == moveTo || sales.mayEndSales(p.Call)): // a retry of another buy would be Done
				if conflict := p.conflict(seat); conflict != nil && (p.op == Buy || conflict.Status != seatlock.Sold) {
					to = ran
				}
				f.maybeBought = append(f.maybeBought, span{from, to, p.number, p.Call})
			}
		}
	}
	return f
}

// findHolds returns the spans of maybeBought whose calls may have found a hold, or need none.
func (u *user) findHolds() timeline {
	var found []span
	for _, sale := range u.maybeBought.spans {
		from, to := sale.call.window()
		if sale.call.Op == Exchange || u.held.overlapping(from, to, noUser) != nil {
			found = append(found, sale)
		}
	}
	return newTimeline(found)
}
