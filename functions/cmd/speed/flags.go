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

// options are what the flags say.
type options struct {
	rounds, connections, seats int
	duration                   time.Duration
	workloads                  []workload
	json                       bool
	svg                        string
}

// errUsage is the error of what the caller has to put right.
type errUsage struct{ sentence string }

func (e errUsage) Error() string { return e.sentence }

func wrong(format string, args ...any) error { return errUsage{fmt.Sprintf(format, args...)} }

// parse reads the flags. Its errors are an errUsage, or flag.ErrHelp once it has
// written the help.
func parse(args []string, help io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("speed", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.IntVar(&o.rounds, "rounds", 5, "how often each server is loaded with each workload; the medians count")
	f.DurationVar(&o.duration, "duration", 3*time.Second, "how long a round loads a server")
	f.IntVar(&o.connections, "connections", 128, "how many requests are under way, each on a connection of its own")
	names := f.String("workloads", "win,lose,status", "what is asked for, joined by commas")
	f.IntVar(&o.seats, "seats", 0, "compare a hall of so many seats that are held with one of a thousand (10 million take 3.2 GB and some minutes)")
	f.BoolVar(&o.json, "json", false, "write the result as JSON")
	f.StringVar(&o.svg, "svg", "", "draw the cost of a request into this `file`")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(help, "speed measures what a request costs, beside a server that does nothing.")
		f.SetOutput(help)
		f.PrintDefaults()
		return nil, err
	} else if err != nil {
		return nil, wrong("%v; speed -help lists the flags", err)
	}
	if f.NArg() > 0 {
		return nil, wrong("%q is no flag; speed -help lists them", f.Arg(0))
	}
	for _, number := range []struct {
		name           string
		got, low, high int
	}{{"rounds", o.rounds, 1, 1000}, {"connections", o.connections, 1, 10_000}} {
		if number.got < number.low || number.got > number.high {
			return nil, wrong("-%s is %d: want a number from %d to %d", number.name, number.got, number.low, number.high)
		}
	}
	if o.seats != 0 && (o.seats < fewSeats || o.seats > 100_000_000) {
		return nil, wrong("-seats is %d: want a number from %d to 100000000, or 0", o.seats, fewSeats)
	}
	if o.duration < 100*time.Millisecond || o.duration > time.Hour {
		return nil, wrong("-duration is %v: want a time from 100ms to 1h", o.duration)
	}
	if dir := filepath.Dir(o.svg); o.svg != "" {
		if _, err := os.Stat(dir); err != nil {
			return nil, wrong("-svg is %s: %v; name a file in a directory that exists", o.svg, err)
		}
	}
	for name := range strings.SplitSeq(*names, ",") {
		i := slices.IndexFunc(workloads, func(w workload) bool { return w.name == name })
		if i < 0 {
			return nil, wrong("-workloads has %q: want win, lose or status, joined by commas", name)
		}
		o.workloads = append(o.workloads, workloads[i])
	}
	return o, nil
}
