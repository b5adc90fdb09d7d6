// Package reserve is the function that holds seats for a user.
package reserve

import (
	"context"
	"net/http"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/seatlock"
)

// Locker is the part of seatlock.Locker that the function uses.
type Locker interface {
	ReserveOn(ctx context.Context, event string, seats []string, user string, terms seatlock.Terms) (seatlock.Hold, error)
}

// New returns the handler of POST /reserve.
func New(locker Locker, c *catalog.Catalog, rules api.Rules) http.Handler {
	return api.Handler(http.MethodPost, func(w http.ResponseWriter, r *http.Request) error {
		seats, err := api.DecodeSeats(w, r, rules)
		if err != nil {
			return err
		}
		if err := api.CheckChannel(r, seats.Channel); err != nil {
			return err
		}
		var hold seatlock.Hold
		err = c.With(r.Context(), seats.EventID, seats.SeatIDs, func(terms seatlock.Terms) error {
			terms.Channel, terms.Request = seats.Channel, seats.Request
			hold, err = locker.ReserveOn(r.Context(), seats.EventID, seats.SeatIDs, seats.UserID, terms)
			return err
		})
		if err != nil {
			return err
		}
		return api.WriteSeats(w, r, "reserved", api.NewSeatsResponse("reserved", seats).Until(hold))
	})
}
