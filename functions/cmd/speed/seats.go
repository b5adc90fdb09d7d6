package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// fewSeats is how many seats are held in a hall, if nothing else is said.
const fewSeats = 1000

// Seats compares a hall in which many seats are held with one in which few are.
type Seats struct {
	Held         int     `json:"held"`
	BytesASeat   float64 `json:"bytes_a_seat"`  // of Redis, but for the streams
	StreamsBytes int64   `json:"streams_bytes"` // of transitions, which do not grow with the hall
	FillSeconds  float64 `json:"fill_seconds"`
	Few          []Cost  `json:"few"`
	Many         []Cost  `json:"many"`
}

// hold is the workload that holds seats H0, H1, … in groups of ten.
var hold = workload{"hold", 200, func(buf []byte, _ string, n int64) []byte {
	body := []byte(`{"user_id":"early-bird","seat_ids":[`)
	for i := range int64(10) {
		body = fmt.Appendf(body, `"H%d",`, n*10+i)
	}
	body[len(body)-1] = ']'
	return appendReserve(buf, append(body, '}'))
}}

// hall leaves Redis with as many held seats as are asked for, rounded up to ten, and
// nothing else.
func (s *servers) hall(ctx context.Context, seats int) error {
	if err := s.flush(ctx); err != nil {
		return err
	}
	l := load{workload: hold, addr: s.service.addr, want: hold.want, connections: 64, duration: time.Hour, requests: int64(seats+9) / 10}
	_, err := l.put(ctx)
	return err
}

// flush empties Redis. SYNC: by default Valkey 8 frees the memory after its reply, and
// so in what is measured next.
func (s *servers) flush(ctx context.Context) error {
	return s.client.Do(ctx, "flushall", "sync").Err()
}

// compareHalls measures all workloads of o in a hall of few seats and in one of many.
func (s *servers) compareHalls(ctx context.Context, o *options, progress io.Writer) (*Seats, error) {
	r := &Seats{Held: o.seats}
	for _, hall := range []struct {
		seats int
		costs *[]Cost
	}{{fewSeats, &r.Few}, {o.seats, &r.Many}} {
		fmt.Fprintf(progress, "a hall with %s seats held\n", count(hall.seats))
		if err := s.flush(ctx); err != nil {
			return nil, err
		}
		empty, err := s.usedMemory(ctx)
		if err != nil {
			return nil, err
		}
		start := time.Now()
		if err := s.hall(ctx, hall.seats); err != nil {
			return nil, err
		}
		r.FillSeconds = time.Since(start).Seconds()
		full, err := s.usedMemory(ctx)
		if err != nil {
			return nil, err
		}
		if r.StreamsBytes, err = s.streams(ctx); err != nil {
			return nil, err
		}
		if err := s.settle(ctx, hall.seats); err != nil {
			return nil, err
		}
		r.BytesASeat = float64(full-empty-r.StreamsBytes) / float64(hall.seats)
		for _, w := range o.workloads {
			rounds, err := s.rounds(ctx, o, w, func() error { return nil }, &Memory{})
			if err != nil {
				return nil, err
			}
			*hall.costs = append(*hall.costs, newCost(w.name, rounds))
		}
	}
	return r, nil
}

// look has Redis look into each of its tables, and into those of a sorted set.
const look = `for _ = 1, ARGV[1] do redis.call('RANDOMKEY') redis.call('ZRANDMEMBER', KEYS[1]) end`

// settle lets Redis finish to grow its tables for as many seats. A table that grows
// is moved bucket by bucket, one with each command that looks into it, which makes that
// command up to three times as dear: it is the fill that grew it, not the hall.
func (s *servers) settle(ctx context.Context, seats int) error {
	const step = 10_000
	sets := s.client.ScanType(ctx, 0, "*", 100_000, "zset").Iterator()
	for sets.Next(ctx) {
		for range seats/step + 1 {
			if err := s.client.Eval(ctx, look, []string{sets.Val()}, step).Err(); err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
		}
	}
	return sets.Err()
}

// usedMemory is how many bytes of memory Redis has in use.
func (s *servers) usedMemory(ctx context.Context) (int64, error) {
	info, err := s.client.InfoMap(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(info["Memory"]["used_memory"], 10, 64)
}

// streams is how many of these bytes all streams take.
func (s *servers) streams(ctx context.Context) (sum int64, err error) {
	keys := s.client.ScanType(ctx, 0, "*", 100_000, "stream").Iterator()
	for keys.Next(ctx) {
		bytes, err := s.client.MemoryUsage(ctx, keys.Val(), 0).Result()
		if err != nil {
			return 0, err
		}
		sum += bytes
	}
	return sum, keys.Err()
}
