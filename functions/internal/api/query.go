package api

import (
	"net/http"
	"net/url"
	"slices"

	"booking/seatlock"
)

// DecodeQuery parses the query of a call that reads, and the event that it names. parameters
// are those that the call knows beside event_id. The error is a *Problem.
func DecodeQuery(r *http.Request, parameters ...string) (event string, query url.Values, err error) {
	query, err = url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", nil, Invalid("The query can't be parsed: escape each character other than a letter or a digit as %%XX.")
	}
	if err := CheckQuery(query, parameters...); err != nil {
		return "", nil, err
	}
	event = seatlock.DefaultEvent
	if query.Has("event_id") {
		event = query.Get("event_id")
	}
	if !seatlock.ValidID(event) {
		return "", nil, Invalid("event_id %s.", IDForm)
	}
	if c := recorded(r.Context()); c != nil {
		c.EventID = event
	}
	return event, query, nil
}

// CheckQuery returns a *Problem if a parameter is event_id or one of parameters in another
// spelling.
func CheckQuery(query url.Values, parameters ...string) error {
	for other := range query {
		if other == "event_id" || slices.Contains(parameters, other) {
			continue
		}
		if err := append(Names{"event_id"}, parameters...).CheckParameter(other); err != nil {
			return err
		}
	}
	return nil
}

// CheckSeat returns a *Problem if id can't name a seat. Otherwise it records the seat.
func CheckSeat(r *http.Request, id string) error {
	if !seatlock.ValidID(id) {
		return Invalid("seat_id %s.", IDForm)
	}
	if c := recorded(r.Context()); c != nil {
		c.SeatIDs = []string{id}
	}
	return nil
}
