// Package seat is the function that returns the state of one seat.
package seat

import (
	"context"
	"net/http"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/seatlock"
)

// Locker is the part of seatlock.Locker that the function uses.
type Locker interface {
	StatusOn(ctx context.Context, event, seat string, terms seatlock.Terms) (seatlock.Seat, error)
}

// New returns the handler of GET /seats/{seat_id}. At the function's own URL, whose path
// has no seat_id, the query names the seat.
func New(locker Locker, c *catalog.Catalog) http.Handler {
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		event, query, err := api.DecodeQuery(r, "seat_id")
		if err != nil {
			return err
		}
		id := r.PathValue("seat_id")
		if id == "" {
			if id = query.Get("seat_id"); id == "" {
				return api.Invalid("seat_id is missing; send a path like /?seat_id=1A.")
			}
		}
		if err := api.CheckSeat(r, id); err != nil {
			return err
		}
		var seat seatlock.Seat
		err = c.With(r.Context(), event, []string{id}, func(terms seatlock.Terms) error {
			seat, err = locker.StatusOn(r.Context(), event, id, terms)
			return err
		})
		if err != nil {
			return err
		}
		return api.WriteSeat(w, seat)
	})
}
