// Package sales is the function that lists the sales of an event, each with its user, its order and
// its time.
package sales

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"iter"
	"net/http"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/seatlock"
)

// pageSize is how many seats are read and written at a time. Redis takes about a tenth of a
// millisecond for them.
const pageSize = 500

// Locker is the part of seatlock.Locker that the function uses.
type Locker interface {
	Holdings(ctx context.Context, event string, seats []string) ([]seatlock.Holding, error)
}

// New returns the handler of GET /sales.
//
// The view says which seats are sold as of its position. Then Redis says who has them now: that
// differs if a seat was returned or sold again meanwhile, or moved by an exchange. But each such
// change comes after the position. So who applies the journal after the position to the list has
// the sales of now.
func New(locker Locker, c *catalog.Catalog, halls *hall.Halls) http.Handler {
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		event, query, err := api.DecodeQuery(r, "format")
		if err != nil {
			return err
		}
		asCSV, err := wantsCSV(r, query)
		if err != nil {
			return err
		}
		if err := c.Check(r.Context(), event); err != nil {
			return err
		}
		view, err := halls.Hall(event)
		if err != nil {
			return err
		}
		seats, position, err := view.Seats(r.Context())
		if err != nil {
			return err
		}
		next, stop := iter.Pull(seats)
		defer stop()
		l := &list{seats: next, holdings: func(ids []string) ([]seatlock.Holding, error) { return locker.Holdings(r.Context(), event, ids) }, position: position}
		w.Header().Set("Last-Event-ID", position)
		if asCSV {
			return api.WritePages(w, r, "text/csv; charset=utf-8", l.nextCSV)
		}
		return api.WritePages(w, r, "application/x-ndjson", l.nextJSON)
	})
}

// list reads the sales of an event in pages.
type list struct {
	seats    func() (seatlock.Seat, bool)
	holdings func(ids []string) ([]seatlock.Holding, error)
	position string
	begun    bool
	sales    int // in the pages so far
}

// next returns the sales of the next page, and whether there are more pages.
func (l *list) next() (sales []seatlock.Holding, more bool, err error) {
	ids := make([]string, 0, pageSize)
	for len(ids) < pageSize {
		seat, ok := l.seats()
		if !ok {
			break
		}
		if seat.Status == seatlock.Sold {
			ids = append(ids, seat.ID)
		}
	}
	holdings, err := l.holdings(ids)
	if err != nil {
		return nil, false, err
	}
	for _, h := range holdings {
		if h.Status == seatlock.Sold { // otherwise it was returned, and is held again
			sales = append(sales, h)
		}
	}
	l.sales += len(sales)
	return sales, len(ids) == pageSize, nil
}

// line is a sale.
type line struct {
	SeatID  string `json:"seat_id"`
	UserID  string `json:"user_id"`
	OrderID string `json:"order_id,omitempty"`
	SoldAt  string `json:"sold_at,omitempty"` // RFC 3339 with ms, UTC; empty if an earlier version sold it
}

func newLine(sale seatlock.Holding) line {
	l := line{SeatID: sale.ID, UserID: sale.User, OrderID: sale.Order}
	if !sale.SoldAt.IsZero() {
		l.SoldAt = api.Time(sale.SoldAt)
	}
	return l
}

// lastLine shows that the list is complete.
type lastLine struct {
	End         bool   `json:"end"`
	Sales       int    `json:"sales"`
	LastEventID string `json:"last_event_id"`
}

func (l *list) nextJSON(page *bytes.Buffer) (more bool, err error) {
	sales, more, err := l.next()
	if err != nil {
		return false, err
	}
	out := json.NewEncoder(page)
	for _, sale := range sales {
		if err := out.Encode(newLine(sale)); err != nil {
			return false, err
		}
	}
	if !more {
		return false, out.Encode(lastLine{End: true, Sales: l.sales, LastEventID: l.position})
	}
	return true, nil
}

// nextCSV writes RFC 4180. Its last line is a sale: readers of CSV would take another for one.
func (l *list) nextCSV(page *bytes.Buffer) (more bool, err error) {
	sales, more, err := l.next()
	if err != nil {
		return false, err
	}
	out := csv.NewWriter(page)
	out.UseCRLF = true
	if !l.begun {
		l.begun = true
		_ = out.Write([]string{"seat_id", "user_id", "order_id", "sold_at"}) // Error has it, too
	}
	for _, sale := range sales {
		s := newLine(sale)
		_ = out.Write([]string{s.SeatID, s.UserID, s.OrderID, s.SoldAt})
	}
	out.Flush()
	return more, out.Error()
}
