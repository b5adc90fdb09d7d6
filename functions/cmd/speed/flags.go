package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// options are the values of the flags.
type options struct {
	rounds, connections, seats, nodes int
	duration                          time.Duration
	workloads                         []workload
	json                              bool
	svg, baseline, store              string
}

// usageError is an error that the caller can fix: by other flags, or by installing a
// program.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

func usageErrorf(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// parse reads the flags. It returns a usageError, or flag.ErrHelp after it has written
// the help.
func parse(args []string, help io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("speed", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.IntVar(&o.rounds, "rounds", 5, "rounds per workload; the result is their median")
	f.DurationVar(&o.duration, "duration", 3*time.Second, "how long each round loads each server")
	f.IntVar(&o.connections, "connections", 128, "number of connections, each with one call at a time")
	names := f.String("workloads", "win,lose,status", "workloads, comma-separated; also events-win, at 10,000 events; put-win and put-lose, at an event that was put; pair-win and pair-key, of two seats; undo-key, best-10, best-90, best-99 and area, which release what they hold")
	f.IntVar(&o.seats, "seats", 0, "also compare an event with this many held seats with one that has 1,000 (10 million need 3 GB and some minutes)")
	f.IntVar(&o.nodes, "nodes", 0, "measure on a Redis Cluster of this many nodes, without latencies of few connections and without -seats; 0: on one Redis")
	f.BoolVar(&o.json, "json", false, "write the result as JSON")
	f.StringVar(&o.svg, "svg", "", "draw the CPU time per call into this `file`")
	f.StringVar(&o.baseline, "baseline", "", "compare the ratios with those in this `file`, and fail if one is more than 15 % above")
	f.StringVar(&o.store, "store", "", "store the ratios in this `file`, as a baseline for this CPU")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(help, "speed measures the CPU time of a call, and compares it with a server that does nothing.")
		f.SetOutput(help)
		f.PrintDefaults()
		return nil, err
	} else if err != nil {
		return nil, usageErrorf("%v; speed -help lists the flags", err)
	}
	if f.NArg() > 0 {
		return nil, usageErrorf("%q is not a flag; speed -help lists the flags", f.Arg(0))
	}
	for _, number := range []struct {
		name           string
		got, low, high int
	}{{"rounds", o.rounds, 1, 1000}, {"connections", o.connections, 1, 10_000}} {
		if number.got < number.low || number.got > number.high {
			return nil, usageErrorf("-%s is %d: want a number from %d to %d", number.name, number.got, number.low, number.high)
		}
	}
	if o.seats != 0 && (o.seats < fewSeats || o.seats > 100_000_000) {
		return nil, usageErrorf("-seats is %d: want a number from %d to 100000000, or 0", o.seats, fewSeats)
	}
	if o.nodes < 0 || o.nodes > 100 || o.nodes > 0 && o.seats > 0 {
		return nil, usageErrorf("-nodes is %d: want a number from 1 to 100, without -seats; or 0", o.nodes)
	}
	if o.duration < 100*time.Millisecond || o.duration > time.Hour {
		return nil, usageErrorf("-duration is %v: want a duration from 100ms to 1h", o.duration)
	}
	if dir := filepath.Dir(o.svg); o.svg != "" {
		if _, err := os.Stat(dir); err != nil {
			return nil, usageErrorf("-svg is %s: %v; set it to a file in an existing directory", o.svg, err)
		}
	}
	for name := range strings.SplitSeq(*names, ",") {
		i := slices.IndexFunc(workloads, func(w workload) bool { return w.name == name })
		if i < 0 {
			return nil, usageErrorf("-workloads has %q: want some of win, lose, status, events-win, put-win, put-lose, pair-win, pair-key, undo-key, best-10, best-90, best-99 and area, comma-separated", name)
		}
		o.workloads = append(o.workloads, workloads[i])
	}
	return o, nil
}
