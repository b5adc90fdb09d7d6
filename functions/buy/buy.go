// Package buy is the function that sells a user the seats that the user holds.
package buy

import (
	"context"
	"net/http"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/seatlock"
)

// Locker is the part of seatlock.Locker that the function uses.
type Locker interface {
	BuyOn(ctx context.Context, event string, seats []string, user string, terms seatlock.Terms) error
}

// New returns the handler of POST /buy.
func New(locker Locker, c *catalog.Catalog, rules api.Rules) http.Handler {
	return api.Handler(http.MethodPost, func(w http.ResponseWriter, r *http.Request) error {
		seats, err := api.DecodeSeats(w, r, rules)
		if err != nil {
			return err
		}
		err = c.With(r.Context(), seats.EventID, seats.SeatIDs, func(terms seatlock.Terms) error {
			terms.Order, terms.Request = seats.OrderID, seats.Request
			return locker.BuyOn(r.Context(), seats.EventID, seats.SeatIDs, seats.UserID, terms)
		})
		if err != nil {
			return err
		}
		response := api.NewSeatsResponse("sold", seats)
		response.OrderID = seats.OrderID
		return api.WriteSeats(w, r, "sold", response)
	})
}
