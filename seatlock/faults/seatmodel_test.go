package faults_test

import (
	"fmt"
	"maps"
	"slices"

	"github.com/anishathalye/porcupine"

	"booking/seatlock"
	"booking/seatlock/oracle"
)

// seats is the number of seats of an event in the model.
const seats = 6

// eventState is the state of the seats of an event. Times are ms by the clock of Redis. It
// is comparable, as porcupine requires.
type eventState struct {
	now   int64 // the earliest time of the next call: Redis runs calls in turn
	seats [seats]seatState
}

// seatState is the state of a seat. A seat without a user is available.
type seatState struct {
	channel          string // that the seat is blocked for; "" for none
	user             string
	order            string // of a sale
	sold             bool
	earliest, latest int64 // bounds of the deadline, equal if it is known
}

// input is a call. The model has no clock, so input and output have the times of the call.
type input struct {
	op      oracle.Op
	seats   []int
	to      []int // of an exchange
	user    string
	order   string // of a buy, return or exchange
	channel string // of a reserve, block or unblock
	sent    int64
	hold    int64 // the HoldTime of the event
	// The sale window of the event; 0 and never for none.
	onSale, offSale int64
}

// output is the answer of a call.
type output struct {
	outcome   oracle.Outcome
	retried   bool // an earlier attempt of an answered call; outcome is Unknown
	answered  int64
	now       int64 // when Redis ran the call; 0 if unknown
	deadline  int64 // the earliest deadline of the group; 0 if unknown
	conflicts []seatlock.Seat
	notOnSale bool // outcome is Refused
}

// clockError is by how many ms the clocks of the callers and of Redis may differ.
const clockError = 3

// never is later than every deadline. It is the upper bound of an unknown deadline.
const never = int64(1) << 60

// seatModel returns a model with one partition for all seats of an event, since a call for
// a group depends on all its seats at one time. A partition for each seat would accept a
// group that is held bit by bit. Histories are short instead.
func seatModel() porcupine.Model {
	model := porcupine.NondeterministicModel{
		Init: func() []any { return []any{eventState{}} },
		Step: func(state, in, out any) []any { return step(state.(eventState), in.(input), out.(output)) },
		DescribeOperation: func(in, out any) string {
			i, o := in.(input), out.(output)
			if o.retried {
				return fmt.Sprintf("%s %s %v: an earlier attempt, which may have run", i.user, i.op, i.seats)
			}
			text := fmt.Sprintf("%s %s %v %v %s: %s", i.user, i.op, i.seats, i.to, i.order+i.channel, o.outcome)
			if o.notOnSale {
				text += ", not on sale"
			}
			if o.deadline > 0 {
				text += fmt.Sprintf(" for %d ms", o.deadline-o.now)
			}
			for _, s := range o.conflicts {
				text += fmt.Sprintf(" (%s is %v)", s.ID, s.Status)
			}
			return text
		},
	}
	return model.ToModel()
}

// step returns the states that may follow e if Redis runs a call with the given output.
func step(e eventState, in input, out output) []any {
	to := never
	if out.outcome != oracle.Unknown || out.retried {
		to = out.answered + clockError
	}
	e.now = max(e.now, in.sent-clockError)
	if e.now > to || out.now > 0 && (out.now < e.now || out.now > to) {
		return nil
	}
	if out.now > 0 {
		to = out.now + clockError
	}
	var next []any
	if out.outcome == oracle.Unknown {
		next = append(next, e) // the call never runs
	}
	for _, r := range e.run(in, out, to) {
		if out.outcome == oracle.Unknown || r.matches(in, out) {
			r.state.now = max(r.state.now, out.now)
			next = append(next, r.state)
		}
	}
	return next
}

// result is a possible result of a call.
type result struct {
	state     eventState
	conflicts map[string]seatlock.Status
	newHold   bool
	notOnSale bool
}

