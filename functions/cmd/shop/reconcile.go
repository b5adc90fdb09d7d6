package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// maxRefunds is how many paid orders may have lost seats when Reconcile looks. If there are more,
// booking may have lost its data, or its event: then a human must look before the money goes back.
const maxRefunds = 10

// corrections has the next state of a final order whose seats are not those of its sale: the seats
// that are left are returned, and all of the money goes back.
var corrections = map[State]State{Paid: Returning, Refunded: Returning, Canceled: Unpaid}

// Reconcile goes on with each open order. Then it corrects each order that has money without its
// seats, or seats without money: a person, or a call that arrived late, has changed the sale. It
// returns the orders that it has corrected, and the sold seats that belong to no order of this
// shop. A Receiver calls it when there is a reason; without one, call it every minute.
func (s *Shop) Reconcile(ctx context.Context) (corrected []Order, unknown []string, err error) {
	resumed := s.Resume(ctx)
	orders := s.Orders.All() // first, so the sale of each paid order is in sold, unless it has ended
	sold, err := s.Booking.Sold(ctx)
	if err != nil {
		return nil, nil, errors.Join(resumed, err)
	}
	seats := map[string][]string{} // of each order, sorted
	for _, seat := range slices.Sorted(maps.Keys(sold)) {
		seats[sold[seat]] = append(seats[sold[seat]], seat)
	}
	var wrong []Order
	lost := 0
	for _, o := range orders {
		have, want := seats[o.ID], []string(nil)
		if o.State == Paid {
			want = slices.Sorted(slices.Values(o.Seats))
		}
		if next, final := corrections[o.State]; final && !slices.Equal(have, want) {
			if len(have) == len(want) {
				next = Paid // a person has exchanged the seats
			}
			o.State, o.Seats = next, have
			wrong = append(wrong, o)
		}
		if len(have) < len(want) {
			lost++
		}
	}
	if lost > maxRefunds {
		return nil, nil, errors.Join(resumed, fmt.Errorf("%d paid orders have lost seats; nothing was corrected: look at the sales of booking", lost))
	}
	for _, o := range wrong {
		after, err := s.update(ctx, o.ID, func(now *Order) bool {
			same := now.Version == o.Version // otherwise the next Reconcile looks again
			if same {
				now.State, now.Seats = o.State, o.Seats
			}
			return same
		})
		resumed = errors.Join(resumed, err)
		corrected = append(corrected, after)
	}
	for _, o := range s.Orders.All() {
		delete(seats, o.ID)
	}
	return corrected, slices.Concat(slices.Collect(maps.Values(seats))...), resumed
}

// line is a line of GET /sales or GET /journal.
type line struct {
	SeatID  string `json:"seat_id"` // of a sale
	OrderID string `json:"order_id"`

	End         bool   `json:"end"` // of the last line of the sales, like Sales and LastEventID
	Sales       int    `json:"sales"`
	LastEventID string `json:"last_event_id"`

	ID        string   `json:"id"` // of a change, like all below
	Type      string   `json:"type"`
	SeatIDs   []string `json:"seat_ids"`
	ToSeatIDs []string `json:"to_seat_ids"`
}

// journalLimit is how many changes a call returns at most.
const journalLimit = 1000

// Sold returns the sold seats and their orders. It includes every sale that was answered before.
// A shop that sells much keeps the result, and applies the journal to it from time to time.
func (b *Booking) Sold(ctx context.Context) (map[string]string, error) {
	sales, err := b.lines(ctx, "/sales", url.Values{})
	if err != nil {
		return nil, err
	}
	n := len(sales) - 1
	if n < 0 || !sales[n].End || sales[n].Sales != n {
		return nil, errors.New("/sales: the list was cut off")
	}
	sold := map[string]string{}
	for _, sale := range sales[:n] {
		sold[sale.SeatID] = sale.OrderID
	}
	for after := sales[n].LastEventID; ; { // what was sold and returned while the list was read
		changes, err := b.lines(ctx, "/journal", url.Values{"after": {after}, "limit": {strconv.Itoa(journalLimit)}})
		if err != nil {
			return nil, err
		}
		for _, c := range changes {
			c.apply(sold)
			after = c.ID
		}
		if len(changes) < journalLimit {
			return sold, nil
		}
	}
}

// apply applies a change to the sold seats.
func (l line) apply(sold map[string]string) {
	if l.Type == "returned" || l.Type == "exchanged" || l.Type == "expired" {
		for _, seat := range l.SeatIDs {
			delete(sold, seat)
		}
	}
	now := l.ToSeatIDs
	if l.Type == "sold" {
		now = l.SeatIDs
	}
	for _, seat := range now {
		sold[seat] = l.OrderID
	}
}

// lines makes a call whose answer has a JSON value a line.
func (b *Booking) lines(ctx context.Context, path string, query url.Values) ([]line, error) {
	query.Set("event_id", b.Event)
	body, err := b.do(ctx, http.MethodGet, path+"?"+query.Encode(), http.Header{}, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	var lines []line
	for decoder := json.NewDecoder(body); ; {
		var l line
		switch err := decoder.Decode(&l); {
		case errors.Is(err, io.EOF):
			return lines, nil
		case err != nil:
			return nil, fmt.Errorf("%s: the list was cut off: %w", path, err)
		}
		lines = append(lines, l)
	}
}
