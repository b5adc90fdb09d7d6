package oracle_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"booking/seatlock"
	. "booking/seatlock/oracle"
)

// modelSeat is a held or sold seat.
type modelSeat struct {
	user, order string
	sold        bool
	deadline    time.Duration
}

// model is a seat service. It is correct unless it has a defect.
type model struct {
	now     time.Duration
	seats   map[string]modelSeat
	blocked map[string]bool
	opens   time.Duration
	defect  string
}

func newModel(defect string) *model {
	return &model{seats: map[string]modelSeat{}, blocked: map[string]bool{}, defect: defect}
}

// redisTime converts a time by the clock of the callers.
func redisTime(d time.Duration) time.Time { return time.UnixMilli(1_795_600_000_000).Add(d) }

// run runs c at m.now, rounded down to milliseconds as in Redis, and sets its answer.
func (m *model) run(c *Call) {
	now := m.now.Truncate(time.Millisecond)
	var mine, free []string
	c.Conflicts, c.Hold, c.Deadline, c.NotOnSale = nil, 0, time.Time{}, false
	earliest := time.Duration(0)
	maps.DeleteFunc(m.seats, func(_ string, s modelSeat) bool { return !s.sold && s.deadline < now })
	switch c.Op {
	case Return:
		m.giveBack(c)
		return
	case Exchange:
		m.exchange(c)
		return
	}
	for _, id := range c.Seats {
		s, taken := m.seats[id]
		status := seatlock.Seat{ID: id}
		switch {
		case taken && s.sold:
			status.Status, status.OwnedByCaller = seatlock.Sold, (c.Op == Reserve || c.Op == Buy) && s.user == c.User
		case taken:
			status.Status = seatlock.Reserved
		case m.blocked[id] && c.Op == Reserve && m.defect != "unblocked":
			status.Status = seatlock.Blocked
		}
		own := taken && (s.user == c.User || m.defect == "owner" && c.Op != Reserve)
		refuse := !own
		switch c.Op {
		case Reserve:
			refuse = taken && (s.sold || !own) && m.defect != "overwrite" || own && m.defect == "retry" || status.Status == seatlock.Blocked
		case Buy:
			refuse = !own || s.sold && s.order != c.Order && m.defect != "reorder"
		case Release:
			refuse = own && s.sold
		case Block, Unblock:
			refuse = taken
		}
		if refuse && (c.Op != Release || own) {
			c.Conflicts = append(c.Conflicts, status)
			continue
		}
		switch {
		case !taken:
			free = append(free, id)
		case own && (!s.sold || c.Op == Buy && s.order != c.Order):
			mine = append(mine, id)
			if earliest == 0 || s.deadline < earliest {
				earliest = s.deadline
			}
		case c.Op == Reserve:
			free = append(free, id) // only with a defect
		}
	}
	if c.Outcome = Done; len(c.Conflicts) > 0 {
		c.Outcome = Refused
		if m.defect != "split" || c.Op != Reserve {
			return
		}
	}
	switch {
	case c.Op == Block || c.Op == Unblock:
		for _, id := range c.Seats {
			m.blocked[id] = c.Op == Block && m.defect != "lost"
		}
		return
	case c.Op == Reserve && len(free) > 0 && now < m.opens && m.defect != "early":
		c.Outcome, c.NotOnSale = Refused, true
		return
	}
	deadline := now + hold
	for _, id := range mine {
		switch c.Op {
		case Extend:
			m.seats[id] = modelSeat{c.User, "", false, deadline}
			earliest = deadline
		case Buy:
			m.seats[id] = modelSeat{c.User, c.Order, true, 0}
		case Release:
			delete(m.seats, id)
		}
	}
	if c.Op == Reserve {
		for _, id := range free {
			m.seats[id] = modelSeat{c.User, "", false, deadline}
			if earliest == 0 || deadline < earliest {
				earliest = deadline
			}
		}
	}
	if c.Outcome == Done && earliest > 0 && (c.Op == Reserve || c.Op == Extend) {
		c.Hold, c.Deadline = earliest-now, redisTime(earliest)
	}
}

