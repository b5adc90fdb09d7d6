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

	"booking/functions/cmd/rush/internal/plan"
	"booking/functions/cmd/rush/internal/report"
	"booking/functions/cmd/rush/internal/target"
	"booking/seatlock"
)

// options are what the flags say.
type options struct {
	url, event, seatPlan, report string
	seats, connections           int
	duration                     time.Duration
	rate                         float64
	faults                       []target.Fault
	json                         bool
	people                       plan.Options
	hall                         *plan.Hall
}

// errUsage is the error of flags that can't be read.
type errUsage struct{ sentence string }

func (e errUsage) Error() string { return e.sentence }

func wrong(format string, args ...any) error { return errUsage{fmt.Sprintf(format, args...)} }

// parse reads the flags. Its errors are an errUsage, or flag.ErrHelp once it has
// written the help.
func parse(args []string, inPod bool, help io.Writer) (*options, error) {
	o := &options{}
	p := &o.people
	f := flag.NewFlagSet("rush", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.url, "url", "", "the `address` of the service, like http://localhost:8080; without it, one is started")
	f.StringVar(&o.event, "event", "", "the event, of which no seat may be held or sold yet (default a new one each time)")
	f.IntVar(&o.seats, "seats", 1000, "how many seats the hall has")
	f.StringVar(&o.seatPlan, "plan", "", "which seats, as SEAT_PLAN has it, in place of -seats")
	f.IntVar(&p.Users, "users", 5000, "how many buyers come")
	f.DurationVar(&o.duration, "duration", 30*time.Second, "how long the doors are open")
	f.Uint64Var(&p.Seed, "seed", 0, "what all chance comes from; the same seed gives the same buyers (default any)")
	f.DurationVar(&p.Hold, "hold", 0, "HOLD_TTL of the service that is started (default a sixth of the duration)")
	f.Float64Var(&p.Peak, "peak", 5, "how many times as many come in the first moment as later on")
	f.Float64Var(&p.Zipf, "zipf", 1.2, "Zipf's exponent of how much some seats are wanted more than others")
	f.DurationVar(&p.Think, "think", 1500*time.Millisecond, "how long a buyer takes to pay, on average")
	f.Float64Var(&p.Groups, "groups", 0.35, "share of buyers who come in groups")
	f.IntVar(&p.MaxGroup, "max-group", 6, "the largest group")
	f.Float64Var(&p.Abandon, "abandon", 0.15, "share of buyers who hold seats and do not pay")
	f.Float64Var(&p.Dawdle, "dawdle", 0.05, "share of buyers who pay when the hold is over, and come back")
	f.Float64Var(&p.Twice, "twice", 0.1, "share of buyers who press every button twice")
	f.Float64Var(&p.Hoard, "hoard", 0.01, "share of buyers who hold what they can for as long as they can")
	f.Float64Var(&p.Cheat, "cheat", 0.02, "share of buyers who pay for seats that somebody else holds")
	f.IntVar(&o.connections, "connections", 128, "how many requests are under way at most")
	f.Float64Var(&o.rate, "rate", 0, "how many requests are sent a second at most; 0 for any number")
	chaos := f.String("chaos", "", "faults of a real redis-server, which is started, joined by commas: kill, stall, flush")
	f.BoolVar(&o.json, "json", false, "write the result as JSON")
	f.StringVar(&o.report, "report", "", "write a page with pictures into this `directory`")
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(help, "rush lets simulated buyers loose on a service, and proves that it kept its promises.")
		f.SetOutput(help)
		f.PrintDefaults()
		fmt.Fprintln(help, "What the result calls the answer to a request:")
		for _, a := range report.Answers {
			fmt.Fprintf(help, "  %s: %s\n", a.Outcome, a.Meaning)
		}
		return nil, err
	} else if err != nil {
		return nil, wrong("%v; rush -help lists the flags", err)
	}
	if f.NArg() > 0 {
		return nil, wrong("%q is no flag; rush -help lists them", f.Arg(0))
	}
	given := map[string]bool{}
	f.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if inPod && o.url == "" {
		return nil, wrong("name the service with -url: within a pod, rush starts none")
	}
	if given["seats"] && given["plan"] {
		return nil, wrong("give -seats or -plan, not both")
	}
	for _, name := range []string{"hold", "chaos"} {
		if o.url != "" && given[name] {
			return nil, wrong("-%s is for the service that rush starts itself; leave it or -url out", name)
		}
	}
	if err := o.checkRanges(); err != nil {
		return nil, err
	}
	if err := o.checkFaults(*chaos); err != nil {
		return nil, err
	}
	if !given["seed"] {
		p.Seed = uint64(rand.Uint32())
	}
	if !given["event"] {
		o.event = fmt.Sprintf("rush-%d", time.Now().UnixMilli())
	}
	if !given["hold"] {
		p.Hold = min(max(o.duration/6, time.Second), 5*time.Minute).Truncate(100 * time.Millisecond)
	}
	p.Arrivals = o.duration * 9 / 10
	return o, o.build()
}

