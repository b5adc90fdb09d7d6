package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"booking/seatlock"
)

// SeatsResponse is the success of each call that changes seats.
type SeatsResponse struct {
	Status      string   `json:"status"`
	EventID     string   `json:"event_id"`
	SeatIDs     []string `json:"seat_ids"`
	UserID      string   `json:"user_id"`
	OrderID     string   `json:"order_id,omitempty"`      // of a sale that has one, and of its return
	ExpiresAt   string   `json:"expires_at,omitempty"`    // RFC 3339 with ms, UTC; only while the seats are held
	ExpiresInMS *int64   `json:"expires_in_ms,omitempty"` // likewise
	Adjacent    *bool    `json:"adjacent,omitempty"`      // only of a reserve-best: whether the seats are next to one another

	request *seatlock.Request
}

// NewSeatsResponse returns the response that seats have the status.
func NewSeatsResponse(status string, seats Seats) SeatsResponse {
	return SeatsResponse{Status: status, EventID: seats.EventID, SeatIDs: seats.SeatIDs, UserID: seats.UserID, request: seats.Request}
}

// Until adds when the hold ends.
func (r SeatsResponse) Until(hold seatlock.Hold) SeatsResponse {
	r.ExpiresAt = Time(hold.Deadline)
	ms := hold.ExpiresIn.Milliseconds()
	r.ExpiresInMS = &ms
	return r
}

// Time formats a time of Redis's clock: RFC 3339 with ms.
func Time(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z07:00") }

// Seat is the state of a seat: the response of the function seat, or a conflict of a
// problem.
type Seat struct {
	SeatID      string `json:"seat_id"`
	Status      string `json:"status"`
	ExpiresInMS *int64 `json:"expires_in_ms,omitempty"` // only while Reserved
}

// NewSeat returns the state of seat.
func NewSeat(seat seatlock.Seat) Seat {
	s := Seat{SeatID: seat.ID, Status: seat.Status.String()}
	if seat.Status == seatlock.Reserved {
		ms := seat.ExpiresIn.Milliseconds()
		s.ExpiresInMS = &ms
	}
	return s
}

// WriteSeats answers with status 200 and response. Metrics count the seats as outcome.
func WriteSeats(w http.ResponseWriter, r *http.Request, outcome string, response SeatsResponse) error {
	if c := recorded(r.Context()); c != nil {
		c.Outcome = outcome
	}
	markReplayed(w, response.request)
	writeAppended(w, http.StatusOK, jsonType, &response)
	return nil
}

// WriteSeat answers with status 200 and the state of a seat.
func WriteSeat(w http.ResponseWriter, seat seatlock.Seat) error {
	s := NewSeat(seat)
	writeAppended(w, http.StatusOK, jsonType, &s)
	return nil
}

// WriteJSON answers with status 200 and v.
func WriteJSON(w http.ResponseWriter, v any) error { return writeJSON(w, http.StatusOK, v) }

// WriteCreated answers with status 201 and v.
func WriteCreated(w http.ResponseWriter, v any) error { return writeJSON(w, http.StatusCreated, v) }

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	write(w, status, jsonType, append(body, '\n'))
	return nil
}

// Values of headers. All responses share them, so don't change one.
var (
	jsonType    = []string{"application/json"}
	problemJSON = []string{"application/problem+json"}
	noStore     = []string{"no-store"} // a seat can change hands within a millisecond
)

func writeAppended(w http.ResponseWriter, status int, contentType []string, body interface{ appendJSON([]byte) []byte }) {
	b := buffers.Get().(*bytes.Buffer)
	defer release(b)
	b.Write(append(body.appendJSON(b.AvailableBuffer()), '\n'))
	write(w, status, contentType, b.Bytes())
}

func write(w http.ResponseWriter, status int, contentType []string, body []byte) {
	h := w.Header()
	h["Content-Type"] = contentType
	h["Cache-Control"] = noStore
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have left
}

// buffers hold the bodies of requests and responses.
var buffers = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 1024)) }}

func release(b *bytes.Buffer) {
	b.Reset()
	buffers.Put(b)
}