// seat returns the state of a seat, as a conflict of c shows it.
func (m *model) seat(c *Call, id string) (s modelSeat, shown seatlock.Seat) {
	s, taken := m.seats[id]
	shown.ID = id
	switch {
	case taken && s.sold:
		shown.Status, shown.OwnedByCaller = seatlock.Sold, s.user == c.User
	case taken:
		shown.Status = seatlock.Reserved
	case m.blocked[id]:
		shown.Status = seatlock.Blocked
	}
	return s, shown
}

// isSoldTo reports whether a seat is sold to the owner that c names.
func (m *model) isSoldTo(c *Call, id string) bool {
	s := m.seats[id]
	return s.sold && s.user == c.User && (s.order == c.Order || m.defect == "order" && c.Op == Return)
}

// giveBack runs a return.
func (m *model) giveBack(c *Call) {
	for _, id := range c.Seats {
		if _, shown := m.seat(c, id); !m.isSoldTo(c, id) && (shown.Status == seatlock.Sold || shown.Status == seatlock.Reserved) {
			c.Conflicts = append(c.Conflicts, shown)
		}
	}
	if c.Outcome = Done; len(c.Conflicts) > 0 {
		c.Outcome = Refused
		return
	}
	for i, id := range c.Seats {
		if m.defect != "returned" && (m.defect != "half return" || i == 0) {
			delete(m.seats, id)
		}
	}
}

// exchange runs an exchange.
func (m *model) exchange(c *Call) {
	all := func(seats []string, is bool) bool {
		return !slices.ContainsFunc(seats, func(id string) bool { return m.isSoldTo(c, id) != is })
	}
	if all(c.To, true) && all(c.Seats, false) {
		c.Outcome = Done
		return
	}
	for _, id := range c.Seats {
		if _, shown := m.seat(c, id); !m.isSoldTo(c, id) {
			c.Conflicts = append(c.Conflicts, shown)
		}
	}
	for _, id := range c.To {
		s, shown := m.seat(c, id)
		held := shown.Status == seatlock.Reserved && s.user == c.User
		if shown.Status != seatlock.Available && !held && m.defect != "exchange" {
			c.Conflicts = append(c.Conflicts, shown)
		}
	}
	if c.Outcome = Done; len(c.Conflicts) > 0 {
		c.Outcome = Refused
		return
	}
	for _, id := range c.Seats {
		if m.defect != "half exchange" {
			delete(m.seats, id)
		}
	}
	for _, id := range c.To {
		m.seats[id] = modelSeat{c.User, c.Order, true, 0}
	}
}

// event is one run of a call. It may be long after the caller gave up.
type event struct {
	at    time.Duration
	call  *Call
	lost  string // "", or "reply" if its reply is lost
	retry bool   // its reply is lost, and a retry follows
}

