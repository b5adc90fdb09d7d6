package api

import (
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
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
		b = appendString(append(b, `{"seat_id":`...), c.SeatID)
		b = appendString(append(b, `,"status":`...), c.Status)
		b = append(appendExpires(b, c.ExpiresInMS), '}')
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
	write(w, http.StatusOK, isJSON, append(a.appendJSON(make([]byte, 0, 256)), '\n'))
	return nil
}
