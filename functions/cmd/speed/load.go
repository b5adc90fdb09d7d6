package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// workload is a kind of call.
type workload struct {
	name   string
	status int // of the service's answer
	// next appends the n-th HTTP request of the load id to buf.
	next func(buf []byte, id string, n int64) []byte

	event       string // the body of the PUT of the event before the load; empty: none
	held        int    // percent of the hall that are held before the load
	connections int    // limit; 0 is no limit
	// undo appends a request that ends what call n, which got an answer, has held; nil: it stays.
	undo func(buf []byte, n int64, answer []byte) []byte
}

// manyEvents is how many events events-win reserves in.
const manyEvents = 10_000

// plainEvent is an event without a plan.
const plainEvent = `{"on_sale_at":"2020-01-01T00:00:00Z","hold_ttl":"24h","max_hold":"24h"}`

// The workloads. Each win reserves a free seat, each lose a seat that another user holds.
// put-win and put-lose do the same at an event that was put.
var (
	win = workload{name: "win", status: http.StatusOK, next: func(buf []byte, id string, n int64) []byte {
		return appendReserve(buf, fmt.Appendf(nil, `{"seat_id":"S%s-%d","user_id":"user_%d"}`, id, n, n))
	}}
	lose = workload{name: "lose", status: http.StatusConflict, next: func(buf []byte, _ string, n int64) []byte {
		return appendReserve(buf, fmt.Appendf(nil, `{"seat_id":"H%d","user_id":"user_%d"}`, n%fewSeats, n))
	}}
	status = workload{name: "status", status: http.StatusOK, next: func(buf []byte, _ string, n int64) []byte {
		return fmt.Appendf(buf, "GET /seats/H%d HTTP/1.1\r\nHost: speed\r\n\r\n", n%fewSeats)
	}}
	eventsWin = workload{name: "events-win", status: http.StatusOK, next: func(buf []byte, id string, n int64) []byte {
		return appendReserve(buf, fmt.Appendf(nil, `{"event_id":"E%d","seat_id":"S%s-%d","user_id":"user_%d"}`, n%manyEvents, id, n, n))
	}}
	putWin    = workload{name: "put-win", status: win.status, next: win.next, event: plainEvent}
	putLose   = workload{name: "put-lose", status: lose.status, next: lose.next, event: plainEvent}
	workloads = []workload{win, lose, status, eventsWin, putWin, putLose, pairWin, pairKey, undoKey, best10, best90, best99, areaWin}
)

func appendReserve(buf, body []byte) []byte { return appendCall(buf, "/reserve", "", body) }

// load is a closed loop: each connection sends its next call when it has the answer to
// the previous one.
type load struct {
	addr        string // of the server
	id          string // is part of the seat IDs of win
	next        func(buf []byte, id string, n int64) []byte
	undo        func(buf []byte, n int64, answer []byte) []byte // follows each call, without a latency; nil: nothing does
	status      int                                             // that each answer must have
	connections int
	duration    time.Duration
	calls       int64 // limit of calls; 0 is no limit
}

// run returns the latencies of all calls, sorted.
func (l load) run(ctx context.Context) ([]time.Duration, error) {
	var conns []net.Conn
	defer func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	var dialer net.Dialer
	for range l.connections {
		conn, err := dialer.DialContext(ctx, "tcp", l.addr)
		if err != nil {
			return nil, err
		}
		conns = append(conns, conn)
	}
	ctx, cancel := context.WithTimeout(ctx, l.duration)
	defer cancel()
	var sent atomic.Int64
	var all sync.WaitGroup
	latencies, errs := make([][]time.Duration, l.connections), make([]error, l.connections)
	for i, conn := range conns {
		all.Go(func() { latencies[i], errs[i] = l.runOn(ctx, conn, &sent) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	sorted := slices.Concat(latencies...)
	slices.Sort(sorted)
	return sorted, nil
}

// timeout is how long speed waits for an answer.
const timeout = time.Minute

func (l load) runOn(ctx context.Context, conn net.Conn, sent *atomic.Int64) (latencies []time.Duration, err error) {
	var buf, answer []byte
	answers := bufio.NewReader(conn)
	for ctx.Err() == nil {
		n := sent.Add(1)
		if l.calls > 0 && n > l.calls {
			break
		}
		buf = l.next(buf[:0], l.id, n-1)
		start := time.Now()
		if len(latencies)%64 == 0 { // setting a deadline costs CPU time
			_ = conn.SetDeadline(start.Add(timeout))
		}
		if _, err := conn.Write(buf); err != nil {
			return nil, err
		}
		if answer, err = readAnswer(answers, answer, l.status); err != nil {
			return nil, err
		}
		latencies = append(latencies, time.Since(start))
		if l.undo == nil {
			continue
		}
		if _, err := conn.Write(l.undo(buf[:0], n-1, answer)); err != nil {
			return nil, err
		}
		if answer, err = readAnswer(answers, answer, http.StatusOK); err != nil {
			return nil, err
		}
	}
	return latencies, nil
}

// readAnswer reads an HTTP answer with a Content-Length, and returns its body in the memory of buf. It
// does less than net/http, because it shares the CPUs with the servers.
func readAnswer(r *bufio.Reader, buf []byte, want int) ([]byte, error) {
	status, length := 0, -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		line = bytes.TrimSuffix(line, []byte("\r\n"))
		if len(line) == 0 {
			break
		}
		if status == 0 {
			if len(line) < len("HTTP/1.1 200") {
				return nil, fmt.Errorf("%q is not HTTP", line)
			}
			status, _ = strconv.Atoi(string(line[9:12]))
		} else if text, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(text)); err != nil {
				return nil, err
			}
		}
	}
	if length < 0 {
		return nil, errors.New("an answer has no Content-Length")
	}
	if status != want {
		body := make([]byte, min(length, 1000))
		_, _ = io.ReadFull(r, body)
		return nil, fmt.Errorf("want status %d, not %d: %s", want, status, body)
	}
	buf = slices.Grow(buf[:0], length)[:length]
	_, err := io.ReadFull(r, buf)
	return buf, err
}

// quantile returns a quantile of sorted times; 0.5 is the median.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[int(q*float64(len(sorted)-1))]
}
