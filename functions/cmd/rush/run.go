package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"booking/functions/cmd/rush/internal/audit"
	"booking/functions/cmd/rush/internal/client"
	"booking/functions/cmd/rush/internal/history"
	"booking/functions/cmd/rush/internal/live"
	"booking/functions/cmd/rush/internal/plan"
	"booking/functions/cmd/rush/internal/report"
	"booking/functions/cmd/rush/internal/storm"
	"booking/functions/cmd/rush/internal/target"
	"booking/functions/internal/logging"
)

// errBroken means that the oracle found something, and that it was told.
var errBroken = errors.New("a promise was broken")

// run lets the buyers loose, and tells what came of it.
func run(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	t, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer t.close()
	if err := probe(ctx, t.url, o); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%s buyers for %s seats (%s) in %v; rush -seed %d has the same ones come\nservice: %s; Redis: %s\n",
		report.Count(o.people.Users), report.Count(o.seats), o.seatPlan, o.duration, o.people.Seed, t.name, t.redisName)

	log := history.New()
	c := client.New(t.url, o.event, o.connections, o.rate, log)
	s := &storm.Storm{Client: c, Hall: o.hall, Buyers: plan.Buyers(o.people), Zipf: o.people.Zipf, Hold: o.people.Hold}
	strikes := weather(ctx, o, t, s, log, c, stderr)
	took := c.Now()
	own, connections := c.Lateness()
	interrupted := ctx.Err() != nil
	if !interrupted {
		fmt.Fprintln(stderr, "The doors are closed. Each buyer asks for the seats again, and what is left is tried.")
	}
	a := &audit.Audit{Client: c, Event: o.event, Hall: o.hall, Log: log}
	during := len(log.Calls())
	end, err := a.Run(ctx)
	if err != nil {
		return err
	}
	r := report.Run{Calls: log.Calls()[:during], Sightings: s.Sightings(), Rows: o.hall.Rows}
	come, _ := s.People()
	r.Summary = report.Summary{
		Seed: o.people.Seed, Target: t.name, Redis: t.redisName, Event: o.event, SeatPlan: o.seatPlan, Seats: o.seats,
		Users: o.people.Users, Came: come, CutShort: interrupted, Sold: end.Sold, Held: end.Held, Strikes: strikes,
		Generator: report.Generator{LateP99: report.MS(own.P99), LateMax: report.MS(own.Max), WaitP99: report.MS(connections.P99),
			WaitMax: report.MS(connections.Max), Connections: o.connections, CPUSeconds: cpu().Seconds(), ServiceSeconds: t.stop().Seconds()},
		Oracle: report.Verdict{Judged: len(log.Calls()), Sales: end.Sales, Tried: end.Tried, Untried: end.Untried, Findings: end.Findings},
	}
	r.Summary.Fill(&r, took)
	if o.json {
		if err := writeJSON(stdout, r.Summary); err != nil {
			return err
		}
	} else {
		r.Summary.Write(stdout)
	}
	if o.report != "" {
		if err := r.WritePage(o.report); err != nil {
			return fmt.Errorf("-report is %s: %w; name a directory that can be written", o.report, err)
		}
		if !o.json {
			fmt.Fprintf(stdout, "Report: %s/index.html\n", o.report)
		}
	}
	if len(end.Findings) > 0 {
		return errBroken
	}
	return nil
}

// weather runs the storm, shown live, with the faults that are due.
func weather(ctx context.Context, o *options, t *service, s *storm.Storm, log *history.Log, c *client.Client, stderr io.Writer) []report.Strike {
	doors, closed := context.WithTimeout(ctx, o.duration)
	defer closed()
	var strikes []report.Strike
	var beside sync.WaitGroup
	defer beside.Wait()
	over, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	beside.Go(func() {
		for _, strike := range target.Strikes(o.people.Seed, o.faults, o.duration) {
			if !c.Sleep(doors, strike.At) {
				return
			}
			strikes = append(strikes, report.Strike{Fault: string(strike.Fault), At: c.Now().Seconds()})
			if err := t.redis.Strike(doors, strike.Fault); err != nil {
				fmt.Fprintf(stderr, "rush: %s: %v\n", strike.Fault, err)
			}
		}
	})
	last := time.Duration(0)
	figures := func() live.Figures {
		seen, w, now := s.Last(), log.Window(), c.Now()
		_, inside := s.People()
		f := live.Figures{At: now, Free: o.seats - seen.Held - seen.Sold, Held: seen.Held, Sold: seen.Sold, Inside: inside,
			Requests: w.Requests, Conflicts: w.Conflicts, Errors: w.Errors, Window: now - last, P50: w.P50, P99: w.P99}
		last = now
		return f
	}
	beside.Go(func() {
		if logging.Terminal(stderr) {
			live.Bar(over, stderr, o.seats, figures)
		} else {
			live.Lines(over, stderr, max(o.duration/10, time.Second), figures)
		}
	})
	s.Run(ctx, doors)
	end()
	closed()
	beside.Wait()
	return strikes
}

