// Package exchange is the function that moves sales to other seats.
package exchange

import (
	"context"
	"net/http"
	"slices"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/seatlock"
)

// Locker is the part of seatlock.Locker that the function uses.
type Locker interface {
	Exchange(ctx context.Context, event string, seats, to []string, user string, terms seatlock.Terms) error
}

// New returns the handler of POST /exchange. The response names the new seats.
func New(locker Locker, c *catalog.Catalog, rules api.Rules) http.Handler {
	return api.Handler(http.MethodPost, func(w http.ResponseWriter, r *http.Request) error {
		seats, err := api.DecodeSeats(w, r, rules)
		if err == nil {
			err = check(seats)
		}
		if err != nil {
			return err
		}
		both := slices.Concat(seats.SeatIDs, seats.ToSeatIDs)
		err = c.With(r.Context(), seats.EventID, both, func(terms seatlock.Terms) error {
			terms.Order, terms.Request = seats.OrderID, seats.Request
			return locker.Exchange(r.Context(), seats.EventID, seats.SeatIDs, seats.ToSeatIDs, seats.UserID, terms)
		})
		if err != nil {
			return err
		}
		response := api.NewSeatsResponse("sold", seats)
		response.SeatIDs, response.OrderID = seats.ToSeatIDs, seats.OrderID
		return api.WriteSeats(w, r, "exchanged", response)
	})
}

// check returns a *Problem unless there are as many new seats as old ones, and all are different.
func check(seats api.Seats) error {
	if len(seats.ToSeatIDs) != len(seats.SeatIDs) {
		return api.Invalid("to_seat_ids must name as many seats as seat_ids: %d, not %d.", len(seats.SeatIDs), len(seats.ToSeatIDs))
	}
	for i, id := range seats.ToSeatIDs {
		if slices.Contains(seats.SeatIDs, id) {
			return api.Invalid("to_seat_ids[%d] is %s, which is one of the seats to give back; name other seats.", i, id)
		}
	}
	return nil
}
