package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"

	"booking/functions/cmd/rush/internal/client"
	"booking/functions/cmd/rush/internal/load"
	"booking/functions/cmd/rush/internal/report"
	"booking/functions/internal/logging"
)

// snapshot is the state of a run at a time.
type snapshot struct {
	at               time.Duration
	free, held, sold int
	blocked          int
	active           int // buyers
	client.Window
	window time.Duration // length of the Window
}

func (s snapshot) seatCounts() string {
	counts := fmt.Sprintf("seats: %4d free %4d held %4d sold", s.free, s.held, s.sold)
	if s.blocked > 0 {
		counts += fmt.Sprintf(" %4d blocked", s.blocked)
	}
	return counts
}

func (s snapshot) callRates() string {
	return fmt.Sprintf("%5.0f calls/s  p50 %5.1f ms  p99 %5.1f ms  %4.0f refusals/s  %d errors",
		s.rate(s.Calls), report.Milliseconds(s.P50), report.Milliseconds(s.P99), s.rate(s.Refusals), s.Errors)
}

func (s snapshot) rate(n int) float64 { return float64(n) / max(s.window.Seconds(), 0.001) }

// showProgress shows the progress of l on w until ctx ends: as a bar on a terminal,
// otherwise as lines.
func showProgress(ctx context.Context, w io.Writer, o *options, l *load.Load) {
	last := time.Duration(0)
	next := func() snapshot {
		seats, now := l.LastSample(), l.Client.Now()
		_, active := l.Counts()
		s := snapshot{at: now, free: o.seats - seats.Held - seats.Sold - seats.Blocked, held: seats.Held, sold: seats.Sold, blocked: seats.Blocked,
			active: active, Window: l.Client.Log.Window(), window: now - last}
		last = now
		return s
	}
	if logging.Terminal(w) {
		showBar(ctx, w, o.seats, next)
	} else {
		showLines(ctx, w, max(o.duration/10, time.Second), next)
	}
}

// showLines writes a line at each interval, until ctx ends.
func showLines(ctx context.Context, w io.Writer, interval time.Duration, next func() snapshot) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s := next()
			fmt.Fprintf(w, "%4.0f s  %s  %s\n", s.at.Seconds(), s.seatCounts(), s.callRates())
		}
	}
}

// refresh is how often the bar is updated.
const refresh = 500 * time.Millisecond

// showBar shows how many of the seats are sold as a bar, below the figures, until ctx
// ends. w must be a terminal.
func showBar(ctx context.Context, w io.Writer, seats int, next func() snapshot) {
	p := progress.NewWriter()
	p.SetOutputWriter(w)
	p.SetUpdateFrequency(refresh / 2)
	p.SetTrackerLength(40)
	p.SetStyle(progress.StyleBlocks)
	p.SetTrackerPosition(progress.PositionRight)
	p.Style().Visibility.ETA, p.Style().Visibility.Time = false, false
	p.Style().Options.Separator = " "
	p.Style().Options.PercentFormat = "%3.0f%%"
	sold := &progress.Tracker{Message: "sold", Total: int64(seats)}
	p.AppendTracker(sold)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Render()
	}()
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			p.Stop() // leaves the last state on the terminal
			<-done
			return
		case <-tick.C:
			s := next()
			sold.SetValue(int64(s.sold))
			p.SetPinnedMessages(fmt.Sprintf("%.0f s, %d active buyers", s.at.Seconds(), s.active), s.seatCounts(), s.callRates())
		}
	}
}
