// Package seat is the function that returns the state of one seat.
package seat

import (
	"context"
	"net/http"

	"booking/functions/internal/api"
	"booking/seatlock"
)

// Locker is the part of seatlock.Locker that the function uses.
type Locker interface {
	Status(ctx context.Context, event, seat string) (seatlock.Seat, error)
}

// New returns the handler of GET /seats/{seat_id}. At the function's own URL, whose path
// has no seat_id, the query names the seat.
func New(locker Locker, rules api.Rules) http.Handler {
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
		if err := rules.CheckSeat(r, id); err != nil {
			return err
		}
		seat, err := locker.Status(r.Context(), event, id)
		if err != nil {
			return err
		}
		return api.WriteSeat(w, seat)
	})
}
