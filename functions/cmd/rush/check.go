package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"booking/functions/cmd/rush/internal/client"
)

// checkTimeout is how long a service may take for its first answer.
const checkTimeout = 10 * time.Second

// checkTarget checks that the service at address answers, that it has the seats unless rush
// puts them, and that all of them are free.
func checkTarget(ctx context.Context, c *client.Client, address string, o *options) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	status := client.StatusError{}
	observe := func() (client.Map, error) {
		m, err := c.Observe()
		if o.put && errors.As(err, &status) && status.Code == "unknown_event" {
			err = nil // it has no seats yet
		}
		return m, err
	}
	m, err := observe()
	for err != nil && o.url == "" && c.Sleep(ctx, c.Now()+10*time.Millisecond) {
		m, err = observe()
	}
	if err != nil && o.url == "" {
		return fmt.Errorf("the service that rush started returns no seat map: %w; run rush again", err)
	}
	if err != nil {
		return usageErrorf("%s returns no seat map: %v; %s", address, err, fixFor(err))
	}
	if n := len(m.Taken); n > 0 {
		return usageErrorf("the event %s is not new: %d of its seats are held, sold or blocked; set -event to a new event", o.event, n)
	}
	if o.put {
		return nil
	}
	for _, seat := range []string{o.hall.Seats[0], o.hall.Seats[len(o.hall.Seats)-1]} {
		err := c.CheckSeat(seat)
		if errors.As(err, &status) && status.Status == http.StatusNotFound {
			return usageErrorf("%s has no seat %s: it has another seat plan; set -plan to its SEAT_PLAN, or add -put", address, seat)
		}
		if err != nil {
			return usageErrorf("%s does not return seat %s: %v; %s", address, seat, err, fixFor(err))
		}
	}
	return nil
}

// fixFor says what to do about an error of the client.
func fixFor(err error) string {
	var status client.StatusError
	var unanswered *url.Error
	switch {
	case errors.As(err, &unanswered):
		return "start the service there, or set -url to another address"
	case errors.As(err, &status) && status.Location != "":
		return "set -url to the address that it redirects to"
	case errors.As(err, &status) && (status.Status == http.StatusUnauthorized || status.Status == http.StatusForbidden):
		return "set -seller-token to the token of a seller, and -buyer-tokens if buyers need tokens"
	case errors.As(err, &status) && status.Code == "precondition_failed":
		return "set -event to a new event"
	case errors.As(err, &status) && status.Method == http.MethodPut && (status.Status == http.StatusNotFound || status.Status == http.StatusMethodNotAllowed):
		return "put the event at an address that takes PUT, and leave out -put"
	case errors.As(err, &status) && status.Code == "unknown_event":
		return "put the event first, or add -put"
	case errors.As(err, &status) && status.Status >= 500:
		return "run rush again when its /readyz returns 200"
	case errors.As(err, &status) && status.Code != "":
		return "functions/README.md says what the error means"
	case errors.As(err, &status), errors.Is(err, client.ErrNotMap):
		return "set -url to the address that has the path /seats, like http://localhost:8080"
	}
	return "run rush again"
}
