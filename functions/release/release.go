// Package release is the function that ends a user's holds.
package release

import (
	"context"
	"net/http"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/seatlock"
)

// Locker is the part of seatlock.Locker that the function uses.
type Locker interface {
	ReleaseOn(ctx context.Context, event string, seats []string, user string, terms seatlock.Terms) error
}

// New returns the handler of POST /release. The response does not say which of the seats
// the user held.
func New(locker Locker, c *catalog.Catalog, rules api.Rules) http.Handler {
	return api.Handler(http.MethodPost, func(w http.ResponseWriter, r *http.Request) error {
		seats, err := api.DecodeSeats(w, r, rules)
		if err != nil {
			return err
		}
		err = c.With(r.Context(), seats.EventID, seats.SeatIDs, func(terms seatlock.Terms) error {
			terms.Request = seats.Request
			return locker.ReleaseOn(r.Context(), seats.EventID, seats.SeatIDs, seats.UserID, terms)
		})
		if err != nil {
			return err
		}
		return api.WriteSeats(w, r, "released", api.NewSeatsResponse("released", seats))
	})
}
