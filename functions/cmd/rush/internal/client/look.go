package client

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"booking/functions/cmd/rush/internal/history"
	"booking/seatlock"
	"booking/seatlock/oracle"
)

// Map is the seats that were not available.
type Map struct {
	Taken      map[string]bool
	Held, Sold []string
}

// ErrNotMap means that an answer with status 200 can't be read as a seat map.
var ErrNotMap = errors.New("not a seat map")

// StatusError is an answer whose status is not 200.
type StatusError struct {
	Path     string // that was asked for, below the service's address
	Status   int
	Location string // that it redirects to; mostly empty
}

func newStatusError(path string, resp *http.Response) StatusError {
	return StatusError{path, resp.StatusCode, resp.Header.Get("Location")}
}

func (e StatusError) Error() string {
	s := fmt.Sprintf("GET %s is answered %d %s", e.Path, e.Status, http.StatusText(e.Status))
	if e.Location != "" {
		s += " to " + e.Location
	}
	return s
}

// hall is the last Map that was read. Everybody is shown the same one for a while,
// so that it is read once; each person loads it all the same.
type hall struct {
	etag string
	seen Map
}

// Look asks for the seat map when that is due; false where none came.
func (c *Client) Look(ctx context.Context, user string, due time.Duration) (Map, bool) {
	due, ok := c.take(ctx, due)
	if !ok {
		return Map{}, false
	}
	defer func() { <-c.slots }()
	call := history.Call{Due: due, Call: oracle.Call{Op: history.Look, Event: c.event, User: user, Sent: c.Now()}}
	m, status, err := c.get()
	call.Answered, call.Status, call.Outcome = c.Now(), status, oracle.Done
	if err != nil {
		call.Outcome = oracle.NotRun
	}
	c.log.Add(call)
	return m, err == nil
}

// Watch asks for the seat map out of turn, and notes nothing. Its error wraps a
// *url.Error where no answer came, a StatusError, or ErrNotMap.
func (c *Client) Watch() (Map, error) {
	m, _, err := c.get()
	return m, err
}

func (c *Client) get() (Map, int, error) {
	req, err := http.NewRequest(http.MethodGet, c.mapURL(), nil)
	if err != nil {
		return Map{}, 0, err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := c.http.Do(req)
	if err != nil {
		return Map{}, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return Map{}, resp.StatusCode, fmt.Errorf("the answer of GET /seats breaks off: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return Map{}, resp.StatusCode, newStatusError("/seats", resp)
	}
	m, err := c.read(resp.Header, body)
	if err != nil {
		err = fmt.Errorf("the answer of GET /seats is %w: %w", ErrNotMap, err)
	}
	return m, resp.StatusCode, err
}

// read reads a body whose ETag is new, and remembers what it says.
func (c *Client) read(header http.Header, body []byte) (Map, error) {
	etag := header.Get("ETag")
	c.mu.Lock()
	defer c.mu.Unlock()
	if etag != "" && etag == c.hall.etag {
		return c.hall.seen, nil
	}
	if header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return Map{}, err
		}
		if body, err = io.ReadAll(unzipped); err != nil {
			return Map{}, err
		}
	}
	var got struct {
		Seats []seat `json:"seats"`
	}
	if err := json.Unmarshal(body, &got); err != nil {
		return Map{}, err
	}
	m := Map{Taken: map[string]bool{}}
	for _, s := range got.Seats {
		m.Taken[s.SeatID] = true
		if statuses[s.Status] == seatlock.Sold {
			m.Sold = append(m.Sold, s.SeatID)
		} else {
			m.Held = append(m.Held, s.SeatID)
		}
	}
	c.hall.etag, c.hall.seen = etag, m
	return m, nil
}

// Seat asks for one seat. Its error is a StatusError where the service has none of
// that id, or can't say.
func (c *Client) Seat(seat string) error {
	path := "/seats/" + url.PathEscape(seat)
	resp, err := c.http.Get(c.url + path + "?event_id=" + url.QueryEscape(c.event))
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return newStatusError(path, resp)
	}
	return nil
}
