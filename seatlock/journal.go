package seatlock

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// journalPage is how many changes a command of Journal reads at most. A change of a full batch has
// the seats and users of 256 calls.
const journalPage = 100

// Entry is the part of a Change that concerns one user, or none: an expired hold, and a blocked
// seat, have no user.
type Entry struct {
	ID        string    // later entries have greater IDs, compared as numbers; the last one of a Change has its ID
	Time      time.Time // UTC, by the clock of Redis
	Type      ChangeType
	SeatIDs   []string
	ToSeatIDs []string  // exchanged: where the sales are now
	User      string    // empty: the change does not say
	Order     string    // of a sale; may be empty
	Deadline  time.Time // of the hold, UTC; zero unless held or extended
	Channel   string    // of blocked and unblocked, and of a hold of blocked seats
}

// Journal returns the entries of an event after a position, oldest first, limit at most. The
// position is the ID of an Entry or of a Change, or NoChange. It fails with ErrReset if entries
// after the position are not there any more, with ErrInvalid or ErrUnavailable.
func (l *Locker) Journal(ctx context.Context, event, after string, limit int) ([]Entry, error) {
	if !ValidID(event) || limit < 1 {
		return nil, fmt.Errorf("%w: event %q, limit %d", ErrInvalid, event, limit)
	}
	if !ValidChangeID(after) {
		return nil, fmt.Errorf("%w: no entry has the ID %q", ErrReset, after)
	}
	var entries []Entry
	for position := after; ; {
		changes, err := l.journalChanges(ctx, event, position)
		if err != nil {
			return nil, fmt.Errorf("journal: %w", err)
		}
		for _, c := range changes {
			entries = append(entries, c.entriesAfter(after)...)
			position = c.ID
		}
		if len(entries) >= limit {
			return entries[:limit], nil
		}
		if len(changes) < journalPage {
			return entries, nil
		}
	}
}

// journalChanges returns the changes that have entries after a position, a page at most.
func (l *Locker) journalChanges(ctx context.Context, event, position string) (changes []Change, err error) {
	if position == NoChange {
		return l.Changes(ctx, event, position, journalPage)
	}
	err = l.withRetries(ctx, ErrUnavailable, func(deadline time.Time) error {
		found := redis.NewXMessageSliceCmd(ctx, "xrange", changesKey(event), position, "+", "count", journalPage+1)
		if err := l.run(ctx, deadline, found); err != nil {
			return err
		}
		changes = newChanges(found.Val())
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(changes) > 0 && changes[0].ID == position:
		return changes[1:], nil
	case len(changes) == 0 || !changes[0].has(position):
		return nil, fmt.Errorf("%w: %s", ErrReset, position)
	}
	return changes, nil
}

// Entries returns the change as one entry for each call that made it.
func (c Change) Entries() []Entry {
	whole := Entry{ID: c.ID, Type: c.Type, SeatIDs: c.SeatIDs, ToSeatIDs: c.ToSeatIDs, Order: c.order, Deadline: c.Deadline, Channel: c.channel}
	epoch, offset := splitID(c.ID)
	whole.Time = time.UnixMicro(offset).UTC()
	if c.users == "" {
		return []Entry{whole}
	}
	var entries []Entry
	for i, user := range strings.Split(c.users, " ") {
		if user != "" && i < len(c.SeatIDs) {
			whole.User, whole.SeatIDs = user, c.SeatIDs[i:]
			entries = append(entries, whole)
		}
	}
	for i := range entries {
		e := &entries[i]
		e.ID = epoch + "-" + strconv.FormatInt(offset-int64(len(entries)-1-i), 10)
		if i+1 < len(entries) {
			n := len(e.SeatIDs) - len(entries[i+1].SeatIDs)
			e.SeatIDs = e.SeatIDs[:n:n]
		}
	}
	return entries
}

// entriesAfter returns the entries after a position. If it is of another epoch, that is all.
func (c Change) entriesAfter(position string) []Entry {
	entries := c.Entries()
	for i, e := range entries {
		if e.ID == position {
			return entries[i+1:]
		}
	}
	return entries
}

// has reports whether an entry of the change has an ID.
func (c Change) has(id string) bool { return len(c.entriesAfter(id)) < len(c.Entries()) }

// splitID returns the epoch and the offset, µs since the epoch, of a valid ID.
func splitID(id string) (epoch string, offset int64) {
	epoch, text, _ := strings.Cut(id, "-")
	offset, _ = strconv.ParseInt(text, 10, 64)
	return epoch, offset
}
