// Package seat is the call that tells the state of one seat.
package seat

import (
	"context"
	"net/http"
	"net/url"

	"booking/functions/internal/api"
	"booking/seatlock"
)

// Locker is what the call needs of seatlock.Locker.
type Locker interface {
	Status(ctx context.Context, event, seat string) (seatlock.Seat, error)
}

// New returns the handler of GET /seats/{seat_id}, for a seat that the rules know. Where the path has no seat_id,
// at the function's own URL, the query names it.
func New(locker Locker, rules api.Rules) http.Handler {
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return api.Invalid("The query can't be read: escape what is not a letter or a digit as %%XX.")
		}
		event, id := seatlock.DefaultEvent, r.PathValue("seat_id")
		if query.Has("event_id") {
			event = query.Get("event_id")
		}
		if id == "" {
			if id = query.Get("seat_id"); id == "" {
				return api.Invalid("seat_id is missing; ask like /?seat_id=1A.")
			}
		}
		if !seatlock.ValidID(event) {
			return api.Invalid("event_id %s.", api.IDForm)
		}
		if !seatlock.ValidID(id) {
			return api.Invalid("seat_id %s.", api.IDForm)
		}
		if err := rules.Check(id); err != nil {
			return err
		}
		seat, err := locker.Status(r.Context(), event, id)
		if err != nil {
			return err
		}
		return api.WriteSeat(w, seat)
	})
}
