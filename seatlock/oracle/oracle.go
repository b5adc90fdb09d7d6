// Package oracle judges what a service of seats promised, from outside: given every
// call that was made on seats, with its answer, and how the seats stand in the end,
// it names each promise that was broken and the calls that prove it.
//
// It never accuses a history that a correct service can have. So it reasons with
// what is certain alone. A call that was answered ran while it was under way, perhaps
// more than once, because a Locker sends it again when its reply was lost; the last
// time it came to what was answered. One whose outcome is unknown ran at any moment
// since it was sent, or never. One that is known not to have run never did. A hold is
// certain from when its call was answered until its length after that call was sent,
// and only as long as no release by its user can have ended it.
//
// One thing it takes for granted: that what a Locker sent first doesn't run after what
// it sent later was answered. That holds wherever a connection that fails takes with it
// what was not yet run; a proxy between must see to that.
package oracle

import (
	"fmt"
	"strings"
	"time"

	"booking/seatlock"
)

// Op is what a call asks for.
type Op string

// The calls that change seats.
const (
	Reserve Op = "reserve"
	Extend  Op = "extend"
	Buy     Op = "buy"
	Release Op = "release"
)

// Outcome is what the caller knows of a call.
type Outcome string

// The outcomes. A caller that was never answered has Unknown.
const (
	Done    Outcome = "done"
	Refused Outcome = "refused"
	NotRun  Outcome = "not run" // seatlock.ErrUnavailable: it has not run, and never will
	Unknown Outcome = "unknown" // seatlock.ErrOutcomeUnknown: it may have run, or may yet
)

// Call is one call and its answer.
type Call struct {
	Op    Op       `json:"op"`
	Event string   `json:"event,omitempty"`
	Seats []string `json:"seats"`
	User  string   `json:"user"`

	// By one monotonic clock for all callers, since any moment; ns.
	Sent     time.Duration `json:"sent"`
	Answered time.Duration `json:"answered"`

	Outcome Outcome `json:"outcome"`

	// Of a reserve or extend that is Done: from the moment when Redis ran it to the
	// earliest deadline of its seats, both by the clock of Redis, as
	// seatlock.Hold.ExpiresIn has it; ns. An extend of sold seats alone has 0.
	Hold time.Duration `json:"hold,omitempty"`

	// Of a call that is Refused: every seat that stood in the way, as
	// seatlock.ConflictError has it; none where the user's limit did.
	Conflicts []seatlock.Seat `json:"conflicts,omitempty"`
}

// String is the call on one line.
func (c Call) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v to %v: %s %s by %s: %s", c.Sent, c.Answered, c.Op, strings.Join(c.Seats, ","), c.User, c.Outcome)
	if c.Hold > 0 {
		fmt.Fprintf(&b, " for %v", c.Hold)
	}
	for _, s := range c.Conflicts {
		fmt.Fprintf(&b, " (%s is %v)", s.ID, s.Status)
	}
	return b.String()
}

// History is every call that was made on some seats since all of them were free, in
// any order.
type History struct {
	Calls []Call

	// HoldTime is seatlock.Options.HoldTime: the longest that a hold lasts without
	// an extension. Where it is 0, holds are taken to last for ever, and a sale or
	// a refusal that comes after the end of one is not noticed.
	HoldTime time.Duration
}

// SeatID names a seat of an event.
type SeatID struct{ Event, Seat string }

// State is how a seat stands.
type State struct {
	Status seatlock.Status
	User   string // "" where it isn't known
	TTL    bool   // whether its key ends by itself
}

// Final is how the seats stand when every call was answered and none can run any
// more. A seat that it doesn't have is available.
type Final map[SeatID]State

// Promise is one of what a service of seats promises.
type Promise string

// The promises.
const (
	OneBuyer     Promise = "a seat has at most one buyer, ever"
	SalesLast    Promise = "an acknowledged sale is there in the end, for the same user, without a TTL"
	OneHolder    Promise = "nobody is told that they have a seat, or could have it, while it is certainly another's"
	HoldFirst    Promise = "nobody has a seat without having held it"
	NothingStuck Promise = "a seat that nobody can have is not refused"
	OwnerServed  Promise = "nobody is refused a seat that is certainly theirs"
	GroupsWhole  Promise = "a group of seats changes as a whole"
)

// Finding is a promise that was broken.
type Finding struct {
	Promise Promise
	Seat    SeatID
	State   State  // of the seat in the end
	Calls   []Call // that prove it, with State or by themselves
}

// String tells the finding and its proof, a line each.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "broken: %s\n\tseat %s of %q, in the end %v", f.Promise, f.Seat.Seat, f.Seat.Event, f.State.Status)
	if f.State.User != "" {
		fmt.Fprintf(&b, " by %s", f.State.User)
	}
	if f.State.TTL {
		b.WriteString(", with a TTL")
	}
	for _, c := range f.Calls {
		fmt.Fprintf(&b, "\n\t%v", c)
	}
	return b.String()
}
