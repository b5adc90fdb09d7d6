package api

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// The most frequent responses are appended member by member: with encoding/json a won
// reserve takes measurably more CPU.

// appendJSON appends the response to b.
func (r *SeatsResponse) appendJSON(b []byte) []byte {
	b = appendString(append(b, `{"status":`...), r.Status)
	b = appendString(append(b, `,"event_id":`...), r.EventID)
	b = append(b, `,"seat_ids":[`...)
	for i, id := range r.SeatIDs {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, id)
	}
	b = appendString(append(b, `],"user_id":`...), r.UserID)
	if r.OrderID != "" {
		b = appendString(append(b, `,"order_id":`...), r.OrderID)
	}
	if r.ExpiresAt != "" {
		b = appendString(append(b, `,"expires_at":`...), r.ExpiresAt)
	}
	b = appendExpires(b, r.ExpiresInMS)
	if r.Adjacent != nil {
		b = strconv.AppendBool(append(b, `,"adjacent":`...), *r.Adjacent)
	}
	return append(b, '}')
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
	if p.LargestBlock > 0 {
		b = strconv.AppendInt(append(b, `,"largest_block":`...), int64(p.LargestBlock), 10)
	}
	if p.OnSaleAt != "" {
		b = appendString(append(b, `,"on_sale_at":`...), p.OnSaleAt)
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

// appendString appends s as a JSON string. Bytes that are not UTF-8 are replaced.
func appendString(b []byte, s string) []byte {
	b, _ = jsontext.AppendQuote(b, s)
	return b
}
