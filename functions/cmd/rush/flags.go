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

	"booking/functions/cmd/rush/internal/client"
	"booking/functions/cmd/rush/internal/load"
	"booking/functions/cmd/rush/internal/report"
	"booking/functions/internal/plan"
	"booking/seatlock"
)

// options are the values of the flags.
type options struct {
	url, event, seatPlan, report string
	seats, connections, watchers int // seats: with the places of the area
	places                       int // of the area
	duration, onSaleAfter        time.Duration
	rate, blocked                float64
	faults                       []string
	json                         bool
	put, deletes                 bool // whether rush puts the event, and deletes it in the end
	buyers                       load.Options
	hall                         *load.Hall
	blockedSeats                 []string
	tokens                       client.Tokens
}

// Flags that apply only to a service that rush starts, to one that it does not, and to an event
// that rush puts.
var (
	ownServiceFlags   = []string{"chaos"}
	otherServiceFlags = []string{"put", "delete", "seller-token", "buyer-tokens"}
	putFlags          = []string{"hold", "on-sale-after", "blocked", "area", "delete"}
)

// usageError is an error that the caller can fix by other flags.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

func usageErrorf(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// parse reads the flags. It returns a usageError, or flag.ErrHelp after it has written
// the help.
func parse(args []string, env func(string) string, help io.Writer) (*options, error) {
	o := &options{}
	b := &o.buyers
	f := flag.NewFlagSet("rush", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.url, "url", "", "`address` of the service, like http://localhost:8080 (default: rush starts one)")
	f.StringVar(&o.event, "event", "", "event to use; none of its seats may be held, sold or blocked (default: a new event)")
	f.BoolVar(&o.put, "put", false, "put the event, which must not exist, to the service of -url; rush always does that for a service that it starts")
	f.BoolVar(&o.deletes, "delete", false, "delete the event and its sales after the run, unless a promise was broken; needs -put")
	f.StringVar(&o.tokens.Seller, "seller-token", "", "`token` of a seller, for the service of -url; rush sends it with each call of a seller (default: SELLER_TOKEN in the environment)")
	buyerTokens := f.String("buyer-tokens", "", "`file` with a token a line, each of another buyer; its subject is the user")
	f.IntVar(&o.seats, "seats", 1000, "number of seats")
	f.StringVar(&o.seatPlan, "plan", "", "seats in the syntax of SEAT_PLAN, instead of -seats")
	f.IntVar(&o.places, "area", 0, "number of places of general admission beside the seats; buyers want a seat or a place in proportion to the numbers")
	f.IntVar(&b.Users, "users", 5000, "number of buyers")
	f.DurationVar(&o.duration, "duration", 30*time.Second, "length of the on-sale")
	f.Uint64Var(&b.Seed, "seed", 0, "random seed; the same seed creates the same buyers (default: random)")
	f.DurationVar(&b.Hold, "hold", 0, "hold time of the event that rush puts (default: a sixth of -duration)")
	f.DurationVar(&o.onSaleAfter, "on-sale-after", 0, "when the sale opens, from the first buyer on; buyers who come before are refused")
	f.Float64Var(&o.blocked, "blocked", 0, "share of seats that rush blocks before the on-sale; no buyer may get one")
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
	f.Float64Var(&b.DoublePay, "double-pay", 0.03, "share of buyers who pay twice at once, under two orders; only one of these may get the seats")
	f.Float64Var(&b.Return, "return", 0.05, "share of buyers who return some of what they bought, and later send that again; others buy these seats; without -put and -seller-token, the default for a service of -url is 0")
	f.Float64Var(&b.Exchange, "exchange", 0.03, "share of buyers who exchange what they bought for other seats, and later send that again; the default is 0 when that of -return is")
	f.Float64Var(&b.Best, "best", 0.1, "share of buyers who ask for the best available seats instead of choosing; the default is 0 unless rush puts the event")
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
	inPod := env("KUBERNETES_SERVICE_HOST") != "" || env("K_SERVICE") != ""
	if inPod && o.url == "" {
		return nil, usageErrorf("-url is missing: in a pod, rush does not start a service; set -url to the service's address")
	}
	if given["seats"] && given["plan"] {
		return nil, usageErrorf("-seats and -plan exclude each other; leave one out")
	}
	if err := o.checkUse(given); err != nil {
		return nil, err
	}
	if err := o.checkRanges(); err != nil {
		return nil, err
	}
	if err := o.readTokens(*buyerTokens, env); err != nil {
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
	if isSeller := o.put || o.tokens.Seller != ""; !isSeller { // a service in a pod accepts returns and exchanges of sellers only
		if !given["return"] {
			b.Return = 0
		}
		if !given["exchange"] {
			b.Exchange = 0
		}
	}
	if !o.put && !given["best"] { // an event that was not put may have no plan
		b.Best = 0
	}
	b.Hold = b.Hold.Truncate(time.Millisecond) // as the service wants it
	b.Arrivals = o.duration * 9 / 10
	return o, o.complete()
}

// checkUse refuses flags that would have no effect, and decides whether rush puts the event.
func (o *options) checkUse(given map[string]bool) error {
	for _, name := range ownServiceFlags {
		if o.url != "" && given[name] {
			return usageErrorf("-%s applies only to a service that rush starts; leave out -%s or -url", name, name)
		}
	}
	for _, name := range otherServiceFlags {
		if o.url == "" && given[name] {
			return usageErrorf("-%s applies only to a service that you run; leave out -%s, or set -url", name, name)
		}
	}
	o.put = o.put || o.url == ""
	for _, name := range putFlags {
		if !o.put && given[name] {
			return usageErrorf("-%s applies only to an event that rush puts; leave out -%s, or add -put", name, name)
		}
	}
	return nil
}

// checkRanges refuses numbers that are out of range.
func (o *options) checkRanges() error {
	b := &o.buyers
	for _, number := range []struct {
		name           string
		got, low, high float64
	}{
		{"seats", float64(o.seats), 1, 100_000}, {"area", float64(o.places), 0, 99_999}, {"users", float64(b.Users), 1, 200_000}, {"peak", b.Peak, 1, 1000},
		{"zipf", b.Zipf, 1.01, 10}, {"max-group", float64(b.MaxGroup), 2, 10}, {"connections", float64(o.connections), 1, 10_000},
		{"watchers", float64(o.watchers), 0, 100_000}, {"rate", o.rate, 0, 1_000_000}, {"groups", b.Groups, 0, 1}, {"abandon", b.Abandon, 0, 1}, {"dawdle", b.Dawdle, 0, 1},
		{"twice", b.Twice, 0, 1}, {"hoard", b.Hoard, 0, 1}, {"cheat", b.Cheat, 0, 1}, {"double-pay", b.DoublePay, 0, 1}, {"return", b.Return, 0, 1}, {"exchange", b.Exchange, 0, 1}, {"best", b.Best, 0, 1}, {"blocked", o.blocked, 0, 1},
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
	}{{"duration", o.duration, time.Second, time.Hour}, {"think", b.Think, 0, 10 * time.Minute}, {"hold", max(b.Hold, 0), 0, 15 * time.Minute}, {"on-sale-after", o.onSaleAfter, 0, o.duration}} {
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
	hall, err := load.NewHall(o.seatPlan, o.places)
	if err != nil {
		return usageErrorf("-plan has a fault %v", err)
	}
	seats := len(hall.Seats)
	o.hall, o.seats = hall, hall.Size()
	o.buyers.Standing = float64(o.places) / float64(o.seats)
	o.blockedSeats = load.Some(o.hall.Seats, o.blocked, o.buyers.Seed)
	left := seats - len(o.blockedSeats)
	switch {
	case o.seats > plan.MaxSeats:
		return usageErrorf("-area is %d, and there are %d seats: want at most %d together", o.places, seats, plan.MaxSeats)
	case left == 0:
		return usageErrorf("-blocked is %v, so no seat is left to sell: lower -blocked or add seats", o.blocked)
	case o.buyers.Groups > 0 && left < o.buyers.MaxGroup && left < seats:
		return usageErrorf("-max-group is %d, but %d of the %d seats are blocked: lower -max-group or -blocked, or add seats", o.buyers.MaxGroup, len(o.blockedSeats), seats)
	case o.buyers.Groups > 0 && left < o.buyers.MaxGroup:
		return usageErrorf("-max-group is %d, but there are %d seats: lower -max-group or add seats", o.buyers.MaxGroup, seats)
	}
	return nil
}

// freeSeat returns a seat that rush does not block.
func (o *options) freeSeat() string {
	i := slices.IndexFunc(o.hall.Seats, func(seat string) bool { return !slices.Contains(o.blockedSeats, seat) })
	return o.hall.Seats[i]
}
