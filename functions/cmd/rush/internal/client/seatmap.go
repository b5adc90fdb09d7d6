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

	"booking/seatlock"
	"booking/seatlock/oracle"
)

// Map lists the seats that are not available.
type Map struct {
	Taken               map[string]bool // held, sold or blocked
	Held, Sold, Blocked []string
	LastChange          string // its ID
}

// ErrNotMap means that an answer with status 200 is not a seat map.
var ErrNotMap = errors.New("not a seat map")

// StatusError is an answer that is not the success of its call.
type StatusError struct {
	Method, Path string
	Status       int
	Location     string // the target of a redirect; empty without one
	Code         string // of the problem; empty without one
}

// newStatusError returns the StatusError of resp, and reads its body.
func newStatusError(path string, resp *http.Response) StatusError {
	e := StatusError{Method: resp.Request.Method, Path: path, Status: resp.StatusCode, Location: resp.Header.Get("Location")}
	var problem struct {
		Code string `json:"code"`
	}
	if json.NewDecoder(resp.Body).Decode(&problem) == nil {
		e.Code = problem.Code
	}
	return e
}

func (e StatusError) Error() string {
	s := fmt.Sprintf("%s %s returns %d %s", e.Method, e.Path, e.Status, http.StatusText(e.Status))
	if e.Code != "" {
		s += " (" + e.Code + ")"
	}
	if e.Location != "" {
		s += " to " + e.Location
	}
	return s
}

// cachedMap is the last Map that was decoded. The service sends the same map to all
// buyers for a while. So each buyer's call is made, but equal bodies are decoded once.
type cachedMap struct {
	etag string
	Map
}

// SeatMap gets the seat map for a user, when that is due. It returns false if it got
// none.
func (c *Client) SeatMap(ctx context.Context, user string, due time.Duration) (Map, bool) {
	due, ok := c.acquire(ctx, due)
	if !ok {
		return Map{}, false
	}
	defer c.release()
	call := Call{Due: due, Call: oracle.Call{Op: SeatMap, Event: c.event, User: user, Sent: c.Now()}}
	m, status, err := c.getMap()
	call.Answered, call.Status, call.Outcome = c.Now(), status, oracle.Done
	if err != nil {
		call.Outcome = oracle.NotRun
	}
	c.Log.add(call)
	return m, err == nil
}

// Observe gets the seat map at once and records no call. Its error wraps a *url.Error
// if no answer came, a StatusError, or ErrNotMap.
func (c *Client) Observe() (Map, error) {
	m, _, err := c.getMap()
	return m, err
}

func (c *Client) getMap() (Map, int, error) {
	req, err := http.NewRequest(http.MethodGet, c.url+"/seats?event_id="+url.QueryEscape(c.event), nil)
	if err != nil {
		return Map{}, 0, err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := c.http.Do(req)
	if err != nil {
		return Map{}, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return Map{}, resp.StatusCode, newStatusError("/seats", resp)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return Map{}, resp.StatusCode, fmt.Errorf("the answer to GET /seats breaks off: %w", err)
	}
	m, err := c.decode(resp.Header, body)
	if err != nil {
		err = fmt.Errorf("the answer to GET /seats is %w: %w", ErrNotMap, err)
	}
	return m, resp.StatusCode, err
}

// decode decodes a body, unless its ETag is that of the cached map.
func (c *Client) decode(header http.Header, body []byte) (Map, error) {
	etag := header.Get("ETag")
	c.mu.Lock()
	defer c.mu.Unlock()
	if etag != "" && etag == c.cache.etag {
		return c.cache.Map, nil
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
		LastEventID string `json:"last_event_id"`
		Seats       []seat `json:"seats"`
	}
	if err := json.Unmarshal(body, &got); err != nil {
		return Map{}, err
	}
	m := Map{Taken: map[string]bool{}, LastChange: got.LastEventID}
	for _, s := range got.Seats {
		m.Taken[s.SeatID] = true
		switch statuses[s.Status] {
		case seatlock.Sold:
			m.Sold = append(m.Sold, s.SeatID)
		case seatlock.Blocked:
			m.Blocked = append(m.Blocked, s.SeatID)
		default:
			m.Held = append(m.Held, s.SeatID)
		}
	}
	c.cache = cachedMap{etag, m}
	return m, nil
}

// CheckSeat gets one seat and records no call. It returns a StatusError if the
// service does not have the seat, or can't answer.
func (c *Client) CheckSeat(seat string) error {
	path := "/seats/" + url.PathEscape(seat)
	resp, err := c.http.Get(c.url + path + "?event_id=" + url.QueryEscape(c.event))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return newStatusError(path, resp)
	}
	return nil
}