// checkRanges refuses numbers that no run can have.
func (o *options) checkRanges() error {
	p := &o.people
	for _, number := range []struct {
		name           string
		got, low, high float64
	}{
		{"seats", float64(o.seats), 1, 100_000}, {"users", float64(p.Users), 1, 200_000}, {"peak", p.Peak, 1, 1000},
		{"zipf", p.Zipf, 1.01, 10}, {"max-group", float64(p.MaxGroup), 2, 10}, {"connections", float64(o.connections), 1, 10_000},
		{"rate", o.rate, 0, 1_000_000}, {"groups", p.Groups, 0, 1}, {"abandon", p.Abandon, 0, 1}, {"dawdle", p.Dawdle, 0, 1},
		{"twice", p.Twice, 0, 1}, {"hoard", p.Hoard, 0, 1}, {"cheat", p.Cheat, 0, 1},
	} {
		if !(number.low <= number.got && number.got <= number.high) {
			return wrong("-%s is %v: want a number from %v to %v", number.name, number.got, number.low, number.high)
		}
	}
	if sum := p.Abandon + p.Dawdle + p.Hoard + p.Cheat; sum > 1 {
		return wrong("-abandon, -dawdle, -hoard and -cheat are %v together: want 1 at most, for a buyer is one of them", sum)
	}
	for _, span := range []struct {
		name           string
		got, low, high time.Duration
	}{{"duration", o.duration, time.Second, time.Hour}, {"think", p.Think, 0, 10 * time.Minute}, {"hold", max(p.Hold, 0), 0, 15 * time.Minute}} {
		if span.got < span.low || span.got > span.high {
			return wrong("-%s is %v: want a time from %v to %v", span.name, span.got, span.low, span.high)
		}
	}
	if p.Hold != 0 && p.Hold < time.Second {
		return wrong("-hold is %v: want a time from 1s on", p.Hold)
	}
	return nil
}

func (o *options) checkFaults(chaos string) error {
	if chaos == "" {
		return nil
	}
	for name := range strings.SplitSeq(chaos, ",") {
		if !slices.Contains(target.Faults, target.Fault(name)) {
			return wrong("-chaos has %q: want kill, stall or flush, joined by commas", name)
		}
		o.faults = append(o.faults, target.Fault(name))
	}
	return nil
}

// build makes the hall, and checks what names a place.
func (o *options) build() error {
	if o.url != "" {
		u, err := url.Parse(o.url)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return wrong("-url is %q: want an address like http://localhost:8080", o.url)
		}
		o.url = strings.TrimSuffix(o.url, "/")
	}
	if !seatlock.ValidID(o.event) {
		return wrong("-event is %q: want 1 to 64 characters of A-Z a-z 0-9 . _ : -", o.event)
	}
	if o.seatPlan == "" {
		o.seatPlan = plan.SeatPlan(o.seats)
	}
	hall, err := plan.NewHall(o.seatPlan)
	if err != nil {
		return wrong("-plan has a fault %v", err)
	}
	o.hall, o.seats = hall, len(hall.Seats)
	if o.people.Groups > 0 && o.seats < o.people.MaxGroup {
		return wrong("a hall of %d seats is smaller than a group: give -max-group or more seats", o.seats)
	}
	return nil
}
