package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// Result is what was measured. Each figure is the median of the rounds'; µs and ms
// are micro- and milliseconds.
type Result struct {
	Machine     Machine `json:"machine"`
	Rounds      int     `json:"rounds"`
	Seconds     float64 `json:"seconds"` // that a round loads a server
	Connections int     `json:"connections"`
	Costs       []Cost  `json:"costs"`
	Alone       Alone   `json:"alone"`
	Memory      Memory  `json:"memory"`
	Seats       *Seats  `json:"seats,omitempty"` // only where -seats is given
}

// Machine is where it was measured.
type Machine struct {
	CPU   string  `json:"cpu"`
	Cores int     `json:"cores"`
	Go    string  `json:"go"`
	Redis string  `json:"redis"`
	Load  float64 `json:"load"` // how many processes wanted a CPU in the minute before
}

// Cost is what a request of a workload takes.
type Cost struct {
	Workload          string  `json:"workload"`
	ServiceMicros     float64 `json:"service_us"` // CPU time
	RedisMicros       float64 `json:"redis_us"`   // likewise
	NoopMicros        float64 `json:"noop_us"`    // likewise, of the server that does nothing
	Ratio             float64 `json:"ratio"`      // of the service and Redis together to the no-op
	RequestsPerSecond float64 `json:"requests_per_second"`
	P50Millis         float64 `json:"p50_ms"`
	P99Millis         float64 `json:"p99_ms"`
	P99Ratio          float64 `json:"p99_ratio"` // to the no-op's
}

// Alone is how long a reserve takes where there is one connection.
type Alone struct {
	ReserveMicros   float64 `json:"reserve_us"`
	NoopMicros      float64 `json:"noop_us"`
	RoundTripMicros float64 `json:"round_trip_us"` // a PING of Redis
}

// Memory is how many bytes the service has.
type Memory struct {
	Idle  int `json:"idle"`
	First int `json:"first"` // after the first round
	Last  int `json:"last"`  // after the last one
}

// measure starts the servers, and returns what o asks for.
func measure(ctx context.Context, o *options, progress io.Writer) (*Result, error) {
	r := &Result{Rounds: o.rounds, Seconds: o.duration.Seconds(), Connections: o.connections}
	if err := r.Machine.look(); err != nil {
		return nil, wrong("the kernel's accounting can't be read: %v; run speed on Linux", err)
	}
	s, err := startServers(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	r.Machine.Redis = s.redisVersion
	if r.Memory.Idle, err = s.service.memory(); err != nil {
		return nil, err
	}
	for _, w := range o.workloads {
		fmt.Fprintf(progress, "%s: %d rounds of 2 × %v\n", w.name, o.rounds, o.duration)
		rounds, err := s.rounds(ctx, o, w, func() error { return s.hall(ctx, fewSeats) }, &r.Memory)
		if err != nil {
			return nil, err
		}
		r.Costs = append(r.Costs, newCost(w.name, rounds))
	}
	fmt.Fprintln(progress, "one connection")
	if r.Alone, err = s.alone(ctx, o); err != nil {
		return nil, err
	}
	if o.seats > 0 {
		r.Seats, err = s.compareHalls(ctx, o, progress)
	}
	return r, err
}

func (m *Machine) look() error {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return err
	}
	load, err := fs.LoadAvg()
	if err != nil {
		return err
	}
	m.Load, m.Cores, m.Go = load.Load1, runtime.NumCPU(), strings.TrimPrefix(runtime.Version(), "go")
	m.CPU = cpuModel(fs)
	return nil
}

// sample is what one load of one server took; µs and ms.
type sample struct{ cpu, redis, requests, p50, p99 float64 }

// round is a load of each server with the same.
type round struct{ service, noop sample }

// rounds loads the servers in turn with w, and notes how the memory grows. ready
// makes the hall ready for each load.
func (s *servers) rounds(ctx context.Context, o *options, w workload, ready func() error, m *Memory) ([]round, error) {
	var rounds []round
	for range o.rounds {
		var r round
		for _, server := range []struct {
			*process
			want int
			got  *sample
		}{{s.noop, 200, &r.noop}, {s.service, w.want, &r.service}} {
			if err := ready(); err != nil {
				return nil, err
			}
			var err error
			if *server.got, err = s.load(ctx, server.process, load{workload: w, want: server.want, connections: o.connections, duration: o.duration}); err != nil {
				return nil, err
			}
		}
		rounds = append(rounds, r)
		var err error
		if m.Last, err = s.service.memory(); err != nil {
			return nil, err
		}
		if m.First == 0 {
			m.First = m.Last
		}
	}
	return rounds, nil
}

// load puts l on p, with seats that no other load asked for.
func (s *servers) load(ctx context.Context, p *process, l load) (sample, error) {
	l.addr, l.run = p.addr, strconv.FormatInt(time.Now().UnixMicro(), 36)
	before, err := cpus(p, s.redis)
	if err != nil {
		return sample{}, err
	}
	start := time.Now()
	took, err := l.put(ctx)
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", p.name, err)
	}
	seconds := time.Since(start).Seconds()
	after, err := cpus(p, s.redis)
	if err != nil {
		return sample{}, err
	}
	n := float64(len(took))
	if after[0] == before[0] {
		return sample{}, errors.New("no CPU time was measured: the kernel notes it in steps of 10 ms; give a longer -duration")
	}
	return sample{cpu: micros(after[0]-before[0]) / n, redis: micros(after[1]-before[1]) / n, requests: n / seconds,
		p50: micros(took.at(0.5)) / 1000, p99: micros(took.at(0.99)) / 1000}, nil
}

func cpus(p, redis *process) (used [2]time.Duration, err error) {
	var errs [2]error
	used[0], errs[0] = p.cpu()
	used[1], errs[1] = redis.cpu()
	return used, errors.Join(errs[:]...)
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func newCost(name string, rounds []round) Cost {
	return Cost{
		Workload:          name,
		ServiceMicros:     median(rounds, func(r round) float64 { return r.service.cpu }),
		RedisMicros:       median(rounds, func(r round) float64 { return r.service.redis }),
		NoopMicros:        median(rounds, func(r round) float64 { return r.noop.cpu }),
		Ratio:             median(rounds, func(r round) float64 { return (r.service.cpu + r.service.redis) / r.noop.cpu }),
		RequestsPerSecond: median(rounds, func(r round) float64 { return r.service.requests }),
		P50Millis:         median(rounds, func(r round) float64 { return r.service.p50 }),
		P99Millis:         median(rounds, func(r round) float64 { return r.service.p99 }),
		P99Ratio:          median(rounds, func(r round) float64 { return r.service.p99 / r.noop.p99 }),
	}
}

// median returns the median of what of gives.
func median[T any](all []T, of func(T) float64) float64 {
	values := make([]float64, len(all))
	for i, one := range all {
		values[i] = of(one)
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}
