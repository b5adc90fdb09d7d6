package faults_test

import (
	"fmt"
	"maps"

	"github.com/anishathalye/porcupine"

	"booking/seatlock"
	"booking/seatlock/oracle"
)

// seats is how many an event has that porcupine sees.
const seats = 6

// hall is the six seats of an event and what is known of the time, in ms by the clock
// of Redis. It is comparable.
type hall struct {
	now   int64 // at least: Redis runs one call after the other
	seats [seats]seatState
}

// seatState is free where it has no user.
type seatState struct {
	user             string
	sold             bool
	earliest, latest int64 // between which the deadline is, the same where it is known
}

// input is a call of some seats, and output its answer. The model's step has no
// clock, so they tell when the call was sent and answered.
type input struct {
	op    oracle.Op
	seats []int
	user  string
	sent  int64
	hold  int64 // the HoldTime of the event
}

type output struct {
	outcome   oracle.Outcome
	resent    bool // of Unknown: it ran, if it did, before it was answered
	answered  int64
	now       int64 // of Redis, and the earliest deadline of the group; 0 where not told
	deadline  int64
	conflicts []seatlock.Seat
}

// blur is by how many ms the clocks of the callers and of Redis may differ.
const blur = 3

// never is a deadline that is not known and so may be any.
const never = int64(1) << 60

// seatModel takes all seats of an event as one partition: whether a group is held,
// sold or refused depends on all its seats at one moment, and with a partition for
// each seat a group might be taken bit by bit, or refused for seats that were never
// taken at the same time. Events are short instead.
func seatModel() porcupine.Model {
	model := porcupine.NondeterministicModel{
		Init: func() []any { return []any{hall{}} },
		Step: func(state, in, out any) []any { return step(state.(hall), in.(input), out.(output)) },
		DescribeOperation: func(in, out any) string {
			i, o := in.(input), out.(output)
			if o.resent {
				return fmt.Sprintf("%s %s %v: perhaps at first", i.user, i.op, i.seats)
			}
			text := fmt.Sprintf("%s %s %v: %s", i.user, i.op, i.seats, o.outcome)
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

// step returns the halls that may follow h when Redis runs a call and answers it so.
func step(h hall, in input, out output) []any {
	to := never
	if out.outcome != oracle.Unknown || out.resent {
		to = out.answered + blur
	}
	h.now = max(h.now, in.sent-blur)
	if h.now > to || out.now > 0 && (out.now < h.now || out.now > to) {
		return nil
	}
	if out.now > 0 {
		to = out.now + blur
	}
	var next []any
	if out.outcome == oracle.Unknown {
		next = append(next, h) // it never runs
	}
	for _, then := range h.run(in, out, to) {
		if out.outcome == oracle.Unknown || then.agrees(in, out) {
			then.hall.now = max(then.hall.now, out.now)
			next = append(next, then.hall)
		}
	}
	return next
}

// result is what a call may come to.
type result struct {
	hall      hall
	conflicts map[string]seatlock.Status
}

// run returns what a call that runs between h.now and to may come to, which is more
// than one where a deadline is near or not known.
func (h hall) run(in input, out output, to int64) []result {
	results := []result{{h, map[string]seatlock.Status{}}}
	for _, seat := range in.seats {
		var more []result
		for _, r := range results {
			for _, o := range h.options(seat, in, out.now, to) {
				then := result{r.hall, maps.Clone(r.conflicts)}
				if o.refused {
					then.conflicts[seatName(seat)] = o.status
				} else {
					then.hall.seats[seat] = o.next
				}
				more = append(more, then)
			}
		}
		results = more
	}
	for i := range results {
		if len(results[i].conflicts) > 0 {
			results[i].hall = h
		}
	}
	return results
}

// option is what a call may come to for one seat.
type option struct {
	next    seatState
	refused bool
	status  seatlock.Status // where refused
}

func (h hall) options(seat int, in input, now, to int64) []option {
	s := h.seats[seat]
	own := s.user == in.user
	fresh := seatState{in.user, false, now + in.hold, now + in.hold}
	if now == 0 {
		fresh.earliest, fresh.latest = h.now+in.hold, never
	}
	keep := option{next: s}
	if s.sold {
		if own && (in.op == oracle.Buy || in.op == oracle.Extend) || !own && in.op == oracle.Release {
			return []option{keep}
		}
		return []option{{refused: true, status: seatlock.Sold}}
	}
	var all []option
	if s.user == "" || to >= s.earliest-blur { // it may be free
		switch in.op {
		case oracle.Reserve:
			all = append(all, option{next: fresh})
		case oracle.Release:
			all = append(all, keep)
		default:
			all = append(all, option{refused: true, status: seatlock.Available})
		}
	}
	if s.user == "" || h.now > s.latest+blur { // it can't be held
		return all
	}
	switch {
	case !own && in.op == oracle.Release, own && in.op == oracle.Reserve:
		all = append(all, keep)
	case !own:
		all = append(all, option{refused: true, status: seatlock.Reserved})
	case in.op == oracle.Release:
		all = append(all, option{})
	case in.op == oracle.Buy:
		all = append(all, option{next: seatState{user: in.user, sold: true}})
	default:
		// What would gain less than a tenth gains nothing.
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

// agrees reports whether a call that came to r can have been answered so, and notes
// in r what the answer tells of deadlines.
func (r *result) agrees(in input, out output) bool {
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
		if s := &r.hall.seats[seat]; !s.sold {
			earliest, latest = min(earliest, s.earliest), min(latest, s.latest)
			s.earliest = max(s.earliest, out.deadline)
			if len(in.seats) == 1 {
				s.latest = out.deadline
			}
		}
	}
	return earliest <= out.deadline && out.deadline <= latest
}
