package seatlock

import (
	"errors"
	"fmt"
	"time"
)

// The first number of a script's reply to a call.
const (
	replyLate     = -1
	replyConflict = 0
	replyDone     = 1
	replyLimit    = 2
)

// The values of a seat's time to live that are not milliseconds. PTTL gives the first two.
const (
	ttlSold         = -1
	ttlFree         = -2
	ttlSoldToCaller = -3
)

// errReply means that a reply does not have the shape that its command has.
var errReply = errors.New("unexpected reply")

// checkReply returns errReply unless a script gives such a reply for n seats.
func checkReply(reply []int64, n int) error {
	ok := false
	switch {
	case len(reply) < 2:
	case reply[0] == replyDone:
		ok = len(reply) <= 3
	case reply[0] == replyConflict:
		ok = len(reply)%2 == 1
		for i := 1; i < len(reply); i += 2 {
			ok = ok && 1 <= reply[i] && reply[i] <= int64(n)
		}
	case reply[0] == replyLimit:
		ok = len(reply) == 3
	}
	if !ok {
		return fmt.Errorf("%w: %v for %d seats", errReply, reply, n)
	}
	return nil
}

// refusal returns the error of a checked reply: a ConflictError of conflict, a LimitError, or
// nil for success.
func (l *Locker) refusal(conflict error, seats []string, reply []int64) error {
	switch reply[0] {
	case replyConflict:
		return l.newConflict(conflict, seats, reply[1:])
	case replyLimit:
		return &LimitError{Limit: l.opt.MaxSeatsPerUser, Held: int(reply[1]), Sold: int(reply[2])}
	}
	return nil
}

// newConflict returns the ConflictError for pairs: the place of a seat in seats, from 1 on,
// and its time to live. If all of the seats are available, ErrHeldByOther becomes
// ErrHoldExpired.
func (l *Locker) newConflict(conflict error, seats []string, pairs []int64) *ConflictError {
	found, allFree := make([]Seat, 0, len(pairs)/2), true
	for i := 0; i < len(pairs); i += 2 {
		seat := l.newSeat(seats[pairs[i]-1], pairs[i+1])
		found, allFree = append(found, seat), allFree && seat.Status == Available
	}
	if allFree && errors.Is(conflict, ErrHeldByOther) {
		conflict = ErrHoldExpired
	}
	return &ConflictError{Err: conflict, Seats: found}
}

// newSeat returns the Seat with this time to live: milliseconds, or one of the constants.
func (l *Locker) newSeat(id string, ttl int64) Seat {
	switch ttl {
	case ttlSoldToCaller:
		return Seat{ID: id, Status: Sold, OwnedByCaller: true}
	case ttlSold:
		return Seat{ID: id, Status: Sold}
	case ttlFree:
		return Seat{ID: id, Status: Available}
	}
	return Seat{ID: id, Status: Reserved, ExpiresIn: l.remaining(ttl)}
}

// newHold returns the Hold of a reply's now and deadline, ms since the epoch.
func (l *Locker) newHold(now, deadline int64) Hold {
	return Hold{Deadline: time.UnixMilli(deadline).UTC(), ExpiresIn: l.remaining(deadline - now)}
}

// remaining converts the remaining time of a hold, ms, to a Duration of HoldTime at most: if
// the clock of Redis went back after the hold was made, ms is longer.
func (l *Locker) remaining(ms int64) time.Duration {
	return min(max(0, time.Duration(ms)*time.Millisecond), l.opt.HoldTime)
}
