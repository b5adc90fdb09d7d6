package oracle

import (
	"fmt"
	"strings"
	"time"

	"booking/seatlock"
)

// Op is the operation that a call requests.
type Op string

// The operations that change seats.
const (
	Reserve Op = "reserve"
	Extend  Op = "extend"
	Buy     Op = "buy"
	Release Op = "release"
	Block   Op = "block"
	Unblock Op = "unblock"

	Return   Op = "return"
	Exchange Op = "exchange"
)

// Outcome is what the caller knows about the result of a call.
type Outcome string

// The outcomes. A call without an answer is Unknown.
const (
	Done    Outcome = "done"
	Refused Outcome = "refused"
	NotRun  Outcome = "not run" // seatlock.ErrUnavailable: it did not run and never will
	Unknown Outcome = "unknown" // seatlock.ErrOutcomeUnknown: it may have run, or may run later
)

// Call is one call and its answer.
type Call struct {
	Op    Op       `json:"op"`
	Event string   `json:"event,omitempty"`
	Seats []string `json:"seats"`
	User  string   `json:"user"` // of a block or unblock: the channel

	Order string   `json:"order,omitempty"` // of a buy, return or exchange
	To    []string `json:"to,omitempty"`    // of an exchange: the new seats; Seats has the old ones

	// Nanoseconds on one monotonic clock that all callers share, with any start.
	Sent     time.Duration `json:"sent"`
	Answered time.Duration `json:"answered"`

	Outcome Outcome `json:"outcome"`

	// Hold is seatlock.Hold.ExpiresIn of a reserve or extend that is Done: nanoseconds
	// from its run to the earliest deadline of its seats, both by the clock of Redis. 0 if
	// all the extended seats are sold.
	Hold time.Duration `json:"hold,omitempty"`

	// Deadline is seatlock.Hold.Deadline of such a call; the zero Time if it is not known.
	Deadline time.Time `json:"deadline,omitzero"`

	// Conflicts is seatlock.ConflictError.Seats of a call that is Refused: every seat that
	// caused the refusal. Empty if the user's seat limit or the sale window caused it.
	Conflicts []seatlock.Seat `json:"conflicts,omitempty"`

	// NotOnSale means that the sale window caused the refusal: seatlock.ErrNotOnSale.
	NotOnSale bool `json:"not_on_sale,omitempty"`
}

// String returns the call on one line.
func (c Call) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v to %v: %s %s", c.Sent, c.Answered, c.Op, seatList(c.Seats))
	if len(c.To) > 0 {
		fmt.Fprintf(&b, " to %s", seatList(c.To))
	}
	fmt.Fprintf(&b, " by %s", c.User)
	if c.Order != "" {
		fmt.Fprintf(&b, " under %s", c.Order)
	}
	fmt.Fprintf(&b, ": %s", c.Outcome)
	if c.Hold > 0 {
		fmt.Fprintf(&b, " for %v", c.Hold)
	}
	if !c.Deadline.IsZero() {
		fmt.Fprintf(&b, ", until %s", c.Deadline.UTC().Format("15:04:05.000"))
	}
	if c.NotOnSale {
		b.WriteString(", because it is not on sale")
	}
	for _, s := range c.Conflicts {
		fmt.Fprintf(&b, " (%s is %v)", s.ID, s.Status)
	}
	return b.String()
}

// seatList lists up to ten seats.
func seatList(seats []string) string {
	if more := len(seats) - 10; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(seats[:10], ","), more)
	}
	return strings.Join(seats, ",")
}

// tolerance is by how much a duration d may differ between the clock of Redis, which
// counts milliseconds, and the clock of the callers.
func tolerance(d time.Duration) time.Duration { return 2*time.Millisecond + d/1000 }

// mayHaveRun reports whether the call may have changed something.
func (c *Call) mayHaveRun() bool { return c.Outcome == Done || c.Outcome == Unknown }

// window returns the time in which a call ran, if it ran.
func (c *Call) window() (from, to time.Duration) {
	if c.Outcome == Unknown {
		return c.Sent, forever
	}
	return c.Sent, c.Answered
}

// minRetryTime is the shortest time that a call with a retry takes.
const minRetryTime = 5 * time.Millisecond

// mayHaveRunBeforeRetry reports whether an earlier attempt of a refused call may have
// changed something: its reply was lost, and another call ran before the retry.
func (c *Call) mayHaveRunBeforeRetry() bool {
	return c.Outcome == Refused && c.Answered-c.Sent >= minRetryTime
}

// possiblyRan reports whether the call, or an earlier attempt of it, may have changed something.
func (c *Call) possiblyRan() bool { return c.mayHaveRun() || c.mayHaveRunBeforeRetry() }

// heldUntil returns the latest end of a hold that an answered call made or extended.
func (c *Call) heldUntil(seat string, holdTime time.Duration) time.Duration {
	if conflict := c.conflict(seat); conflict != nil && !conflict.OwnedByCaller {
		return c.Answered
	}
	if holdTime == 0 {
		return forever
	}
	return c.Answered + holdTime + tolerance(holdTime)
}

// conflict returns the entry of a seat in Conflicts, or nil.
func (c *Call) conflict(seat string) *seatlock.Seat {
	for i := range c.Conflicts {
		if c.Conflicts[i].ID == seat {
			return &c.Conflicts[i]
		}
	}
	return nil
}