// draw generates calls, runs them on m, and returns their history and the final state.
func draw(t *rapid.T, m *model) (History, Final) {
	m.opens = time.Duration(rapid.SampledFrom([]int{0, 1_000, 60_000}).Draw(t, "opens, ms")) * time.Millisecond
	users := []string{ann, bob, "eve"}
	ids := []string{"1A", "1B", "1C"}
	var calls []*Call
	var events []event
	sent := time.Duration(0)
	delay := rapid.Custom(func(t *rapid.T) time.Duration {
		limit := rapid.SampledFrom([]int{1, 1_000, 10_000_000, 60_000_000}).Draw(t, "at most, µs")
		return time.Duration(rapid.IntRange(0, limit).Draw(t, "µs")) * time.Microsecond
	})
	for range rapid.IntRange(1, 40).Draw(t, "calls") {
		sent += delay.Draw(t, "pause")
		c := &Call{
			Op:    rapid.SampledFrom([]Op{Reserve, Reserve, Reserve, Buy, Buy, Buy, Extend, Release, Block, Unblock, Return, Return, Exchange}).Draw(t, "op"),
			Seats: rapid.SliceOfNDistinct(rapid.SampledFrom(ids), 1, 3, rapid.ID[string]).Draw(t, "seats"),
			User:  rapid.SampledFrom(users).Draw(t, "user"),
			Sent:  sent,
		}
		switch c.Op {
		case Block, Unblock:
			c.User = house
		case Exchange:
			both := rapid.Permutation(ids).Draw(t, "from, to")
			c.Seats, c.To = both[:1], both[1:2]
			fallthrough
		case Buy, Return:
			c.Order = rapid.SampledFrom([]string{"", "", "o1"}).Draw(t, "order")
		}
		if len(calls) > 0 && (c.Op == Buy || c.Op == Return || c.Op == Exchange) && rapid.Bool().Draw(t, "of the last call") {
			last := calls[len(calls)-1]
			c.Seats, c.User, c.Order = last.Seats, last.User, last.Order
			if c.Op == Exchange {
				c.Seats = last.Seats[:1]
				c.To = []string{ids[(slices.Index(ids, c.Seats[0])+1)%len(ids)]}
			}
		}
		at := sent + delay.Draw(t, "way")
		c.Answered = at + delay.Draw(t, "way back")
		lost := rapid.SampledFrom([]string{"", "", "", "", "reply", "request", "refused"}).Draw(t, "lost")
		if lost != "" {
			c.Answered = sent + delay.Draw(t, "delay")
		}
		calls = append(calls, c)
		if lost == "" || lost == "reply" {
			events = append(events, event{at, c, lost, false})
			if spare := at - sent - 10*time.Millisecond; spare > 0 && rapid.Bool().Draw(t, "retried") {
				first := sent + time.Duration(rapid.Int64Range(0, int64(spare)).Draw(t, "first"))
				events = append(events, event{first, c, "reply", true})
			}
			continue
		}
		if c.Outcome = Unknown; lost == "refused" {
			c.Outcome = NotRun
		}
	}
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	for _, e := range events {
		m.now = e.at
		m.run(e.call)
		if e.retry {
			continue
		}
		if e.lost == "reply" {
			e.call.Outcome, e.call.Conflicts, e.call.Hold, e.call.Deadline, e.call.NotOnSale = Unknown, nil, 0, time.Time{}, false
		}
	}
	m.now = max(m.now, sent)
	h := History{HoldTime: hold, Opening: Opening{At: redisTime(m.opens), ClosedUntil: m.opens, OpenFrom: m.opens}}
	for _, c := range rapid.Permutation(calls).Draw(t, "order") {
		h.Calls = append(h.Calls, *c)
	}
	final := Final{}
	for id, is := range m.blocked {
		if is {
			final[SeatID{Seat: id}] = blocked
		}
	}
	for id, s := range m.seats {
		if s.sold {
			final[SeatID{Seat: id}] = State{Status: seatlock.Sold, User: s.user, Order: s.order, TTL: m.defect == "ttl"}
		} else if s.deadline >= m.now {
			final[SeatID{Seat: id}] = State{Status: seatlock.Reserved, User: s.user, TTL: true}
		}
	}
	return h, final
}

func TestCheck_AcceptsHistoriesOfCorrectModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h, end := draw(t, newModel(""))
		if rapid.Bool().Draw(t, "HoldTime unknown") {
			h.HoldTime = 0
		}
		for _, f := range Check(h, end) {
			t.Errorf("%v", f)
		}
	})
}

// Some random histories of a service with a defect prove the defect.
func TestCheck_FindsDefectsInRandomHistories(t *testing.T) {
	t.Parallel()
	for defect, want := range map[string][]Promise{
		"overwrite": {OneBuyer, SalesLast, OneHolder},
		"owner":     {OneHolder, HoldFirst},
		"retry":     {OwnerServed},
		"split":     {GroupsWhole, NothingStuck},
		"ttl":       {SalesLast},
		"early":     {OpensOnTime},
		"unblocked": {BlockedKept},
		"lost":      {BlockedKept},

		"reorder":       {OneBuyer, SalesLast},
		"order":         {OwnSale, SalesLast},
		"returned":      {NothingStuck},
		"half return":   {GroupsWhole, NothingStuck},
		"exchange":      {OneHolder},
		"half exchange": {GroupsWhole, NothingStuck},
	} {
		t.Run(defect, func(t *testing.T) {
			t.Parallel()
			found := map[Promise]int{}
			histories := rapid.Custom(func(t *rapid.T) []Finding {
				h, end := draw(t, newModel(defect))
				return Check(h, end)
			})
			for seed := range 2_000 {
				for _, f := range histories.Example(seed) {
					found[f.Promise]++
				}
			}
			for _, promise := range want {
				require.Positive(t, found[promise], "%s: %v", promise, fmt.Sprint(found))
			}
		})
	}
}
