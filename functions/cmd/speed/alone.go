package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"time"
)

// alone measures a reserve that has the service to itself.
func (s *servers) alone(ctx context.Context, o *options) (Alone, error) {
	var all []Alone
	for range o.rounds {
		if err := s.hall(ctx, fewSeats); err != nil {
			return Alone{}, err
		}
		one := load{workload: workloads[0], want: workloads[0].want, connections: 1, duration: min(o.duration, time.Second)}
		noop, err := s.load(ctx, s.noop, one)
		if err != nil {
			return Alone{}, err
		}
		service, err := s.load(ctx, s.service, one)
		if err != nil {
			return Alone{}, err
		}
		trip, err := roundTrip(s.redis.addr)
		if err != nil {
			return Alone{}, err
		}
		all = append(all, Alone{service.p50 * 1000, noop.p50 * 1000, micros(trip)})
	}
	return Alone{
		ReserveMicros:   median(all, func(a Alone) float64 { return a.ReserveMicros }),
		NoopMicros:      median(all, func(a Alone) float64 { return a.NoopMicros }),
		RoundTripMicros: median(all, func(a Alone) float64 { return a.RoundTripMicros }),
	}, nil
}

// roundTrip returns the median of how long the Redis at addr takes for a PING.
func roundTrip(addr string) (time.Duration, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	answers := bufio.NewReader(conn)
	took := make(latencies, 5000)
	for i := range took {
		start := time.Now()
		if _, err := conn.Write([]byte("PING\r\n")); err != nil {
			return 0, err
		}
		answer, err := answers.ReadString('\n')
		if err != nil {
			return 0, err
		}
		if answer != "+PONG\r\n" {
			return 0, fmt.Errorf("redis-server answers a PING with %q", answer)
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took.at(0.5), nil
}
