// Package block is the function that keeps seats for a channel.
package block

import (
	"context"
	"net/http"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/seatlock"
)

// Locker is the part of seatlock.Locker that the function uses.
type Locker interface {
	Block(ctx context.Context, event string, seats []string, channel string, terms seatlock.Terms) error
}

// New returns the handler of POST /block.
func New(locker Locker, c *catalog.Catalog) http.Handler {
	return api.Handler(http.MethodPost, func(w http.ResponseWriter, r *http.Request) error {
		b, err := api.DecodeBlock(w, r)
		if err != nil {
			return err
		}
		err = c.With(r.Context(), b.EventID, b.SeatIDs, func(terms seatlock.Terms) error {
			terms.Request = b.Request
			return locker.Block(r.Context(), b.EventID, b.SeatIDs, b.Channel, terms)
		})
		if err != nil {
			return err
		}
		return api.WriteBlock(w, r, "blocked", b)
	})
}
