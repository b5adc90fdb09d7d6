// Package extend is the function that moves the deadline of a user's holds.
package extend

import (
	"context"
	"net/http"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/seatlock"
)

// Locker is the part of seatlock.Locker that the function uses.
type Locker interface {
	ExtendOn(ctx context.Context, event string, seats []string, user string, terms seatlock.Terms) (seatlock.Hold, error)
}

// New returns the handler of POST /extend. If every seat is already sold to the user, the
// response is that of buy.
func New(locker Locker, c *catalog.Catalog, rules api.Rules) http.Handler {
	return api.Handler(http.MethodPost, func(w http.ResponseWriter, r *http.Request) error {
		seats, err := api.DecodeSeats(w, r, rules)
		if err != nil {
			return err
		}
		var hold seatlock.Hold
		err = c.With(r.Context(), seats.EventID, seats.SeatIDs, func(terms seatlock.Terms) error {
			terms.Request = seats.Request
			hold, err = locker.ExtendOn(r.Context(), seats.EventID, seats.SeatIDs, seats.UserID, terms)
			return err
		})
		if err != nil {
			return err
		}
		if hold.Deadline.IsZero() {
			return api.WriteSeats(w, r, "extended", api.NewSeatsResponse("sold", seats))
		}
		return api.WriteSeats(w, r, "extended", api.NewSeatsResponse("reserved", seats).Until(hold))
	})
}