// run returns the possible results of a call that runs between e.now and to. There are
// several if a deadline is near or unknown.
func (e eventState) run(in input, out output, to int64) []result {
	if in.op == oracle.Exchange {
		return e.runExchange(in, to)
	}
	results := []result{{state: e, conflicts: map[string]seatlock.Status{}}}
	for _, seat := range in.seats {
		var more []result
		for _, r := range results {
			for _, o := range e.options(seat, in, out.now, to) {
				next := result{state: r.state, conflicts: maps.Clone(r.conflicts), newHold: r.newHold || o.newHold}
				if o.refused {
					next.conflicts[seatName(seat)] = o.status
				} else {
					next.state.seats[seat] = o.next
				}
				more = append(more, next)
			}
		}
		results = more
	}
	for i := range results {
		if len(results[i].conflicts) > 0 {
			results[i].state = e
		}
	}
	return e.applyWindow(results, in, out.now, to)
}

// runExchange returns the possible results of an exchange. It has one for each combination of the
// states that its seats may have.
func (e eventState) runExchange(in input, to int64) (results []result) {
	both := slices.Concat(in.seats, in.to)
	combinations := [][]seatlock.Status{nil}
	for _, seat := range both {
		var more [][]seatlock.Status
		for _, c := range combinations {
			for _, status := range e.seats[seat].statuses(e.now, to) {
				more = append(more, append(slices.Clone(c), status))
			}
		}
		combinations = more
	}
	for _, statuses := range combinations {
		results = append(results, e.exchange(in, both, statuses))
	}
	return results
}

// exchange returns the result of an exchange whose seats have these states.
func (e eventState) exchange(in input, both []int, statuses []seatlock.Status) result {
	notSold, notFree, sold := map[string]seatlock.Status{}, map[string]seatlock.Status{}, 0
	for i, seat := range both {
		s := e.seats[seat]
		own := s.user == in.user && statuses[i] != seatlock.Available && statuses[i] != seatlock.Blocked
		isSold := own && s.sold && s.order == in.order
		switch {
		case i < len(in.seats) && !isSold:
			notSold[seatName(seat)] = statuses[i]
		case i >= len(in.seats) && statuses[i] != seatlock.Available && (!own || s.sold):
			notFree[seatName(seat)] = statuses[i]
		}
		if i >= len(in.seats) && isSold {
			sold++
		}
	}
	switch {
	case sold == len(in.to) && len(notSold) == len(in.seats): // again
		return result{state: e}
	case len(notSold) > 0:
		return result{state: e, conflicts: notSold}
	case len(notFree) > 0:
		return result{state: e, conflicts: notFree}
	}
	for _, seat := range in.seats {
		e.seats[seat] = seatState{channel: e.seats[seat].channel}
	}
	for _, seat := range in.to {
		e.seats[seat] = seatState{channel: e.seats[seat].channel, user: in.user, order: in.order, sold: true}
	}
	return result{state: e}
}

// statuses returns the states that the seat may have between now and to.
func (s seatState) statuses(now, to int64) (all []seatlock.Status) {
	if s.sold {
		return []seatlock.Status{seatlock.Sold}
	}
	if s.user == "" || to >= s.earliest-clockError {
		status := seatlock.Available
		if s.channel != "" {
			status = seatlock.Blocked
		}
		all = append(all, status)
	}
	if s.user != "" && now <= s.latest+clockError {
		all = append(all, seatlock.Reserved)
	}
	return all
}

// applyWindow splits the results that hold seats of the public: if the sale may have been
// closed, the call may have been refused.
func (e eventState) applyWindow(results []result, in input, now, to int64) (all []result) {
	from := e.now
	if now > 0 {
		from, to = now, now
	}
	mayBeOpen := max(from, in.onSale) <= min(to, in.offSale-1)
	mayBeClosed := from < in.onSale || to >= in.offSale
	for _, r := range results {
		if !r.newHold || len(r.conflicts) > 0 || in.channel != "" {
			all = append(all, r)
			continue
		}
		if mayBeOpen {
			all = append(all, r)
		}
		if mayBeClosed {
			all = append(all, result{state: e, notOnSale: true})
		}
	}
	return all
}

