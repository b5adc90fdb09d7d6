package oracle

import "time"

// setBlocks sets the blocks and unblocks of the seat, and when they had an effect.
func (s *seat) setBlocks(blocks []*Call) {
	s.blocks = blocks
	var mayRun, mustRun []timeValue
	for _, c := range blocks {
		if c.Op != Unblock {
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
	// See user.spans.
	firstPossible, firstCertain := newSuffixMin(mayRun), newSuffixMin(mustRun)
	var blocked, maybe []span
	for _, c := range blocks {
		if c.Op != Block || !c.mayHaveRun() && !c.mayHaveRunBeforeRetry() {
			continue
		}
		from, ran := c.window()
		if c.Outcome == Done {
			blocked = append(blocked, span{ran + 1, justBefore(firstPossible.from(from)), 0, c})
		}
		until := forever
		if ran < forever {
			until = firstCertain.from(ran + 1)
		}
		maybe = append(maybe, span{from, until, 0, c})
	}
	s.blocked, s.maybeBlocked = newTimeline(blocked), newTimeline(maybe)
}

// justBefore returns the nanosecond before t; forever has none.
func justBefore(t time.Duration) time.Duration {
	if t == forever {
		return forever
	}
	return t - 1
}

// checkBlocks checks the answers to blocks and unblocks.
func (s *seat) checkBlocks() {
	for _, c := range s.blocks {
		switch {
		case c.Op == Block && c.Outcome == Done:
			if owner := s.owned.covering(c.Sent, c.Answered, noUser); owner != nil {
				s.report(OneHolder, owner, c)
			}
		case c.Op == Unblock && c.Outcome == Refused && c.conflict(s.id.Seat) != nil:
			if block := s.blocked.covering(c.Sent, c.Answered, noUser); block != nil && block.User == c.User {
				s.report(BlockedKept, block, c)
			}
		}
	}
}

// checkBegin checks that a call that is Done does not show a hold that began before the sale
// opened. A deadline is never earlier than the begin of its hold and HoldTime after it.
func (s *seat) checkBegin(c *Call) {
	opening := s.history.Opening
	if opening.At.IsZero() || c.Op == Buy {
		return
	}
	early := c.Op == Reserve && c.Answered < opening.ClosedUntil
	if !c.Deadline.IsZero() && s.history.HoldTime > 0 {
		early = early || c.Deadline.Add(-s.history.HoldTime).Before(opening.At)
	}
	if early {
		s.report(OpensOnTime, c)
	}
}