// service is what is loaded.
type service struct {
	url, name, redisName string
	redis                *target.Redis
	stop                 func() time.Duration // CPU time that it took; 0 where it was not started here
	close                func()
}

// open returns the service that -url names, or starts one.
func open(ctx context.Context, o *options) (*service, error) {
	if o.url != "" {
		return &service{url: o.url, name: o.url, redisName: "its own", stop: func() time.Duration { return 0 }, close: func() {}}, nil
	}
	t := &service{name: "started here, a process of its own", redisName: "miniredis, within the service"}
	env := []string{"HOLD_TTL=" + o.people.Hold.String(), "SEAT_PLAN=" + o.seatPlan}
	closeRedis := func() {}
	if len(o.faults) > 0 {
		r, err := target.StartRedis(ctx)
		if errors.Is(err, target.ErrNoRedis) {
			return nil, wrong("-chaos needs a real Redis: %v", err)
		}
		if err != nil {
			return nil, err
		}
		t.redis, closeRedis = r, r.Stop
		t.redisName = "redis-server " + r.Version + ", appendfsync always"
		env = append(env, "REDIS_URL="+r.URL(), "REQUEST_TIMEOUT="+(target.StallTime/2).String())
	}
	started, err := target.Start(env...)
	if err != nil {
		closeRedis()
		return nil, err
	}
	t.url = started.URL
	t.stop = sync.OnceValue(started.Stop)
	t.close = func() {
		t.stop()
		closeRedis()
	}
	return t, nil
}

// probeTimeout is how long a service may take for its first answer.
const probeTimeout = 10 * time.Second

// probe asks whether the service is there and has the hall, all of it free.
func probe(ctx context.Context, address string, o *options) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	c := client.New(address, o.event, 1, 0, history.New())
	var m client.Map
	var err error
	for {
		if m, err = c.Watch(); err == nil || o.url != "" || !c.Sleep(ctx, c.Now()+10*time.Millisecond) {
			break
		}
	}
	if err != nil && o.url == "" {
		return fmt.Errorf("the service that rush started gives no seat map: %w; run rush again", err)
	}
	if err != nil {
		return wrong("%s gives no seat map: %v; %s", address, err, remedy(err))
	}
	if n := len(m.Taken); n > 0 {
		return wrong("the event %s is not new: %d of its seats are held or sold; name a new event with -event", o.event, n)
	}
	for _, seat := range []string{o.hall.Seats[0], o.hall.Seats[len(o.hall.Seats)-1]} {
		err := c.Seat(seat)
		if status := (client.StatusError{}); errors.As(err, &status) && status.Status == http.StatusNotFound {
			return wrong("%s has no seat %s: its hall is another one; name its SEAT_PLAN with -plan", address, seat)
		}
		if err != nil {
			return wrong("%s does not show seat %s: %v; %s", address, seat, err, remedy(err))
		}
	}
	return nil
}

// remedy says what to do about an error of client.Watch.
func remedy(err error) string {
	var status client.StatusError
	var unanswered *url.Error
	switch {
	case errors.As(err, &unanswered):
		return "start the service there, or name another one with -url"
	case errors.As(err, &status) && status.Location != "":
		return "name the address that it redirects to with -url"
	case errors.As(err, &status) && status.Status >= 500:
		return "run rush again when /readyz there is answered 200"
	case errors.As(err, &status), errors.Is(err, client.ErrNotMap):
		return "name the address that /seats is below, like http://localhost:8080, with -url"
	}
	return "run rush again"
}
