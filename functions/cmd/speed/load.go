package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// workload is what a round asks a server for.
type workload struct {
	name string
	want int // the status that the service answers
	// next appends the n-th request of a run to buf.
	next func(buf []byte, run string, n int64) []byte
}

var workloads = []workload{
	{"win", 200, func(buf []byte, run string, n int64) []byte { // each takes a seat that nobody had
		return appendReserve(buf, fmt.Appendf(nil, `{"seat_id":"S%s-%d","user_id":"user_%d"}`, run, n, n))
	}},
	{"lose", 409, func(buf []byte, _ string, n int64) []byte { // each asks for a seat that somebody holds
		return appendReserve(buf, fmt.Appendf(nil, `{"seat_id":"H%d","user_id":"user_%d"}`, n%fewSeats, n))
	}},
	{"status", 200, func(buf []byte, _ string, n int64) []byte {
		return fmt.Appendf(buf, "GET /seats/H%d HTTP/1.1\r\nHost: speed\r\n\r\n", n%fewSeats)
	}},
}

func appendReserve(buf, body []byte) []byte {
	buf = fmt.Appendf(buf, "POST /reserve HTTP/1.1\r\nHost: speed\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", len(body))
	return append(buf, body...)
}

// latencies of a load, ascending.
type latencies []time.Duration

func (l latencies) at(share float64) time.Duration { return l[int(share*float64(len(l)-1))] }

// load is a closed loop: each connection asks again as soon as it is answered.
type load struct {
	workload
	addr        string // of the server
	want        int    // the status that each answer must have
	run         string // what makes the seats of this load its own
	connections int
	duration    time.Duration
	requests    int64 // at most; any number where 0
}

// put loads the server. It returns how long each answer took.
func (l load) put(ctx context.Context) (latencies, error) {
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
	var asked atomic.Int64
	var all sync.WaitGroup
	took, errs := make([]latencies, l.connections), make([]error, l.connections)
	for i, conn := range conns {
		all.Go(func() { took[i], errs[i] = l.askOn(ctx, conn, &asked) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
	}
	sorted := slices.Concat(took...)
	slices.Sort(sorted)
	return sorted, nil
}

// patience is how long an answer may take.
const patience = time.Minute

func (l load) askOn(ctx context.Context, conn net.Conn, asked *atomic.Int64) (took latencies, err error) {
	var buf []byte
	answers := bufio.NewReader(conn)
	for ctx.Err() == nil {
		n := asked.Add(1)
		if l.requests > 0 && n > l.requests {
			return took, nil
		}
		buf = l.next(buf[:0], l.run, n-1)
		start := time.Now()
		if len(took)%64 == 0 { // now and then is enough
			_ = conn.SetDeadline(start.Add(patience))
		}
		if _, err := conn.Write(buf); err != nil {
			return nil, err
		}
		if err := readAnswer(answers, l.want); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}

// readAnswer reads an answer of HTTP that says its length, and throws it away. It is
// as little work as that can be, for the machine is needed by the servers.
func readAnswer(r *bufio.Reader, want int) error {
	status, length := 0, -1
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimSuffix(line, []byte("\r\n"))
		if len(line) == 0 {
			break
		}
		if status == 0 {
			if len(line) < len("HTTP/1.1 200") {
				return fmt.Errorf("%q is no answer of HTTP", line)
			}
			status, _ = strconv.Atoi(string(line[9:12]))
		} else if text, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(text)); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return errors.New("an answer does not say how long it is")
	}
	if status != want {
		body := make([]byte, min(length, 1000))
		_, _ = io.ReadFull(r, body)
		return fmt.Errorf("want status %d, not %d: %s", want, status, body)
	}
	_, err := r.Discard(length)
	return err
}
