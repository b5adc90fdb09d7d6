package oracle

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"time"
)

const forever = time.Duration(math.MaxInt64)

// span is a period in which a seat was, or may have been, a user's.
type span struct {
	from, to time.Duration
	user     int   // in the timelines of sales: the number of the owner
	call     *Call // the evidence
}

// timeline finds spans by time and user. A lookup takes logarithmic time.
type timeline struct {
	spans []span // sorted by from
	// For each i: the index of the span in spans[:i+1] that ends last, and of the one
	// that ends last among the other users' spans. -1 if there is none.
	latest, otherLatest []int
}

func newTimeline(spans []span) timeline {
	slices.SortStableFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	t := timeline{spans: spans, latest: make([]int, len(spans)), otherLatest: make([]int, len(spans))}
	latest, otherLatest := -1, -1
	for i, s := range spans {
		switch {
		case latest < 0:
			latest = i
		case s.to > spans[latest].to:
			if s.user != spans[latest].user {
				otherLatest = latest
			}
			latest = i
		case s.user != spans[latest].user && (otherLatest < 0 || s.to > spans[otherLatest].to):
			otherLatest = i
		}
		t.latest[i], t.otherLatest[i] = latest, otherLatest
	}
	return t
}

// noUser is a sentinel for "except no user".
const noUser = -1

// covering returns the call of a span that covers all of from to to, except spans of one
// user. It returns nil if there is none.
func (t timeline) covering(from, to time.Duration, except int) *Call {
	return t.find(from, to, except)
}

// overlapping is covering for a span that covers any moment of from to to.
func (t timeline) overlapping(from, to time.Duration, except int) *Call {
	return t.find(to, from, except)
}

// find returns the call of a span that begins at latestStart or before and ends at
// earliestEnd or later.
func (t timeline) find(latestStart, earliestEnd time.Duration, except int) *Call {
	i := sort.Search(len(t.spans), func(i int) bool { return t.spans[i].from > latestStart }) - 1
	if i < 0 {
		return nil
	}
	found := t.latest[i]
	if t.spans[found].user == except {
		found = t.otherLatest[i]
	}
	if found < 0 || t.spans[found].to < earliestEnd {
		return nil
	}
	return t.spans[found].call
}

// join merges spans that touch. The spans are one user's, sorted by from.
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

// suffixMin finds the minimum of all values at or after a time.
type suffixMin struct{ times, minima []time.Duration }

// timeValue is a value at a time.
type timeValue struct{ time, value time.Duration }

func newSuffixMin(pairs []timeValue) suffixMin {
	slices.SortFunc(pairs, func(a, b timeValue) int { return cmp.Compare(a.time, b.time) })
	s := suffixMin{make([]time.Duration, len(pairs)), make([]time.Duration, len(pairs))}
	least := forever
	for i := len(pairs) - 1; i >= 0; i-- {
		least = min(least, pairs[i].value)
		s.times[i], s.minima[i] = pairs[i].time, least
	}
	return s
}

// from returns the minimum, or forever if there is no value.
func (s suffixMin) from(start time.Duration) time.Duration {
	i := sort.Search(len(s.times), func(i int) bool { return s.times[i] >= start })
	if i == len(s.times) {
		return forever
	}
	return s.minima[i]
}

// ends finds when calls ended something that others began.
type ends struct{ possible, certain suffixMin }

// newEnds returns the ends that the parts of calls made.
func newEnds(parts []part) ends {
	var mayRun, mustRun []timeValue
	for _, p := range parts {
		from, to := p.window()
		if p.mayEnd {
			mayRun = append(mayRun, timeValue{to, from})
		}
		if p.mustEnd {
			mustRun = append(mustRun, timeValue{from, to})
		}
	}
	return ends{newSuffixMin(mayRun), newSuffixMin(mustRun)}
}

// certainlyUntil returns how long something certainly lasted that a call began which was sent
// at sent: until the earliest run of a call that may still end it.
func (e ends) certainlyUntil(sent time.Duration) time.Duration {
	// Events of the same nanosecond may have happened in either order.
	return justBefore(e.possible.from(sent))
}

// possiblyUntil returns how long something may have lasted that a call began which ran until
// ran: until a call that was sent later has certainly ended it.
func (e ends) possiblyUntil(ran time.Duration) time.Duration {
	if ran == forever {
		return forever
	}
	return e.certain.from(ran + 1)
}

// justBefore returns the nanosecond before t; forever has none.
func justBefore(t time.Duration) time.Duration {
	if t == forever {
		return forever
	}
	return t - 1
}
