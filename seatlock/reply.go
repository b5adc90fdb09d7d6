package seatlock

import (
	"errors"
	"fmt"
	"time"
)

// The first number of a script's reply to a call.
const (
	replyDeleting     = -3
	replyStale        = -2
	replyLate         = -1
	replyConflict     = 0
	replyDone         = 1
	replyLimit        = 2
	replyNotOnSale    = 3
	replyWrongVersion = 4 // of lua/put.lua; lua/delete.lua: there is no such event; lua/unlink.lua: it is not being deleted; lua/relay.lua: no such event
	replyOther        = 5 // of lua/put.lua: another last change; lua/delete.lua: held or sold seats; lua/relay.lua: no lease
	replyReplayed     = 6
	replyReused       = 7
)

// The values of a seat's time to live that are not milliseconds. PTTL gives the first two.
const (
	ttlSold         = -1
	ttlFree         = -2
	ttlSoldToCaller = -3
	ttlBlocked      = -4
	ttlOtherOrder   = -5
)

// errReply means that a reply does not have the shape that its command has.
var errReply = errors.New("unexpected reply")

// checkReply returns errReply unless a script gives such a reply for n seats.
func checkReply(reply []int64, n int) error {
	ok := false
	switch {
	case len(reply) < 2:
	case reply[0] == replyDone:
		ok = len(reply) <= 4
	case reply[0] == replyConflict:
		ok = len(reply)%2 == 1
		for i := 1; i < len(reply); i += 2 {
			ok = ok && 1 <= reply[i] && reply[i] <= int64(n)
		}
	case reply[0] == replyLimit:
		ok = len(reply) == 4
	case reply[0] == replyNotOnSale:
		ok = len(reply) == 3
	case reply[0] == replyReused:
		ok = len(reply) == 2
	}
	if !ok {
		return fmt.Errorf("%w: %v for %d seats", errReply, reply, n)
	}
	return nil
}

// refusal returns the error of a checked reply: a ConflictError of conflict, a LimitError, a
// NotOnSaleError, ErrRequestReused, or nil for success.
func refusal(conflict error, seats []string, reply []int64) error {
	switch reply[0] {
	case replyConflict:
		return newConflict(conflict, seats, reply[1:])
	case replyLimit:
		return &LimitError{Held: int(reply[1]), Sold: int(reply[2]), Limit: int(reply[3])}
	case replyReused:
		return ErrRequestReused
	case replyNotOnSale:
		return &NotOnSaleError{OnSaleAt: timeOf(reply[1]), Ended: reply[2] == 1}
	}
	return nil
}

// newConflict returns the ConflictError for pairs: the place of a seat in seats, from 1 on,
// and its time to live. ErrTaken becomes ErrOwned if all of the seats are sold to the user of the
// call. ErrHeldByOther stays only if another user has one of them: otherwise it becomes ErrSold if
// one is sold to the user of the call, and ErrHoldExpired if none is.
func newConflict(conflict error, seats []string, pairs []int64) *ConflictError {
	found := make([]Seat, 0, len(pairs)/2)
	owned, others := 0, 0
	for i := 0; i < len(pairs); i += 2 {
		seat := newSeat(seats[pairs[i]-1], pairs[i+1])
		found = append(found, seat)
		switch {
		case seat.OwnedByCaller:
			owned++
		case seat.Status == Reserved || seat.Status == Sold:
			others++
		}
	}
	switch {
	case errors.Is(conflict, ErrTaken) && owned == len(found):
		conflict = ErrOwned
	case errors.Is(conflict, ErrHeldByOther) && others == 0 && owned > 0:
		conflict = ErrSold
	case errors.Is(conflict, ErrHeldByOther) && others == 0:
		conflict = ErrHoldExpired
	}
	return &ConflictError{Err: conflict, Seats: found}
}

// newSeat returns the Seat with this time to live: milliseconds, or one of the constants.
func newSeat(id string, ttl int64) Seat {
	switch ttl {
	case ttlSoldToCaller, ttlOtherOrder:
		return Seat{ID: id, Status: Sold, OwnedByCaller: true}
	case ttlSold:
		return Seat{ID: id, Status: Sold}
	case ttlBlocked:
		return Seat{ID: id, Status: Blocked}
	case ttlFree:
		return Seat{ID: id, Status: Available}
	}
	return Seat{ID: id, Status: Reserved, ExpiresIn: time.Duration(ttl) * time.Millisecond}
}

// newHold returns the Hold of a reply: now and the deadline, ms since the epoch, and the hold
// time, ms.
func newHold(now, deadline, holdTime int64) Hold {
	return Hold{Deadline: time.UnixMilli(deadline).UTC(), ExpiresIn: time.Duration(remaining(deadline-now, holdTime)) * time.Millisecond}
}

// remaining limits the remaining time of a hold to the hold time, both ms: if the clock of
// Redis went back after the hold was made, it is longer.
func remaining(ms, holdTime int64) int64 { return min(max(0, ms), holdTime) }

// timeOf returns a time of ms since the epoch; 0 is the zero Time.
func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
