package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// fewSeats is how many seats are held during a load, unless -seats says otherwise.
const fewSeats = 1000

// Seats compares an event with many held seats with one that has few.
type Seats struct {
	Held         int     `json:"held"`
	BytesPerSeat float64 `json:"bytes_a_seat"`  // of Redis, without the streams
	StreamBytes  int64   `json:"streams_bytes"` // streams are trimmed, so they don't grow with the seats
	FillSeconds  float64 `json:"fill_seconds"`
	Few          []Cost  `json:"few"`
	Many         []Cost  `json:"many"`
}

// appendHold is the next of a load that holds the seats H0, H1, … in groups of ten.
func appendHold(buf []byte, _ string, n int64) []byte {
	body := []byte(`{"user_id":"early-bird","seat_ids":[`)
	for i := range int64(10) {
		body = fmt.Appendf(body, `"H%d",`, n*10+i)
	}
	body[len(body)-1] = ']'
	return appendReserve(buf, append(body, '}'))
}

// holdSeats empties Redis and holds seats, rounded up to ten.
func (s *servers) holdSeats(ctx context.Context, seats int) error {
	if err := s.flush(ctx); err != nil {
		return err
	}
	l := load{next: appendHold, status: http.StatusOK, addr: s.service.addr, connections: 64, duration: time.Hour, calls: int64(seats+9) / 10}
	if _, err := l.run(ctx); err != nil {
		return fmt.Errorf("hold: %w", err)
	}
	return nil
}

// prepare empties Redis, holds seats, and puts the event if w says so.
func (s *servers) prepare(ctx context.Context, w workload) error {
	if w.event == hallEvent {
		if err := errors.Join(s.flush(ctx), s.put(ctx, w.event)); err != nil || w.held == 0 {
			return err
		}
		return s.holdShare(ctx, w.held)
	}
	if err := s.holdSeats(ctx, fewSeats); err != nil || w.event == "" {
		return err
	}
	return s.put(ctx, w.event)
}

// put puts the event.
func (s *servers) put(ctx context.Context, event string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://"+s.service.addr+"/events/default", strings.NewReader(event))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("PUT /events/default: %s", resp.Status)
	}
	return nil
}

// compareSeats measures all workloads of o with few and with many held seats.
func (s *servers) compareSeats(ctx context.Context, o *options, progress io.Writer) (*Seats, error) {
	r := &Seats{Held: o.seats}
	for _, step := range []struct {
		seats int
		costs *[]Cost
	}{{fewSeats, &r.Few}, {o.seats, &r.Many}} {
		fmt.Fprintf(progress, "%s held seats\n", count(step.seats))
		if err := s.flush(ctx); err != nil {
			return nil, err
		}
		empty, err := s.usedMemory(ctx)
		if err != nil {
			return nil, err
		}
		start := time.Now()
		if err := s.holdSeats(ctx, step.seats); err != nil {
			return nil, err
		}
		r.FillSeconds = time.Since(start).Seconds()
		if err := s.finishRehash(ctx, step.seats); err != nil {
			return nil, err
		}
		full, err := s.usedMemory(ctx)
		if err != nil {
			return nil, err
		}
		if r.StreamBytes, err = s.streamMemory(ctx); err != nil {
			return nil, err
		}
		r.BytesPerSeat = float64(full-empty-r.StreamBytes) / float64(step.seats)
		for _, w := range o.workloads {
			cost, err := s.measureCost(ctx, o, w, func() error { return nil }, &Memory{})
			if err != nil {
				return nil, err
			}
			*step.costs = append(*step.costs, cost)
		}
	}
	return r, nil
}

// rehashScript makes Redis take rehash steps: of its key space, and of a sorted set.
const rehashScript = `for _ = 1, ARGV[1] do redis.call('RANDOMKEY') redis.call('ZRANDMEMBER', KEYS[1]) end`

// finishRehash makes Redis finish the rehashing of its hash tables. A growing table
// moves one bucket with each command, which makes a command cost up to three times as
// much, and is there twice until then. That is a cost of the fill, not of the seats.
func (s *servers) finishRehash(ctx context.Context, seats int) error {
	const step = 10_000
	sets := s.redis[0].Client.ScanType(ctx, 0, "*", 100_000, "zset").Iterator()
	for sets.Next(ctx) {
		for range seats/step + 1 {
			if err := s.redis[0].Client.Eval(ctx, rehashScript, []string{sets.Val()}, step).Err(); err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
		}
	}
	return sets.Err()
}

// usedMemory returns the memory that Redis uses, in bytes.
func (s *servers) usedMemory(ctx context.Context) (int64, error) {
	info, err := s.redis[0].Client.InfoMap(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(info["Memory"]["used_memory"], 10, 64)
}

// streamMemory returns the memory of all streams, in bytes.
func (s *servers) streamMemory(ctx context.Context) (sum int64, err error) {
	keys := s.redis[0].Client.ScanType(ctx, 0, "*", 100_000, "stream").Iterator()
	for keys.Next(ctx) {
		bytes, err := s.redis[0].Client.MemoryUsage(ctx, keys.Val(), 0).Result()
		if err != nil {
			return 0, err
		}
		sum += bytes
	}
	return sum, keys.Err()
}
