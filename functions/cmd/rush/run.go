package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"booking/functions/cmd/rush/internal/client"
	"booking/functions/cmd/rush/internal/load"
	"booking/functions/cmd/rush/internal/report"
	"booking/functions/cmd/rush/internal/watch"
)

// errPromiseBroken means that the oracle has findings, or that a watcher lost a change. The
// result shows them.
var errPromiseBroken = errors.New("a promise was broken")

// run prepares the event, simulates the on-sale, and deletes the event if it has to.
func run(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	t, err := openTarget(ctx, o)
	if err != nil {
		return err
	}
	defer t.close()
	p, err := prepare(ctx, t.url, o)
	if err == nil {
		err = simulate(ctx, o, t, p, stdout, stderr)
	}
	switch {
	case !o.deletes || p.etag == "":
	case errors.Is(err, errPromiseBroken):
		fmt.Fprintf(stderr, "The event %s is not deleted, because a promise was broken.\n", o.event)
	default:
		return errors.Join(err, p.deleteEvent(ctx, o, stderr))
	}
	return err
}

// simulate loads the service, audits it, and writes the result.
func simulate(ctx context.Context, o *options, t *target, p *preparation, stdout, stderr io.Writer) error {
	fmt.Fprintf(stderr, "%s buyers, %s, on sale for %v; -seed %d repeats the same buyers\nservice: %s; Redis: %s; event: %s\n",
		report.Count(o.buyers.Users), report.SeatsText(o.seats, o.places, o.seatPlan), o.duration, o.buyers.Seed, t.name, t.redisName, o.eventText())

	watchers, err := openWatchers(ctx, t.url, o, stderr)
	if err != nil {
		return err
	}
	defer watchers.Close()
	buyers := load.NewBuyers(o.buyers)
	if o.onSaleAfter > 0 {
		if err := p.openAfter(ctx, o.freeSeat(), o.onSaleAfter); err != nil {
			return err
		}
	}
	c := client.New(t.url, o.event, o.connections, o.rate)
	c.Tokens = o.tokens
	l := &load.Load{Client: c, Hall: o.hall, Buyers: buyers, Zipf: o.buyers.Zipf, Hold: o.buyers.Hold, Event: p.result(o, c.Start()), Waits: o.buyers.Return+o.buyers.Exchange > 0}
	faults := runLoad(ctx, o, t, l, stderr)
	duration, calls := c.Now(), c.Log.Calls()
	process, connection := c.Delays()
	interrupted := ctx.Err() != nil
	if !interrupted {
		fmt.Fprintln(stderr, "The on-sale is over. Audit: each buyer repeats each return, exchange and buy that succeeded, and rush tries to reserve each seat that is left.")
	}
	audit, err := l.Audit(ctx, o.event)
	if err != nil {
		return err
	}
	watched, err := watchers.Result(ctx, c.Observe)
	if err != nil {
		return fmt.Errorf("the watchers can't be judged, because the last seat map failed: %w; run rush again when the service answers", err)
	}

	arrived, _ := l.Counts()
	r := report.Run{Calls: calls, Samples: l.Samples(), Rows: o.hall.Rows}
	r.Summary = report.Summary{
		Seed: o.buyers.Seed, Target: t.name, Redis: t.redisName, Event: o.event, SeatPlan: o.seatPlan, Seats: o.seats,
		Users: o.buyers.Users, Arrived: arrived, Interrupted: interrupted, Sold: audit.Sold, Held: audit.Held, Faults: faults, Put: describe(o, l.Event),
		Generator: report.Generator{DelayP99: report.Milliseconds(process.P99), DelayMax: report.Milliseconds(process.Max),
			WaitP99: report.Milliseconds(connection.P99), WaitMax: report.Milliseconds(connection.Max),
			Connections: o.connections, CPUSeconds: cpuTime().Seconds(), ServiceCPUSeconds: t.stop().Seconds()},
		Watchers: watched,
		Oracle:   report.Verdict{Judged: len(c.Log.Calls()), Confirmed: audit.Confirmed, Tried: audit.Tried, Untried: audit.Untried, Blocked: audit.Blocked, Findings: audit.Findings},
	}
	if b := audit.Best; b.Keys > 0 {
		r.Summary.Best = &report.Best{Calls: b.Keys, Holds: b.Holds, Places: b.Places, Singles: b.Singles, FirstFit: b.FirstFit}
	}
	r.Summarize(duration)
	if err := write(o, &r, stdout); err != nil {
		return err
	}
	if len(audit.Findings) > 0 || watched.Lost > 0 {
		return errPromiseBroken
	}
	return nil
}

// openWatchers opens the streams that -watchers asks for.
func openWatchers(ctx context.Context, url string, o *options, stderr io.Writer) (*watch.Watchers, error) {
	w, err := watch.Open(ctx, url, o.event, o.watchers)
	if err != nil {
		return nil, usageErrorf("-watchers is %d, but %v; lower -watchers, or raise MAX_STREAMS of the service and the limit of open files", o.watchers, err)
	}
	if o.watchers > 0 {
		fmt.Fprintf(stderr, "%s watchers have opened their streams\n", report.Count(o.watchers))
	}
	return w, nil
}

// runLoad runs the load and injects the faults, and shows the progress meanwhile. It
// returns the faults that it injected.
func runLoad(ctx context.Context, o *options, t *target, l *load.Load, stderr io.Writer) (injected []report.Fault) {
	onSale, closeSale := context.WithTimeout(ctx, o.duration)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() {
		faults := scheduleFaults(o.buyers.Seed, o.faults, o.duration)
		injected = injectFaults(onSale, t.redis, l.Client, faults, stderr)
	})
	background.Go(func() { showProgress(running, stderr, o, l) })
	l.Run(ctx, onSale)
	stop()
	closeSale()
	background.Wait()
	return injected
}

// write writes the result to stdout and to the directory of -report.
func write(o *options, r *report.Run, stdout io.Writer) error {
	if o.json {
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(r.Summary); err != nil {
			return err
		}
	} else {
		r.Summary.Write(stdout)
	}
	if o.report == "" {
		return nil
	}
	if err := r.WritePage(o.report); err != nil {
		return fmt.Errorf("-report is %s: %w; set it to a directory that rush can write", o.report, err)
	}
	if !o.json {
		fmt.Fprintf(stdout, "Report: %s/index.html\n", o.report)
	}
	return nil
}
