package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"
)

// write writes the result as Markdown.
func (r *Result) write(w io.Writer) error {
	m := r.Machine
	fmt.Fprintf(w, "%d cores of %s, Go %s, %s; medians of %d rounds of %v, %d connections, one CPU for each server; load average %.1f before.\n\n",
		m.Cores, m.CPU, m.Go, m.Redis, r.Rounds, time.Duration(r.Seconds*float64(time.Second)), r.Connections, m.Load)
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintln(t, "| workload\t| service\t| Redis\t| no-op\t| × no-op\t| calls/s\t| p50\t| p99\t| × no-op's p99\t|")
	fmt.Fprintln(t, "| ---\t| ---:\t| ---:\t| ---:\t| ---:\t| ---:\t| ---:\t| ---:\t| ---:\t|")
	for _, c := range r.Costs {
		fmt.Fprintf(t, "| %s\t| %.1f µs\t| %.1f µs\t| %.1f µs\t| **%.2f**\t| %s\t| %.1f ms\t| %.1f ms\t| %.2f\t|\n", c.Workload,
			c.ServiceMicros, c.RedisMicros, c.NoopMicros, c.Ratio, count(int(c.CallsPerSecond)), c.P50Millis, c.P99Millis, c.P99Ratio)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if r.Few == nil {
		_, err := fmt.Fprintf(w, "\nRedis is a cluster of %d nodes.\n", r.Nodes)
		return err
	}
	if err := r.Few.write(w); err != nil {
		return err
	}
	fmt.Fprintf(w, "Memory of the service: %.1f MiB idle, %.1f MiB after the first round, %.1f MiB after the last.\n",
		mebibytes(r.Memory.Idle), mebibytes(r.Memory.First), mebibytes(r.Memory.Last))
	if r.Seats != nil {
		return r.Seats.write(w)
	}
	return nil
}

func (f *Few) write(w io.Writer) error {
	fmt.Fprintf(w, "\nLatencies with few connections; a PING of Redis takes %.0f µs:\n\n", f.RoundTripMicros)
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintln(t, "| connections\t| reserve, p50\t| p99\t| plain handler, p50\t| p99\t| no-op, p50\t| p99\t| × plain's p50\t|")
	fmt.Fprintln(t, "| ---:\t| ---:\t| ---:\t| ---:\t| ---:\t| ---:\t| ---:\t| ---:\t|")
	for _, row := range f.Rows {
		fmt.Fprintf(t, "| %d\t| %.0f µs\t| %.0f µs\t| %.0f µs\t| %.0f µs\t| %.0f µs\t| %.0f µs\t| **%.2f**\t|\n", row.Connections,
			row.Reserve.P50, row.Reserve.P99, row.Plain.P50, row.Plain.P99, row.Noop.P50, row.Noop.P99, row.Ratio)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

func (s *Seats) write(w io.Writer) error {
	fmt.Fprintf(w, "\n%s seats held: %.0f bytes of Redis per seat, and %.0f MiB for streams. Holding them took %.0f s.\n\n",
		count(s.Held), s.BytesPerSeat, mebibytes(int(s.StreamBytes)), s.FillSeconds)
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintf(t, "| workload\t| × no-op with %s held\t| with %s held\t| ratio\t| Redis, %s\t| Redis, %s\t|\n",
		count(fewSeats), count(s.Held), count(fewSeats), count(s.Held))
	fmt.Fprintln(t, "| ---\t| ---:\t| ---:\t| ---:\t| ---:\t| ---:\t|")
	for i, few := range s.Few {
		many := s.Many[i]
		fmt.Fprintf(t, "| %s\t| %.2f\t| %.2f\t| **%.2f**\t| %.1f µs\t| %.1f µs\t|\n",
			few.Workload, few.Ratio, many.Ratio, many.Ratio/few.Ratio, few.RedisMicros, many.RedisMicros)
	}
	return t.Flush()
}

func mebibytes(n int) float64 { return float64(n) / (1 << 20) }

// count formats n with commas between thousands.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