// option is a possible result of a call for one seat.
type option struct {
	next    seatState
	newHold bool
	refused bool
	status  seatlock.Status // if refused
}

func (e eventState) options(seat int, in input, now, to int64) []option {
	s := e.seats[seat]
	own := s.user == in.user
	fresh := seatState{channel: s.channel, user: in.user, earliest: now + in.hold, latest: now + in.hold}
	if now == 0 {
		fresh.earliest, fresh.latest = e.now+in.hold, never
	}
	keep := option{next: s}
	if s.sold {
		switch ownOrder := own && s.order == in.order; {
		case ownOrder && in.op == oracle.Return:
			return []option{{next: seatState{channel: s.channel}}}
		case ownOrder && in.op == oracle.Buy, own && in.op == oracle.Extend, !own && in.op == oracle.Release:
			return []option{keep}
		}
		return []option{{refused: true, status: seatlock.Sold}}
	}
	var all []option
	if s.user == "" || to >= s.earliest-clockError { // it may be available
		switch in.op {
		case oracle.Reserve:
			switch s.channel {
			case in.channel:
				all = append(all, option{next: fresh, newHold: true})
			case "":
				all = append(all, option{refused: true, status: seatlock.Available})
			default:
				all = append(all, option{refused: true, status: seatlock.Blocked})
			}
		case block, unblock:
			switch {
			case s.channel != "" && s.channel != in.channel:
				all = append(all, option{refused: true, status: seatlock.Blocked})
			case in.op == block:
				all = append(all, option{next: seatState{channel: in.channel}})
			default:
				all = append(all, option{})
			}
		case oracle.Release:
			all = append(all, keep)
		case oracle.Return:
			all = append(all, option{next: seatState{channel: s.channel}})
		default:
			status := seatlock.Available
			if s.channel != "" {
				status = seatlock.Blocked
			}
			all = append(all, option{refused: true, status: status})
		}
	}
	if s.user == "" || e.now > s.latest+clockError { // it can't be held
		return all
	}
	switch {
	case in.op == block, in.op == unblock, in.op == oracle.Return:
		all = append(all, option{refused: true, status: seatlock.Reserved})
	case !own && in.op == oracle.Release, own && in.op == oracle.Reserve:
		all = append(all, keep)
	case !own:
		all = append(all, option{refused: true, status: seatlock.Reserved})
	case in.op == oracle.Release:
		all = append(all, option{next: seatState{channel: s.channel}})
	case in.op == oracle.Buy:
		all = append(all, option{next: seatState{channel: s.channel, user: in.user, order: in.order, sold: true}})
	default:
		// An extension by less than a tenth of the hold time keeps the deadline.
		known := now > 0 && s.earliest == s.latest
		if gains := fresh.earliest-s.latest >= in.hold/10; gains || !known {
			all = append(all, option{next: fresh})
		}
		if gains := fresh.latest-s.earliest >= in.hold/10; !gains || !known {
			all = append(all, keep)
		}
	}
	return all
}

// matches reports whether r can have the given output. It narrows the deadlines in r to
// those that the output allows.
func (r *result) matches(in input, out output) bool {
	if r.notOnSale != out.notOnSale {
		return false
	}
	if out.outcome == oracle.Refused {
		if len(r.conflicts) != len(out.conflicts) {
			return false
		}
		for _, c := range out.conflicts {
			if status, named := r.conflicts[c.ID]; !named || status != c.Status {
				return false
			}
		}
		return true
	}
	if len(r.conflicts) > 0 {
		return false
	}
	if out.deadline == 0 {
		return true
	}
	earliest, latest := never, never
	for _, seat := range in.seats {
		if s := &r.state.seats[seat]; !s.sold {
			earliest, latest = min(earliest, s.earliest), min(latest, s.latest)
			s.earliest = max(s.earliest, out.deadline)
			if len(in.seats) == 1 {
				s.latest = out.deadline
			}
		}
	}
	return earliest <= out.deadline && out.deadline <= latest
}
