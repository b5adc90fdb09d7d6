package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// Event is the body of PUT /events/{event_id}.
type Event struct {
	Title    string    `json:"title,omitempty"`
	OnSaleAt time.Time `json:"on_sale_at,omitzero"`
	HoldTTL  string    `json:"hold_ttl,omitempty"`
	Plan     string    `json:"plan,omitempty"`
	Areas    []Area    `json:"areas,omitempty"`
}

// Area is an area of general admission.
type Area struct {
	ID       string `json:"area_id"`
	Capacity int    `json:"capacity"`
}

// CreateEvent puts the event of c, which must not exist yet, and returns its ETag. It fails
// with a StatusError if the service refuses it.
func (c *Client) CreateEvent(ctx context.Context, e Event) (etag string, err error) {
	return c.putEvent(ctx, e, "If-None-Match", "*")
}

// ReplaceEvent puts the event of c in place of the version with an ETag.
func (c *Client) ReplaceEvent(ctx context.Context, e Event, etag string) error {
	_, err := c.putEvent(ctx, e, "If-Match", etag)
	return err
}

func (c *Client) putEvent(ctx context.Context, e Event, condition, etag string) (string, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	resp, err := c.do(ctx, http.MethodPut, "/events/"+c.event, c.Tokens.Seller, body, condition, etag)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return "", newStatusError("/events/"+c.event, resp)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Header.Get("ETag"), nil
}

// DeleteEvent deletes the event of c with its sales. It fails with a StatusError if the service
// refuses that.
func (c *Client) DeleteEvent(ctx context.Context) error {
	resp, err := c.do(ctx, http.MethodDelete, "/events/"+c.event+"?sales=discard", c.Tokens.Seller, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusNoContent {
		return newStatusError("/events/"+c.event, resp)
	}
	return nil
}
