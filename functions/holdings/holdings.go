// Package holdings is the function that returns the seats of a user.
package holdings

import (
	"context"
	"net/http"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/seatlock"
)

// Locker is the part of seatlock.Locker that the function uses.
type Locker interface {
	Holdings(ctx context.Context, event string, seats []string) ([]seatlock.Holding, error)
}

// Response is the seats that a user holds or has bought, in order.
type Response struct {
	EventID string `json:"event_id"`
	UserID  string `json:"user_id"`
	Seats   []Seat `json:"seats"`
}

// Seat is one of them.
type Seat struct {
	api.Seat
	OrderID string `json:"order_id,omitempty"` // of a sale that has one
}

// New returns the handler of GET /users/{user_id}/seats. At the function's own URL, whose path has
// no user_id, the query names the user. The response includes each call that has ended.
func New(locker Locker, c *catalog.Catalog, halls *hall.Halls) http.Handler {
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		event, query, err := api.DecodeQuery(r, "user_id")
		if err != nil {
			return err
		}
		var named *string
		if path := r.PathValue("user_id"); path != "" {
			named = &path
		} else if query.Has("user_id") {
			named = new(query.Get("user_id"))
		}
		user, err := api.UserOf(r, named, "send a path like /users/user_123/seats")
		if err != nil {
			return err
		}
		if err := c.Check(r.Context(), event); err != nil {
			return err
		}
		view, err := halls.Hall(event)
		if err != nil {
			return err
		}
		// The view knows which seats may be the user's, and their keys know which are.
		seats, err := view.SeatsOf(r.Context(), user)
		if err != nil {
			return err
		}
		holdings, err := locker.Holdings(r.Context(), event, seats)
		if err != nil {
			return err
		}
		response := Response{EventID: event, UserID: user, Seats: []Seat{}}
		for _, h := range holdings {
			if h.User == user {
				response.Seats = append(response.Seats, Seat{Seat: api.NewSeat(h.Seat), OrderID: h.Order})
			}
		}
		return api.WriteJSON(w, response)
	})
}
