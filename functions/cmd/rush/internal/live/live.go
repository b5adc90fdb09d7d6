// Package live shows a run while it lasts.
package live

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"
)

// Figures are what is shown.
type Figures struct {
	At                          time.Duration
	Free, Held, Sold            int
	Inside                      int // people
	Requests, Conflicts, Errors int // within Window
	Window                      time.Duration
	P50, P99                    time.Duration
}

func (f Figures) seats() string {
	return fmt.Sprintf("seats: %4d free %4d held %4d sold", f.Free, f.Held, f.Sold)
}

func (f Figures) load() string {
	return fmt.Sprintf("%5.0f requests/s  p50 %5.1f ms  p99 %5.1f ms  %4.0f conflicts/s  %d errors",
		f.rate(f.Requests), ms(f.P50), ms(f.P99), f.rate(f.Conflicts), f.Errors)
}

func (f Figures) rate(n int) float64 { return float64(n) / max(f.Window.Seconds(), 0.001) }

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Lines writes a line each time, until ctx ends.
func Lines(ctx context.Context, w io.Writer, every time.Duration, figures func() Figures) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f := figures()
			fmt.Fprintf(w, "%4.0f s  %s  %s\n", f.At.Seconds(), f.seats(), f.load())
		}
	}
}

// refresh is how often the bar is drawn anew.
const refresh = 500 * time.Millisecond

// Bar draws a bar for the seats that are sold, of so many, with the figures above it,
// until ctx ends. w is a terminal.
func Bar(ctx context.Context, w io.Writer, seats int, figures func() Figures) {
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
	drawn := make(chan struct{})
	go func() {
		defer close(drawn)
		p.Render()
	}()
	tick := time.NewTicker(refresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			// The last picture stays, whether or not all was sold.
			p.Stop()
			<-drawn
			return
		case <-tick.C:
			f := figures()
			sold.SetValue(int64(f.Sold))
			p.SetPinnedMessages(fmt.Sprintf("%.0f s, %d people inside", f.At.Seconds(), f.Inside), f.seats(), f.load())
		}
	}
}
