package oracle

// setBlocks sets the blocks and unblocks of the seat, and when they had an effect.
func (s *seat) setBlocks(blocks []*Call) {
	s.blocks = blocks
	var unblocks []part
	for _, c := range blocks {
		if c.Op == Unblock {
			unblocks = append(unblocks, part{Call: c, op: Unblock, mayEnd: c.possiblyRan(), mustEnd: c.mayHaveRun()})
		}
	}
	ends := newEnds(unblocks)
	var blocked, maybe []span
	for _, c := range blocks {
		if c.Op != Block || !c.possiblyRan() {
			continue
		}
		from, ran := c.window()
		if c.Outcome == Done {
			blocked = append(blocked, span{ran + 1, ends.certainlyUntil(from), 0, c})
		}
		maybe = append(maybe, span{from, ends.possiblyUntil(ran), 0, c})
	}
	s.blocked, s.maybeBlocked = newTimeline(blocked), newTimeline(maybe)
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
	if opening.At.IsZero() || c.Op != Reserve && c.Op != Extend {
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
