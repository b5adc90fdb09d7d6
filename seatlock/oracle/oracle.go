// Package oracle checks, from outside, whether a seat service kept its promises. Its input
// is a history: every call that was made, with its answer, and the final state of the
// seats. It names each broken promise and the calls that prove it.
//
// It never reports a history that a correct service can produce. So it uses only what is
// certain:
//   - A call that was answered ran between Sent and Answered. A Locker retries a call whose
//     reply is lost, so it may have run more than once; the last run made the answer.
//   - A call with an unknown outcome ran at any time after Sent, or never.
//   - A call that is known not to have run never ran.
//   - A hold is certain from Answered until Sent plus its length. It is not certain after
//     any time at which a release by its user may have run, or the end of the user's sale.
//   - A sale belongs to its owner: a user and an order. It is certain from the answer to its buy,
//     or to the exchange that moved it here, until a return or an exchange of the same owner
//     may have run. It may last until such a call that was sent later is answered.
//   - A repeated exchange is done if its sale is on the new seats and its owner has none of the
//     old ones, no matter who has them.
//   - A seat is certainly blocked from the answer to a block until an unblock may have run.
//
// It assumes that an earlier attempt of a call doesn't run after the answer to a retry. So
// the commands that a failed connection still carries must not run later; a proxy between
// a Locker and Redis must ensure that.
package oracle

import (
	"fmt"
	"strings"
	"time"

	"booking/seatlock"
)

// History has every call that was made on some seats since all of them were available. It
// has no reserve of seats of a channel.
type History struct {
	Calls []Call // in any order

	// HoldTime is seatlock.Options.HoldTime: the longest time that a hold lasts without an
	// extension. If it is 0, a hold may last forever. Then Check does not detect a sale or
	// a refusal based on an expired hold.
	HoldTime time.Duration

	// Opening is when the sale opens. The zero Opening: before all calls.
	Opening Opening
}

// Opening is when the sale of the seats opens.
type Opening struct {
	At time.Time // by the clock of Redis, as the event says

	// By the clock of the callers: the sale is certainly closed until ClosedUntil, and open from
	// OpenFrom on.
	ClosedUntil, OpenFrom time.Duration
}

// SeatID names a seat of an event.
type SeatID struct{ Event, Seat string }

// State is the state of a seat.
type State struct {
	Status seatlock.Status
	User   string // "" if unknown
	Order  string // of a sale, known if User is
	TTL    bool   // whether its key has a TTL
}

// Final has the state of each seat after the last call, when no call can run any more. A
// seat without an entry is available.
type Final map[SeatID]State

// Promise is what a seat service promises.
type Promise string

// The promises.
const (
	OneBuyer     Promise = "a seat has at most one buyer at any time: one user, under one order"
	SalesLast    Promise = "an acknowledged sale lasts until its return or exchange: its seat stays sold to the same user and order, without a TTL"
	OwnSale      Promise = "a sale is ended only by calls that name its user and its order"
	OneHolder    Promise = "no answer says that a user has a seat, or that it is available, while it is certainly another's"
	HoldFirst    Promise = "no user has a seat without having held it first, or exchanged another for it"
	NothingStuck Promise = "a seat is refused only while a user can have it, and every hold has a TTL"
	OwnerServed  Promise = "no user is refused a seat that is certainly theirs"
	GroupsWhole  Promise = "a group of seats changes as a whole or not at all"
	OpensOnTime  Promise = "the sale opens on time: no hold begins before, and no reserve is refused as not on sale after"
	BlockedKept  Promise = "a blocked seat stays blocked: no user gets it, and no answer calls it available"
)

// Finding is a broken promise and its proof.
type Finding struct {
	Promise Promise
	Seat    SeatID
	State   State  // the final state of the seat
	Calls   []Call // the proof, with State or on their own
}

// String returns the finding and its proof, a line each.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "broken: %s\n\tseat %s of %q, finally %v", f.Promise, f.Seat.Seat, f.Seat.Event, f.State.Status)
	if f.State.User != "" {
		fmt.Fprintf(&b, " by %s", f.State.User)
	}
	if f.State.Order != "" {
		fmt.Fprintf(&b, " under %s", f.State.Order)
	}
	if f.State.TTL {
		b.WriteString(", with a TTL")
	}
	for _, c := range f.Calls {
		fmt.Fprintf(&b, "\n\t%v", c)
	}
	return b.String()
}
