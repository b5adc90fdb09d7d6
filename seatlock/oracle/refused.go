package oracle

import "booking/seatlock"

// checkRefused checks a call that was refused. What it says about the seat, or that it does not
// name it, must have been true at some time during the call.
func (s *seat) checkRefused(u *user, p part) {
	conflict := p.conflict(s.id.Seat)
	switch p.op {
	case Release:
		if conflict != nil && u.maybeBought.overlapping(p.Sent, p.Answered, noUser) == nil {
			s.report(NothingStuck, p.Call)
		}
		return
	case Return, moveFrom, moveTo:
		s.checkRefusedReturn(u, p, conflict)
		return
	case Reserve:
		if p.NotOnSale && !s.history.Opening.At.IsZero() && p.Sent >= s.history.Opening.OpenFrom {
			s.report(OpensOnTime, p.Call)
		}
		if block := s.blocked.covering(p.Sent, p.Answered, noUser); block != nil &&
			len(p.Conflicts) > 0 && (conflict == nil || conflict.Status != seatlock.Blocked) {
			s.report(BlockedKept, block, p.Call)
			return
		}
	}
	own, except := u.owned.covering(p.Sent, p.Answered, noUser), noUser
	if p.op == Buy {
		except = p.number // a repeated buy is not refused
	}
	if p.op == Buy && u.maybeBought.overlapping(p.Sent, p.Answered, except) != nil {
		own = nil // the user may have bought it under another order
	}
	switch {
	case conflict == nil:
		s.checkUnnamed(u, p, own)
	case conflict.OwnedByCaller:
		if u.maybeBought.overlapping(p.Sent, p.Answered, except) == nil {
			s.report(NothingStuck, p.Call)
		}
	case own != nil:
		s.report(OwnerServed, own, p.Call)
	case p.op == Buy && conflict.Status == seatlock.Sold:
		if s.maybeBought.overlapping(p.Sent, p.Answered, p.number) == nil {
			s.report(NothingStuck, p.Call)
		}
	default:
		s.checkStatus(p.Call, conflict.Status, u.number)
	}
}

// checkUnnamed checks a refusal that does not name the seat. own proves that it was the user's.
func (s *seat) checkUnnamed(u *user, p part, own *Call) {
	if len(p.Conflicts) == 0 { // the user's seat limit, the sale window, or an unknown cause
		if own != nil && len(p.Seats) == 1 {
			s.report(OwnerServed, own, p.Call)
		}
		return
	}
	other := s.owned.covering(p.Sent, p.Answered, u.number)
	if p.op == Buy && other == nil {
		other = s.bought.covering(p.Sent, p.Answered, p.number)
	}
	if other != nil {
		s.report(OneHolder, other, p.Call)
	}
}

// checkRefusedReturn checks a return or an exchange that was refused.
func (s *seat) checkRefusedReturn(u *user, p part, conflict *seatlock.Seat) {
	if conflict == nil {
		s.checkUnnamedReturn(u, p)
		return
	}
	if own := s.boughtBy[p.number].covering(p.Sent, p.Answered, noUser); own != nil && p.op != moveTo {
		s.report(OwnerServed, own, p.Call)
		return
	}
	switch {
	case conflict.Status == seatlock.Sold:
		except := p.number
		if p.op == moveTo {
			except = noUser
		}
		if s.maybeBought.overlapping(p.Sent, p.Answered, except) == nil {
			s.report(NothingStuck, p.Call)
		}
	case p.op == Return && (conflict.Status == seatlock.Available || conflict.Status == seatlock.Blocked):
		s.report(NothingStuck, p.Call) // a repeated return
	case p.op == moveTo:
		s.checkStatus(p.Call, conflict.Status, u.number)
	default:
		s.checkStatus(p.Call, conflict.Status, noUser)
	}
}

// checkUnnamedReturn checks a refusal that does not name the seat. The other seats of an exchange
// may have caused it.
func (s *seat) checkUnnamedReturn(u *user, p part) {
	if p.op != Return || len(p.Conflicts) == 0 {
		return
	}
	other := s.bought.covering(p.Sent, p.Answered, p.number)
	if other == nil {
		other = s.owned.covering(p.Sent, p.Answered, u.number)
	}
	if other != nil {
		s.report(OneHolder, other, p.Call)
	}
}

// checkStatus checks the status that a refusal gives the seat. A hold or sale of the user except
// does not explain it.
func (s *seat) checkStatus(c *Call, status seatlock.Status, except int) {
	explained := true
	switch status {
	case seatlock.Available:
		if other := s.owned.covering(c.Sent, c.Answered, except); other != nil {
			s.report(OneHolder, other, c)
		}
	case seatlock.Blocked:
		explained = s.maybeBlocked.overlapping(c.Sent, c.Answered, noUser) != nil
	case seatlock.Sold:
		explained = s.sold.overlapping(c.Sent, c.Answered, except) != nil
	case seatlock.Reserved:
		explained = s.held.overlapping(c.Sent, c.Answered, except) != nil
	}
	if !explained {
		s.report(NothingStuck, c)
	}
}
