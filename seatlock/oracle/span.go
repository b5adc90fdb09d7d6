package oracle

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"

	"booking/seatlock"
)

const forever = time.Duration(math.MaxInt64)

// slack is by how much a time of length d may differ between the clock of Redis,
// which tells milliseconds, and that of the callers.
func slack(d time.Duration) time.Duration { return 2*time.Millisecond + d/1000 }

// mayHaveRun reports whether the call can have changed something.
func (c *Call) mayHaveRun() bool { return c.Outcome == Done || c.Outcome == Unknown }

// window is when a call that may have run did so.
func (c *Call) window() (from, to time.Duration) {
	if c.Outcome == Unknown {
		return c.Sent, forever
	}
	return c.Sent, c.Answered
}

// resent is how long a call takes at least that a Locker sends a second time.
const resent = 5 * time.Millisecond

// mayHaveRunBefore reports whether a call that is refused can have been done at first,
// its reply been lost, and something have come between until it was sent again.
func (c *Call) mayHaveRunBefore() bool {
	return c.Outcome == Refused && c.Answered-c.Sent >= resent
}

// heldUntil is when the hold of a seat, that an answered call may have made or
// extended, is over.
func (c *Call) heldUntil(seat string, holdTime time.Duration) time.Duration {
	if told := c.conflict(seat); told != nil && !told.OwnedByCaller {
		return c.Answered
	}
	if holdTime == 0 {
		return forever
	}
	return c.Answered + holdTime + slack(holdTime)
}

// conflict returns what a refusal tells of a seat, nil where it doesn't name it.
func (c *Call) conflict(seat string) *seatlock.Seat {
	for i := range c.Conflicts {
		if c.Conflicts[i].ID == seat {
			return &c.Conflicts[i]
		}
	}
	return nil
}

// span is a stretch of time in which a seat was, or may have been, a user's.
type span struct {
	from, to time.Duration
	user     int
	call     *Call // that says so
}

// timeline finds, among spans, those of other users. Looking one up takes the
// logarithm of their number.
type timeline struct {
	spans []span // by from
	// For each i, among spans[:i+1]: the one that lasts longest, and the one that
	// does so among those of other users than that one's; -1 where there is none.
	longest, other []int
}

func newTimeline(spans []span) timeline {
	slices.SortStableFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	t := timeline{spans: spans, longest: make([]int, len(spans)), other: make([]int, len(spans))}
	longest, other := -1, -1
	for i, s := range spans {
		switch {
		case longest < 0:
			longest = i
		case s.to > spans[longest].to:
			if s.user != spans[longest].user {
				other = longest
			}
			longest = i
		case s.user != spans[longest].user && (other < 0 || s.to > spans[other].to):
			other = i
		}
		t.longest[i], t.other[i] = longest, other
	}
	return t
}

// nobody is no user's number.
const nobody = -1

// find returns the call of a span that begins at from or before, lasts until to or
// longer, and is not the user's; nil where there is none.
func (t timeline) find(from, to time.Duration, not int) *Call {
	i := sort.Search(len(t.spans), func(i int) bool { return t.spans[i].from > from }) - 1
	if i < 0 {
		return nil
	}
	found := t.longest[i]
	if t.spans[found].user == not {
		found = t.other[i]
	}
	if found < 0 || t.spans[found].to < to {
		return nil
	}
	return t.spans[found].call
}

// join makes one span of those that touch; spans are one user's, by from.
func join(spans []span) []span {
	var joined []span
	for _, s := range spans {
		if last := len(joined) - 1; last >= 0 && s.from <= joined[last].to {
			joined[last].to = max(joined[last].to, s.to)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// stairs finds the least value that stands at a moment or after it.
type stairs struct{ at, least []time.Duration }

// newStairs takes pairs of a moment and a value.
func newStairs(pairs [][2]time.Duration) stairs {
	slices.SortFunc(pairs, func(a, b [2]time.Duration) int { return cmp.Compare(a[0], b[0]) })
	s := stairs{make([]time.Duration, len(pairs)), make([]time.Duration, len(pairs))}
	least := forever
	for i := len(pairs) - 1; i >= 0; i-- {
		least = min(least, pairs[i][1])
		s.at[i], s.least[i] = pairs[i][0], least
	}
	return s
}

// from returns that value, forever where there is none.
func (s stairs) from(moment time.Duration) time.Duration {
	i := sort.Search(len(s.at), func(i int) bool { return s.at[i] >= moment })
	if i == len(s.at) {
		return forever
	}
	return s.least[i]
}
