package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"time"
)

// SingleConnection is how long a reserve takes if there is only one connection.
type SingleConnection struct {
	ReserveMicros   float64 `json:"reserve_us"`
	NoopMicros      float64 `json:"noop_us"`
	RoundTripMicros float64 `json:"round_trip_us"` // of a PING to Redis
}

func (s *servers) measureSingle(ctx context.Context, o *options) (SingleConnection, error) {
	var rounds []SingleConnection
	for range o.rounds {
		if err := s.holdSeats(ctx, fewSeats); err != nil {
			return SingleConnection{}, err
		}
		l := load{next: win.next, status: win.status, connections: 1, duration: min(o.duration, time.Second)}
		noop, err := s.measureLoad(ctx, s.noop, l)
		if err != nil {
			return SingleConnection{}, err
		}
		service, err := s.measureLoad(ctx, s.service, l)
		if err != nil {
			return SingleConnection{}, err
		}
		roundTrip, err := measureRoundTrip(s.redis.Addr)
		if err != nil {
			return SingleConnection{}, err
		}
		rounds = append(rounds, SingleConnection{service.p50 * 1000, noop.p50 * 1000, micros(roundTrip)})
	}
	return SingleConnection{
		ReserveMicros:   median(rounds, func(s SingleConnection) float64 { return s.ReserveMicros }),
		NoopMicros:      median(rounds, func(s SingleConnection) float64 { return s.NoopMicros }),
		RoundTripMicros: median(rounds, func(s SingleConnection) float64 { return s.RoundTripMicros }),
	}, nil
}

// measureRoundTrip returns the median time of a PING to the Redis at addr, without the
// cost of a client library.
func measureRoundTrip(addr string) (time.Duration, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(timeout))
	replies := bufio.NewReader(conn)
	latencies := make([]time.Duration, 5000)
	for i := range latencies {
		start := time.Now()
		if _, err := conn.Write([]byte("PING\r\n")); err != nil {
			return 0, err
		}
		reply, err := replies.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if reply != "+PONG\r\n" {
			return 0, fmt.Errorf("redis-server replies %q to PING", reply)
		}
		latencies[i] = time.Since(start)
	}
	slices.Sort(latencies)
	return quantile(latencies, 0.5), nil
}
