// Package reserve is the call that holds seats for a user.
package reserve

import (
	"context"
	"net/http"

	"booking/functions/internal/api"
	"booking/seatlock"
)

// Locker is what the call needs of seatlock.Locker.
type Locker interface {
	Reserve(ctx context.Context, event string, seats []string, user string) (seatlock.Hold, error)
}

// New returns the handler of POST /reserve, for up to maxSeats seats a request.
func New(locker Locker, maxSeats int) http.Handler {
	return api.Handler(http.MethodPost, func(w http.ResponseWriter, r *http.Request) error {
		seats, err := api.DecodeSeats(w, r, maxSeats)
		if err != nil {
			return err
		}
		hold, err := locker.Reserve(r.Context(), seats.EventID, seats.SeatIDs, seats.UserID)
		if err != nil {
			return err
		}
		return api.WriteJSON(w, api.NewSeatsAnswer("reserved", seats).Until(hold))
	})
}
