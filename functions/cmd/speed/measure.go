package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// Result is what was measured. Each figure is the median of the rounds. µs and ms are
// micro- and milliseconds.
type Result struct {
	Machine     Machine `json:"machine"`
	Rounds      int     `json:"rounds"`
	Seconds     float64 `json:"seconds"` // that a round loads each server
	Connections int     `json:"connections"`
	Costs       []Cost  `json:"costs"`
	Nodes       int     `json:"nodes,omitempty"`           // of a Redis Cluster
	Few         *Few    `json:"few_connections,omitempty"` // not on a cluster
	Memory      Memory  `json:"memory"`
	Seats       *Seats  `json:"seats,omitempty"` // only with -seats
}

// Machine is what the measurement ran on.
type Machine struct {
	CPU   string  `json:"cpu"`
	Cores int     `json:"cores"`
	Go    string  `json:"go"`
	Redis string  `json:"redis"` // or Valkey, with the version
	Load  float64 `json:"load"`  // load average of the minute before
}

// Cost is what a call of a workload costs.
type Cost struct {
	Workload       string  `json:"workload"`
	ServiceMicros  float64 `json:"service_us"` // CPU time
	RedisMicros    float64 `json:"redis_us"`   // CPU time
	NoopMicros     float64 `json:"noop_us"`    // CPU time
	Ratio          float64 `json:"ratio"`      // of service and Redis together to the no-op
	CallsPerSecond float64 `json:"requests_per_second"`
	P50Millis      float64 `json:"p50_ms"`
	P99Millis      float64 `json:"p99_ms"`
	P99Ratio       float64 `json:"p99_ratio"` // to the no-op's p99
}

// Memory is the resident memory of the service in bytes.
type Memory struct {
	Idle  int `json:"idle"`
	First int `json:"first"` // after the first round
	Last  int `json:"last"`  // after the last round
}

// measure starts the servers and makes all measurements that o asks for.
func measure(ctx context.Context, o *options, progress io.Writer) (*Result, error) {
	r := &Result{Rounds: o.rounds, Seconds: o.duration.Seconds(), Connections: o.connections}
	var err error
	if r.Machine, err = readMachine(); err != nil {
		return nil, usageErrorf("can't read /proc: %v; run speed on Linux", err)
	}
	s, err := startServers(ctx, o.nodes)
	if err != nil {
		return nil, err
	}
	defer s.close()
	r.Machine.Redis = s.redis[0].Name + " " + s.redis[0].Version
	r.Nodes = o.nodes
	if r.Memory.Idle, err = s.service.memory(); err != nil {
		return nil, err
	}
	for _, w := range o.workloads {
		fmt.Fprintf(progress, "%s: %d rounds of 2 × %v\n", w.name, o.rounds, o.duration)
		cost, err := s.measureCost(ctx, o, w, func() error { return s.prepare(ctx, w) }, &r.Memory)
		if err != nil {
			return nil, err
		}
		r.Costs = append(r.Costs, cost)
	}
	if o.nodes > 0 {
		return r, nil
	}
	fmt.Fprintln(progress, "few connections")
	if r.Few, err = s.measureFew(ctx, o); err != nil {
		return nil, err
	}
	if o.seats > 0 {
		r.Seats, err = s.compareSeats(ctx, o, progress)
	}
	return r, err
}

func readMachine() (Machine, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return Machine{}, err
	}
	load, err := fs.LoadAvg()
	if err != nil {
		return Machine{}, err
	}
	return Machine{CPU: cpuModel(), Cores: runtime.NumCPU(), Go: strings.TrimPrefix(runtime.Version(), "go"), Load: load.Load1}, nil
}

// cpuModel returns the CPU's name; empty if the kernel does not know it. procfs would
// need a file per operating system for this.
func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	_, after, _ := strings.Cut(string(text), "model name")
	line, _, _ := strings.Cut(after, "\n")
	return strings.Trim(line, "\t :")
}

// sample is the result of one load on one server, in µs and ms.
type sample struct{ cpu, redis, perSecond, p50, p99 float64 }

// round is one load on each server.
type round struct{ service, noop sample }

// measureCost loads the servers in turn with w. It calls prepare before each load, and
// notes the service's memory after each round.
func (s *servers) measureCost(ctx context.Context, o *options, w workload, prepare func() error, m *Memory) (Cost, error) {
	var rounds []round
	for range o.rounds {
		var r round
		for _, server := range []struct {
			*process
			status int
			sample *sample
		}{{s.noop, 200, &r.noop}, {s.service, w.status, &r.service}} {
			if err := prepare(); err != nil {
				return Cost{}, err
			}
			var err error
			l := load{next: w.next, undo: w.undo, status: server.status, connections: o.connections, duration: o.duration}
			if w.connections > 0 {
				l.connections = min(l.connections, w.connections)
			}
			if *server.sample, err = s.measureLoad(ctx, server.process, l); err != nil {
				return Cost{}, fmt.Errorf("%s: %w", w.name, err)
			}
		}
		rounds = append(rounds, r)
		var err error
		if m.Last, err = s.service.memory(); err != nil {
			return Cost{}, err
		}
		if m.First == 0 {
			m.First = m.Last
		}
	}
	return newCost(w.name, rounds), nil
}

// measureLoad runs l on p, with seats that no other load uses.
func (s *servers) measureLoad(ctx context.Context, p *process, l load) (sample, error) {
	l.addr, l.id = p.addr, strconv.FormatInt(time.Now().UnixMicro(), 36)
	cpuBefore, redisBefore, err := s.cpuTimes(p)
	if err != nil {
		return sample{}, err
	}
	start := time.Now()
	latencies, err := l.run(ctx)
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", p.name, err)
	}
	seconds := time.Since(start).Seconds()
	cpuAfter, redisAfter, err := s.cpuTimes(p)
	if err != nil {
		return sample{}, err
	}
	if cpuAfter == cpuBefore {
		return sample{}, errors.New("no CPU time was measured, because the kernel counts in steps of 10 ms; set a longer -duration")
	}
	n := float64(len(latencies))
	return sample{cpu: micros(cpuAfter-cpuBefore) / n, redis: micros(redisAfter-redisBefore) / n, perSecond: n / seconds,
		p50: micros(quantile(latencies, 0.5)) / 1000, p99: micros(quantile(latencies, 0.99)) / 1000}, nil
}

func (s *servers) cpuTimes(p *process) (server, redis time.Duration, err error) {
	server, err1 := cpuTime(p.proc)
	redis, err2 := s.redisCPUTime()
	return server, redis, errors.Join(err1, err2)
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func newCost(name string, rounds []round) Cost {
	return Cost{
		Workload:       name,
		ServiceMicros:  median(rounds, func(r round) float64 { return r.service.cpu }),
		RedisMicros:    median(rounds, func(r round) float64 { return r.service.redis }),
		NoopMicros:     median(rounds, func(r round) float64 { return r.noop.cpu }),
		Ratio:          median(rounds, func(r round) float64 { return (r.service.cpu + r.service.redis) / r.noop.cpu }),
		CallsPerSecond: median(rounds, func(r round) float64 { return r.service.perSecond }),
		P50Millis:      median(rounds, func(r round) float64 { return r.service.p50 }),
		P99Millis:      median(rounds, func(r round) float64 { return r.service.p99 }),
		P99Ratio:       median(rounds, func(r round) float64 { return r.service.p99 / r.noop.p99 }),
	}
}

// median returns the median of value over all.
func median[T any](all []T, value func(T) float64) float64 {
	values := make([]float64, len(all))
	for i, one := range all {
		values[i] = value(one)
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}
