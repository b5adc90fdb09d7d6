// Package seat is the call that tells the state of one seat.
package seat

import (
	"context"
	"net/http"

	"booking/functions/internal/api"
	"booking/seatlock"
)

// Locker is what the call needs of seatlock.Locker.
type Locker interface {
	Status(ctx context.Context, event, seat string) (seatlock.Seat, error)
}

// New returns the handler of GET /seats/{seat_id}, for a seat that the rules know. Where the path has no seat_id,
// at the function's own URL, the query names it.
func New(locker Locker, rules api.Rules) http.Handler {
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		event, query, err := api.DecodeQuery(r)
		if err != nil {
			return err
		}
		id := r.PathValue("seat_id")
		if id == "" {
			if id = query.Get("seat_id"); id == "" {
				return api.Invalid("seat_id is missing; ask like /?seat_id=1A.")
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
