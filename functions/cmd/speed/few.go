package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"time"
)

// Few is how long a reserve takes if there are few connections.
type Few struct {
	RoundTripMicros float64   `json:"round_trip_us"` // of a PING to Redis
	Rows            []FewCost `json:"reserves"`
}

// FewCost has the latencies of a number of connections, µs: of a reserve, of the plain handler, and of
// the no-op.
type FewCost struct {
	Connections int     `json:"connections"`
	Reserve     Latency `json:"reserve"`
	Plain       Latency `json:"plain"`
	Noop        Latency `json:"noop"`
	Ratio       float64 `json:"ratio"` // of the p50 of a reserve to that of the plain handler
}

// Latency is in µs.
type Latency struct {
	P50 float64 `json:"p50_us"`
	P99 float64 `json:"p99_us"`
}

func (s *servers) measureFew(ctx context.Context, o *options) (*Few, error) {
	f := &Few{}
	var roundTrips []time.Duration
	for _, connections := range []int{1, 2, 4, 16} {
		var rounds [][3]sample
		for range o.rounds {
			if err := s.holdSeats(ctx, fewSeats); err != nil {
				return nil, err
			}
			var round [3]sample
			var err error
			for i, p := range []*process{s.service, s.plain, s.noop} {
				l := load{next: win.next, status: win.status, connections: connections, duration: min(o.duration, time.Second)}
				if round[i], err = s.measureLoad(ctx, p, l); err != nil {
					return nil, err
				}
			}
			rounds = append(rounds, round)
			roundTrip, err := measureRoundTrip(s.redis[0].Addr)
			if err != nil {
				return nil, err
			}
			roundTrips = append(roundTrips, roundTrip)
		}
		latency := func(i int) Latency {
			return Latency{1000 * median(rounds, func(r [3]sample) float64 { return r[i].p50 }), 1000 * median(rounds, func(r [3]sample) float64 { return r[i].p99 })}
		}
		f.Rows = append(f.Rows, FewCost{connections, latency(0), latency(1), latency(2), median(rounds, func(r [3]sample) float64 { return r[0].p50 / r[1].p50 })})
	}
	f.RoundTripMicros = median(roundTrips, micros)
	return f, nil
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
