package seatlock

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// owners are the users of the seats of a View that are held or sold. A user is empty if a change
// of an earlier version did not name it.
type owners struct {
	user  map[string]string              // of a seat
	seats map[string]map[string]struct{} // of a user
}

func (o *owners) set(seat, user string) {
	o.remove(seat)
	o.user[seat] = user
	if o.seats[user] == nil {
		o.seats[user] = map[string]struct{}{}
	}
	o.seats[user][seat] = struct{}{}
}

func (o *owners) remove(seat string) {
	user, there := o.user[seat]
	if !there {
		return
	}
	delete(o.user, seat)
	if delete(o.seats[user], seat); len(o.seats[user]) == 0 {
		delete(o.seats, user)
	}
}

// apply makes a change.
func (o *owners) apply(c Change) {
	switch c.Type {
	case ChangeBlocked, ChangeUnblocked:
		return
	case ChangeHeld, ChangeExtended, ChangeSold:
		for _, e := range c.Entries() {
			for _, seat := range e.SeatIDs {
				o.set(seat, e.User)
			}
		}
		return
	}
	for _, e := range c.Entries() {
		for _, seat := range e.ToSeatIDs {
			o.set(seat, e.User)
		}
	}
	for _, seat := range c.SeatIDs {
		o.remove(seat)
	}
}

// SeatsOf returns the seats that a user holds or has bought, in order, as of the last Refresh. It
// may return a few of other users, so read them with Holdings. The first call reads the users of
// all seats, in pages; from then on Refresh keeps them. It fails with ErrUnavailable.
func (v *View) SeatsOf(ctx context.Context, user string) ([]string, error) {
	if v.owners == nil {
		holdings, err := v.locker.Holdings(ctx, v.event, slices.Collect(maps.Keys(v.deadlines)))
		if err != nil {
			return nil, fmt.Errorf("seats of a user: %w", err)
		}
		// The pages are newer than the View. The changes until then come with the next Refresh,
		// and the last one of each seat leaves it as it is now.
		v.owners = &owners{user: make(map[string]string, len(holdings)), seats: map[string]map[string]struct{}{}}
		for _, h := range holdings {
			v.owners.set(h.ID, h.User)
		}
	}
	seats := slices.AppendSeq(slices.Collect(maps.Keys(v.owners.seats[user])), maps.Keys(v.owners.seats[""]))
	slices.Sort(seats)
	return seats, nil
}
