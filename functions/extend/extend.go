// Package extend is the call that moves the deadline of a user's holds.
package extend

import (
	"context"
	"net/http"

	"booking/functions/internal/api"
	"booking/seatlock"
)

// Locker is what the call needs of seatlock.Locker.
type Locker interface {
	Extend(ctx context.Context, event string, seats []string, user string) (seatlock.Hold, error)
}

// New returns the handler of POST /extend, for requests that keep to the rules.
// Where every seat is sold to the user already, there is nothing to extend, and the
// answer is that of buy.
func New(locker Locker, rules api.Rules) http.Handler {
	return api.Handler(http.MethodPost, func(w http.ResponseWriter, r *http.Request) error {
		seats, err := api.DecodeSeats(w, r, rules)
		if err != nil {
			return err
		}
		hold, err := locker.Extend(r.Context(), seats.EventID, seats.SeatIDs, seats.UserID)
		if err != nil {
			return err
		}
		if hold.Deadline.IsZero() {
			return api.WriteSeats(w, r, "extended", api.NewSeatsResponse("sold", seats))
		}
		return api.WriteSeats(w, r, "extended", api.NewSeatsResponse("reserved", seats).Until(hold))
	})
}
