// Package release is the function that ends a user's holds.
package release

import (
	"context"
	"net/http"

	"booking/functions/internal/api"
)

// Locker is the part of seatlock.Locker that the function uses.
type Locker interface {
	Release(ctx context.Context, event string, seats []string, user string) error
}

// New returns the handler of POST /release. The response does not say which of the seats
// the user held.
func New(locker Locker, rules api.Rules) http.Handler {
	return api.Handler(http.MethodPost, func(w http.ResponseWriter, r *http.Request) error {
		seats, err := api.DecodeSeats(w, r, rules)
		if err != nil {
			return err
		}
		if err := locker.Release(r.Context(), seats.EventID, seats.SeatIDs, seats.UserID); err != nil {
			return err
		}
		return api.WriteSeats(w, r, "released", api.NewSeatsResponse("released", seats))
	})
}
