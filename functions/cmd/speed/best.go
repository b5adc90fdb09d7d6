package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"
)

// The hall of the best-available workloads: 400 rows of 50 seats, and an area of as many places.
const (
	hallPlan  = "R{1-400}-{1-50}"
	hallSeats = 400 * 50
	block     = 10 // seats next to one another that are all held or all free before the load
)

// hallEvent is the body of the PUT of such an event.
var hallEvent = fmt.Sprintf(`{"hold_ttl":"24h","max_hold":"24h","plan":%q,"areas":[{"area_id":"floor","capacity":%d}]}`, hallPlan, hallSeats)

// bestConnections limits the connections of these workloads: of 1% of the hall, each call must get
// seats.
const bestConnections = 32

// newBest returns a workload whose calls hold two seats next to one another, when that share of the
// hall is held. Each call's seats are released again, so the share stays the same.
func newBest(percent int) workload {
	return workload{name: fmt.Sprintf("best-%d", percent), status: http.StatusOK, held: percent, event: hallEvent, undo: appendRelease, connections: bestConnections,
		next: func(buf []byte, id string, n int64) []byte {
			return appendCall(buf, "/reserve-best", keyOf(id, n), fmt.Appendf(nil, `{"quantity":2,"user_id":"user_%d"}`, n))
		}}
}

// The workloads of reserve-best, and those of two seats that the caller names. All release what each
// call holds, but pairWin and pairKey.
var (
	best10, best90, best99 = newBest(10), newBest(90), newBest(99)

	areaWin = workload{name: "area", status: http.StatusOK, event: hallEvent, undo: appendRelease, connections: bestConnections,
		next: func(buf []byte, id string, n int64) []byte {
			return appendCall(buf, "/reserve-best", keyOf(id, n), fmt.Appendf(nil, `{"quantity":2,"area_id":"floor","user_id":"user_%d"}`, n))
		}}
	pairWin = workload{name: "pair-win", status: http.StatusOK, event: plainEvent, connections: bestConnections,
		next: func(buf []byte, id string, n int64) []byte {
			return appendCall(buf, "/reserve", "", appendPair(id, n))
		}}
	pairKey = workload{name: "pair-key", status: http.StatusOK, event: plainEvent, connections: bestConnections,
		next: func(buf []byte, id string, n int64) []byte {
			return appendCall(buf, "/reserve", keyOf(id, n), appendPair(id, n))
		}}
	undoKey = workload{name: "undo-key", status: http.StatusOK, event: plainEvent, connections: bestConnections, next: pairKey.next, undo: appendRelease}
)

// appendPair returns the body of a reserve of two seats that no other call reserves.
func appendPair(id string, n int64) []byte {
	return fmt.Appendf(nil, `{"seat_ids":["S%s-%d","T%s-%d"],"user_id":"user_%d"}`, id, n, id, n, n)
}

// keyOf returns the header with the Idempotency-Key of call n.
func keyOf(id string, n int64) string { return fmt.Sprintf("Idempotency-Key: %s-%d\r\n", id, n) }

func appendCall(buf []byte, path, header string, body []byte) []byte {
	buf = fmt.Appendf(buf, "POST %s HTTP/1.1\r\nHost: speed\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n", path, header, len(body))
	return append(buf, body...)
}

// appendRelease appends the release of the seats that the answer to call n names.
func appendRelease(buf []byte, n int64, answer []byte) []byte {
	_, seats, _ := bytes.Cut(answer, []byte(`"seat_ids":`))
	seats, _, _ = bytes.Cut(seats, []byte("]"))
	body := fmt.Appendf(nil, `{"user_id":"user_%d","seat_ids":%s]}`, n, seats)
	return appendCall(buf, "/release", "", body)
}

// holdShare holds that many percent of the hall, in blocks that are all over it.
func (s *servers) holdShare(ctx context.Context, percent int) error {
	const blocks = hallSeats / block
	var held []int64
	for i := range blocks {
		if i*percent%100 < percent {
			held = append(held, int64(i))
		}
	}
	next := func(buf []byte, _ string, n int64) []byte {
		body := []byte(`{"user_id":"early-bird","seat_ids":[`)
		for i := range int64(block) {
			seat := held[n]*block + i
			body = fmt.Appendf(body, `"R%d-%d",`, seat/50+1, seat%50+1)
		}
		body[len(body)-1] = ']'
		return appendReserve(buf, append(body, '}'))
	}
	l := load{next: next, status: http.StatusOK, addr: s.service.addr, connections: 64, duration: time.Hour, calls: int64(len(held))}
	if _, err := l.run(ctx); err != nil {
		return fmt.Errorf("hold: %w", err)
	}
	return nil
}
