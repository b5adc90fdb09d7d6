package api

import "booking/seatlock"

// JournalLine is an entry of the journal: a line of the function journal, and the data of an event
// of the function relay.
type JournalLine struct {
	ID        string   `json:"id"`
	Time      string   `json:"time"` // RFC 3339 with ms, UTC
	Type      string   `json:"type"`
	SeatIDs   []string `json:"seat_ids"`
	UserID    string   `json:"user_id,omitempty"`
	OrderID   string   `json:"order_id,omitempty"`
	ExpiresAt string   `json:"expires_at,omitempty"` // likewise; only of held and extended
	Channel   string   `json:"channel,omitempty"`
	ToSeatIDs []string `json:"to_seat_ids,omitempty"` // only of exchanged
}

// NewJournalLine returns the line of an entry.
func NewJournalLine(e seatlock.Entry) JournalLine {
	l := JournalLine{ID: e.ID, Time: Time(e.Time), Type: string(e.Type), SeatIDs: e.SeatIDs, UserID: e.User, OrderID: e.Order, Channel: e.Channel, ToSeatIDs: e.ToSeatIDs}
	if !e.Deadline.IsZero() {
		l.ExpiresAt = Time(e.Deadline)
	}
	return l
}
