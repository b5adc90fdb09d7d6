package oracle

import (
	"math"
	"time"

	"booking/seatlock"
)

// owner owns a sale.
type owner struct{ user, order string }

func (c *Call) owner() owner { return owner{c.User, c.Order} }

// soldTo reports whether the state may be a sale of the owner.
func (s State) soldTo(o owner) bool {
	return s.Status == seatlock.Sold && (s.User == "" || s.User == o.user && s.Order == o.order)
}

// begins returns the seats on which the call begins a sale.
func (c *Call) begins() []string {
	switch c.Op {
	case Buy:
		return c.Seats
	case Exchange:
		return c.To
	}
	return nil
}

// ends returns the seats on which the call ends a sale.
func (c *Call) ends() []string {
	if c.Op == Return || c.Op == Exchange {
		return c.Seats
	}
	return nil
}

// ownedSeat is a seat and an owner who may have had it.
type ownedSeat struct {
	SeatID
	owner
}

// saleCalls sums up the calls that may have begun or ended the sales of an ownedSeat.
type saleCalls struct {
	first, second      *Call         // the begins that were sent first; nil if there are none
	lastBegin, lastEnd time.Duration // until when one of them may run; never if there is none
}

const never = time.Duration(math.MinInt64)

// sales has the saleCalls of a history. A call for a group depends on other seats, so the check
// of one seat needs those of others.
type sales map[ownedSeat]*saleCalls

func newSales(calls []Call) sales {
	s := sales{}
	for i := range calls {
		c := &calls[i]
		if !c.possiblyRan() {
			continue
		}
		_, to := c.window()
		for _, seat := range c.begins() {
			of := s.add(c, seat)
			of.lastBegin = max(of.lastBegin, to)
			switch {
			case of.first == nil || c.Sent < of.first.Sent:
				of.first, of.second = c, of.first
			case of.second == nil || c.Sent < of.second.Sent:
				of.second = c
			}
		}
		for _, seat := range c.ends() {
			of := s.add(c, seat)
			of.lastEnd = max(of.lastEnd, to)
		}
	}
	return s
}

func (s sales) add(c *Call, seat string) *saleCalls {
	key := ownedSeat{SeatID{c.Event, seat}, c.owner()}
	if s[key] == nil {
		s[key] = &saleCalls{lastBegin: never, lastEnd: never}
	}
	return s[key]
}

// noSaleCalls is what an ownedSeat has that no call names.
var noSaleCalls = &saleCalls{lastBegin: never, lastEnd: never}

// of returns the saleCalls of the owner that the call names.
func (s sales) of(c *Call, seat string) *saleCalls {
	if found := s[ownedSeat{SeatID{c.Event, seat}, c.owner()}]; found != nil {
		return found
	}
	return noSaleCalls
}

// mayFindSale reports whether a seat may have been sold to the owner that the call names, by another call.
func (s sales) mayFindSale(c *Call, seat string) bool {
	of := s.of(c, seat)
	begin := of.first
	if begin == c {
		begin = of.second
	}
	_, to := c.window()
	return begin != nil && begin.Sent <= to
}

// mayRepeat reports whether an exchange may have found its sale on the new seats.
func (s sales) mayRepeat(c *Call) bool {
	for _, seat := range c.To {
		if !s.mayFindSale(c, seat) {
			return false
		}
	}
	return true
}

// mayEndSales reports whether another call may have ended a sale that the call began.
func (s sales) mayEndSales(c *Call) bool {
	for _, seat := range c.begins() {
		if s.of(c, seat).lastEnd >= c.Sent {
			return true
		}
	}
	return false
}

// isWhole reports whether the final states may show all that the call did: on each of its seats,
// unless another call may have changed the seat since.
func (s *seat) isWhole(c *Call) bool {
	for _, seat := range c.begins() {
		if !s.end[SeatID{c.Event, seat}].soldTo(c.owner()) && s.sales.of(c, seat).lastEnd < c.Sent {
			return false
		}
	}
	for _, seat := range c.ends() {
		end := s.end[SeatID{c.Event, seat}]
		if end.User != "" && end.soldTo(c.owner()) && s.sales.of(c, seat).lastBegin < c.Sent {
			return false
		}
	}
	return true
}

// checkSoldEnd checks the final state against the sales.
func (s *seat) checkSoldEnd() {
	end := s.end[s.id]
	for _, sale := range s.bought.spans {
		if sale.to == forever && !end.soldTo(sale.call.owner()) {
			s.report(SalesLast, sale.call)
		}
	}
	s.checkEndedSales()
	if end.Status != seatlock.Sold {
		return
	}
	var begins, causes []*Call // the calls that may have begun the sale; those whose sale may still last
	whole := false
	for _, sale := range s.maybeBought.spans {
		if !end.soldTo(sale.call.owner()) {
			continue
		}
		begins = append(begins, sale.call)
		if sale.to == forever {
			causes = append(causes, sale.call)
			whole = whole || s.isWhole(sale.call)
		}
	}
	switch {
	case len(begins) == 0:
		s.report(HoldFirst)
	case len(causes) == 0:
		s.report(NothingStuck, begins[:min(3, len(begins))]...)
	case !whole:
		s.report(GroupsWhole, causes[:min(3, len(causes))]...)
	}
}

// checkEndedSales checks that each sale that was acknowledged and is gone was ended by a call that
// may have done all that it had to.
func (s *seat) checkEndedSales() {
	for i := range s.users {
		parts := s.users[i].parts
		last := map[int]*Call{} // by the number of the owner: the last acknowledged begin
		for _, p := range parts {
			if (p.op == Buy || p.op == moveTo) && p.Outcome == Done && !s.end[s.id].soldTo(p.owner()) {
				last[p.number] = p.Call
			}
		}
		if len(last) == 0 {
			continue
		}
		var numbers []int
		ends, whole := map[int][]*Call{}, map[int]bool{}
		for _, p := range parts {
			begin := last[p.number]
			if p.op != Return && p.op != moveFrom || begin == nil || !p.mayEnd {
				continue
			}
			if _, to := p.window(); to < begin.Sent {
				continue
			}
			if len(ends[p.number]) == 0 {
				numbers = append(numbers, p.number)
			}
			ends[p.number] = append(ends[p.number], p.Call)
			whole[p.number] = whole[p.number] || s.isWhole(p.Call)
		}
		for _, number := range numbers {
			if calls := ends[number]; !whole[number] {
				s.report(GroupsWhole, append([]*Call{last[number]}, calls[:min(2, len(calls))]...)...)
			}
		}
	}
}
