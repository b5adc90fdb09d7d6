package api

import (
	"bytes"
	"net/http"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"booking/seatlock"
)

// The answers that an on-sale gives most are appended member by member, as
// encoding/json would write them: it takes a microsecond more for each.

// appendJSON appends the answer to b.
func (a *SeatsAnswer) appendJSON(b []byte) []byte {
	b = appendString(append(b, `{"status":`...), a.Status)
	b = appendString(append(b, `,"event_id":`...), a.EventID)
	b = append(b, `,"seat_ids":[`...)
	for i, id := range a.SeatIDs {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, id)
	}
	b = appendString(append(b, `],"user_id":`...), a.UserID)
	if a.ExpiresAt != "" {
		b = appendString(append(b, `,"expires_at":`...), a.ExpiresAt)
	}
	return append(appendExpires(b, a.ExpiresInMS), '}')
}

// appendJSON appends the problem to b.
func (p *Problem) appendJSON(b []byte) []byte {
	b = appendString(append(b, `{"type":`...), p.Type)
	b = appendString(append(b, `,"title":`...), p.Title)
	b = strconv.AppendInt(append(b, `,"status":`...), int64(p.Status), 10)
	b = appendString(append(b, `,"detail":`...), p.Detail)
	b = appendString(append(b, `,"code":`...), string(p.Code))
	for i, c := range p.Conflicts {
		if i == 0 {
			b = append(b, `,"conflicts":[`...)
		} else {
			b = append(b, ',')
		}
		b = c.appendJSON(b)
	}
	if len(p.Conflicts) > 0 {
		b = append(b, ']')
	}
	if p.Limit != nil {
		b = strconv.AppendInt(append(b, `,"limit":`...), int64(p.Limit.Limit), 10)
		b = strconv.AppendInt(append(b, `,"held":`...), int64(p.Held), 10)
		b = strconv.AppendInt(append(b, `,"sold":`...), int64(p.Sold), 10)
	}
	return append(b, '}')
}

// appendJSON appends the seat to b.
func (s *Seat) appendJSON(b []byte) []byte {
	b = appendString(append(b, `{"seat_id":`...), s.SeatID)
	b = appendString(append(b, `,"status":`...), s.Status)
	return append(appendExpires(b, s.ExpiresInMS), '}')
}

func appendExpires(b []byte, ms *int64) []byte {
	if ms == nil {
		return b
	}
	return strconv.AppendInt(append(b, `,"expires_in_ms":`...), *ms, 10)
}

// appendString appends s in quotes. What is not UTF-8, which nothing here is, is replaced.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}

// WriteSeats answers with status 200 and a.
func WriteSeats(w http.ResponseWriter, a SeatsAnswer) error {
	writeAppended(w, http.StatusOK, isJSON, &a)
	return nil
}

// WriteSeat answers with status 200 and how a seat stands.
func WriteSeat(w http.ResponseWriter, seat seatlock.Seat) error {
	s := NewSeat(seat)
	writeAppended(w, http.StatusOK, isJSON, &s)
	return nil
}

func writeAppended(w http.ResponseWriter, status int, contentType []string, body interface{ appendJSON([]byte) []byte }) {
	b := buffers.Get().(*bytes.Buffer)
	defer release(b)
	b.Write(append(body.appendJSON(b.AvailableBuffer()), '\n'))
	write(w, status, contentType, b.Bytes())
}

// buffers are for the bodies of requests and answers.
var buffers = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 1024)) }}

func release(b *bytes.Buffer) {
	b.Reset()
	buffers.Put(b)
}
