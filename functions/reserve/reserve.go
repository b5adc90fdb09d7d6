// Package reserve is the function that holds seats for a user.
package reserve

import (
	"context"
	"net/http"

	"booking/functions/internal/api"
	"booking/seatlock"
)

// Locker is the part of seatlock.Locker that the function uses.
type Locker interface {
	Reserve(ctx context.Context, event string, seats []string, user string) (seatlock.Hold, error)
}

// New returns the handler of POST /reserve.
func New(locker Locker, rules api.Rules) http.Handler {
	return api.Handler(http.MethodPost, func(w http.ResponseWriter, r *http.Request) error {
		seats, err := api.DecodeSeats(w, r, rules)
		if err != nil {
			return err
		}
		hold, err := locker.Reserve(r.Context(), seats.EventID, seats.SeatIDs, seats.UserID)
		if err != nil {
			return err
		}
		return api.WriteSeats(w, r, "reserved", api.NewSeatsResponse("reserved", seats).Until(hold))
	})
}
