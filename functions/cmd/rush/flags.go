package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"time"

	"booking/functions/cmd/rush/internal/load"
	"booking/functions/cmd/rush/internal/report"
	"booking/seatlock"
)

// options are the values of the flags.
type options struct {
	url, event, seatPlan, report string
	seats, connections, watchers int
	duration                     time.Duration
	rate                         float64
	faults                       []string
	json                         bool
	buyers                       load.Options
	hall                         *load.Hall
}

// usageError is an error that the caller can fix by other flags.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

func usageErrorf(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// parse reads the flags. It returns a usageError, or flag.ErrHelp after it has written
// the help.
func parse(args []string, inPod bool, help io.Writer) (*options, error) {
	o := &options{}
	b := &o.buyers
	f := flag.NewFlagSet("rush", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.url, "url", "", "`address` of the service, like http://localhost:8080 (default: rush starts one)")
	f.StringVar(&o.event, "event", "", "event to use; none of its seats may be held or sold (default: a new event)")
	f.IntVar(&o.seats, "seats", 1000, "number of seats")
	f.StringVar(&o.seatPlan, "plan", "", "seats in the syntax of SEAT_PLAN, instead of -seats")
	f.IntVar(&b.Users, "users", 5000, "number of buyers")
	f.DurationVar(&o.duration, "duration", 30*time.Second, "length of the on-sale")
	f.Uint64Var(&b.Seed, "seed", 0, "random seed; the same seed creates the same buyers (default: random)")
	f.DurationVar(&b.Hold, "hold", 0, "HOLD_TTL of the service that rush starts (default: a sixth of -duration)")
	f.Float64Var(&b.Peak, "peak", 5, "rate of arrivals at the start, as a multiple of the rate at the end")
	f.Float64Var(&b.Zipf, "zipf", 1.2, "Zipf exponent of the popularity of seats")
	f.DurationVar(&b.Think, "think", 1500*time.Millisecond, "mean time between hold and payment")
	f.Float64Var(&b.Groups, "groups", 0.35, "share of buyers who want several seats")
	f.IntVar(&b.MaxGroup, "max-group", 6, "largest number of seats that a buyer wants")
	f.Float64Var(&b.Abandon, "abandon", 0.15, "share of buyers who hold seats and don't pay")
	f.Float64Var(&b.Dawdle, "dawdle", 0.05, "share of buyers who pay after the hold has ended, and then try again")
	f.Float64Var(&b.Twice, "twice", 0.1, "share of buyers who send every call twice")
	f.Float64Var(&b.Hoard, "hoard", 0.01, "share of buyers who hold many seats as long as they can")
	f.Float64Var(&b.Cheat, "cheat", 0.02, "share of buyers who pay for a seat that another user holds")
	f.IntVar(&o.connections, "connections", 128, "limit of concurrent calls")
	f.Float64Var(&o.rate, "rate", 0, "limit of calls per second; 0 is no limit")
	f.IntVar(&o.watchers, "watchers", 0, "streams of the changes to open; each must receive every change")
	chaos := f.String("chaos", "", "faults to inject, comma-separated: kill, stall, flush; rush starts a redis-server for it")
	f.BoolVar(&o.json, "json", false, "write the result as JSON")
	f.StringVar(&o.report, "report", "", "write an HTML report with charts into this `directory`")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(help, "rush simulates an on-sale, and checks that the service keeps its promises.")
		f.SetOutput(help)
		f.PrintDefaults()
		fmt.Fprintln(help, "The answers in the result:")
		for _, a := range report.Answers {
			fmt.Fprintf(help, "  %s: %s\n", a.Name, a.Meaning)
		}
		return nil, err
	} else if err != nil {
		return nil, usageErrorf("%v; rush -help lists the flags", err)
	}
	if f.NArg() > 0 {
		return nil, usageErrorf("%q is not a flag; rush -help lists the flags", f.Arg(0))
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if inPod && o.url == "" {
		return nil, usageErrorf("-url is missing: in a pod, rush does not start a service; set -url to the service's address")
	}
	if given["seats"] && given["plan"] {
		return nil, usageErrorf("-seats and -plan exclude each other; leave one out")
	}
	for _, name := range []string{"hold", "chaos"} {
		if o.url != "" && given[name] {
			return nil, usageErrorf("-%s applies only to a service that rush starts; leave out -%s or -url", name, name)
		}
	}
	if err := o.checkRanges(); err != nil {
		return nil, err
	}
	if err := o.parseFaults(*chaos); err != nil {
		return nil, err
	}
	if !given["seed"] {
		b.Seed = uint64(rand.Uint32())
	}
	if !given["event"] {
		o.event = fmt.Sprintf("rush-%d", time.Now().UnixMilli())
	}
	if !given["hold"] {
		b.Hold = min(max(o.duration/6, time.Second), 5*time.Minute).Truncate(100 * time.Millisecond)
	}
	b.Arrivals = o.duration * 9 / 10
	return o, o.complete()
}

// checkRanges refuses numbers that are out of range.
func (o *options) checkRanges() error {
	b := &o.buyers
	for _, number := range []struct {
		name           string
		got, low, high float64
	}{
		{"seats", float64(o.seats), 1, 100_000}, {"users", float64(b.Users), 1, 200_000}, {"peak", b.Peak, 1, 1000},
		{"zipf", b.Zipf, 1.01, 10}, {"max-group", float64(b.MaxGroup), 2, 10}, {"connections", float64(o.connections), 1, 10_000},
		{"watchers", float64(o.watchers), 0, 100_000}, {"rate", o.rate, 0, 1_000_000}, {"groups", b.Groups, 0, 1}, {"abandon", b.Abandon, 0, 1}, {"dawdle", b.Dawdle, 0, 1},
		{"twice", b.Twice, 0, 1}, {"hoard", b.Hoard, 0, 1}, {"cheat", b.Cheat, 0, 1},
	} {
		if !(number.low <= number.got && number.got <= number.high) { // also if got is NaN
			return usageErrorf("-%s is %v: want a number from %v to %v", number.name, number.got, number.low, number.high)
		}
	}
	if sum := b.Abandon + b.Dawdle + b.Hoard + b.Cheat; sum > 1 {
		return usageErrorf("-abandon, -dawdle, -hoard and -cheat add up to %.3g: want at most 1, because a buyer is only one of these", sum)
	}
	for _, span := range []struct {
		name           string
		got, low, high time.Duration
	}{{"duration", o.duration, time.Second, time.Hour}, {"think", b.Think, 0, 10 * time.Minute}, {"hold", max(b.Hold, 0), 0, 15 * time.Minute}} {
		if span.got < span.low || span.got > span.high {
			return usageErrorf("-%s is %v: want a duration from %v to %v", span.name, span.got, span.low, span.high)
		}
	}
	if b.Hold != 0 && b.Hold < time.Second {
		return usageErrorf("-hold is %v: want a duration from 1s to 15m", b.Hold)
	}
	return nil
}

func (o *options) parseFaults(chaos string) error {
	if chaos == "" {
		return nil
	}
	for name := range strings.SplitSeq(chaos, ",") {
		if !slices.Contains(faultNames, name) {
			return usageErrorf("-chaos has %q: want kill, stall or flush, comma-separated", name)
		}
		o.faults = append(o.faults, name)
	}
	return nil
}

// complete checks the remaining flags and makes the hall.
func (o *options) complete() error {
	if o.url != "" {
		u, err := url.Parse(o.url)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return usageErrorf("-url is %q: want an address like http://localhost:8080", o.url)
		}
		o.url = strings.TrimSuffix(o.url, "/")
	}
	if !seatlock.ValidID(o.event) {
		return usageErrorf("-event is %q: want 1 to 64 characters of A-Z a-z 0-9 . _ : -", o.event)
	}
	if o.seatPlan == "" {
		o.seatPlan = load.SeatPlan(o.seats)
	}
	hall, err := load.NewHall(o.seatPlan)
	if err != nil {
		return usageErrorf("-plan has a fault %v", err)
	}
	o.hall, o.seats = hall, len(hall.Seats)
	if o.buyers.Groups > 0 && o.seats < o.buyers.MaxGroup {
		return usageErrorf("-max-group is %d, but there are %d seats: lower -max-group or add seats", o.buyers.MaxGroup, o.seats)
	}
	return nil
}
