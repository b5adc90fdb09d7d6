// Package report writes the result of a run: as text, as JSON, and as a page with
// charts.
package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"booking/functions/cmd/rush/internal/client"
	"booking/functions/cmd/rush/internal/load"
	"booking/functions/cmd/rush/internal/watch"
	"booking/functions/internal/plan"
	"booking/seatlock/oracle"
)

// Run is what a report is made from. Calls, Samples and Rows are the input of
// Summarize and of the charts.
type Run struct {
	Summary Summary
	Calls   []client.Call // without those of the audit
	Samples []load.Sample
	Rows    []plan.Row
}

// Summary is the result of a run. Times are in seconds, latencies in milliseconds.
type Summary struct {
	Seed        uint64  `json:"seed"`
	Target      string  `json:"target"`
	Redis       string  `json:"redis"`
	Event       string  `json:"event"`
	SeatPlan    string  `json:"seat_plan"`
	Seats       int     `json:"seats"`
	Users       int     `json:"users"`
	Arrived     int     `json:"came"`
	Interrupted bool    `json:"cut_short"`
	Seconds     float64 `json:"seconds"`

	Put     *Put `json:"put,omitempty"`                    // nil: rush did not put the event
	TooSoon int  `json:"refused_before_opening,omitempty"` // reserves

	After *After `json:"after_the_sale,omitempty"` // nil: no buyer paid twice, and none returned seats

	Best *Best `json:"best_available,omitempty"` // nil: no buyer asked for that

	Sold       int      `json:"sold"`
	Held       int      `json:"held"`
	SoldOut    *float64 `json:"sold_out_after,omitempty"`   // for good
	MostWanted int      `json:"most_wanted_seat_asked_for"` // how many reserves named that seat

	Calls         int           `json:"requests"`
	PerSecond     float64       `json:"requests_per_second"`
	BusiestSecond int           `json:"busiest_second"` // how many calls
	Latencies     []LatencyLine `json:"latencies"`
	Unexpected    string        `json:"unexpected,omitempty"` // the first such answer
	Faults        []Fault       `json:"faults,omitempty"`

	Generator Generator    `json:"generator"`
	Watchers  watch.Result `json:"watchers"`
	Oracle    Verdict      `json:"oracle"`
}

// Put is what rush put of an event.
type Put struct {
	HoldSeconds float64    `json:"hold_ttl_seconds"`
	OnSaleAt    *time.Time `json:"on_sale_at,omitempty"`      // by the clock of Redis; nil: on sale at once
	OnSaleAfter float64    `json:"on_sale_seconds,omitempty"` // when that was, from the start of the run
	Blocked     int        `json:"blocked,omitempty"`         // seats, for Channel
	Channel     string     `json:"channel,omitempty"`
	Places      int        `json:"places,omitempty"` // of general admission, among the seats
}

// After is what buyers did with their orders.
type After struct {
	DoublePayments int `json:"double_payments"` // buyers who paid under two orders at once
	Returns        int `json:"returns"`         // sales that were returned, or parts of them
	ReturnedSeats  int `json:"returned_seats"`
	SoldAgain      int `json:"returned_seats_sold_again"` // to another buyer
	Exchanges      int `json:"exchanges"`
	LateReturns    int `json:"late_returns"`   // returns that came again
	LateExchanges  int `json:"late_exchanges"` // exchanges that came again
}

// Best is what came of the calls for the best available seats.
type Best struct {
	Calls    int `json:"requests"`                  // each Idempotency-Key once
	Holds    int `json:"holds"`                     // that got seats or places
	Places   int `json:"places,omitempty"`          // of general admission, that these got
	Singles  int `json:"single_seats"`              // free ones that the holds left
	FirstFit int `json:"single_seats_of_first_fit"` // that a naive first fit would have left
}

// blocked returns how many seats rush has blocked.
func (s *Summary) blocked() int {
	if s.Put == nil {
		return 0
	}
	return s.Put.Blocked
}

// LatencyLine is the latency of the calls of one Op that got one answer.
type LatencyLine struct {
	Op     oracle.Op      `json:"op"`
	Answer oracle.Outcome `json:"outcome"`
	Count  int            `json:"count"`
	P50    float64        `json:"p50_ms"`
	P90    float64        `json:"p90_ms"`
	P99    float64        `json:"p99_ms"`
	P999   float64        `json:"p99_9_ms"`
	Max    float64        `json:"max_ms"`
}

// Fault is a fault that was injected.
type Fault struct {
	Name string  `json:"fault"`
	At   float64 `json:"at"`
}

// Generator is how well rush itself kept up with the load.
type Generator struct {
	DelayP99          float64 `json:"late_p99_ms"` // from when a call was due until its goroutine ran
	DelayMax          float64 `json:"late_max_ms"`
	WaitP99           float64 `json:"connection_wait_p99_ms"`
	WaitMax           float64 `json:"connection_wait_max_ms"`
	Connections       int     `json:"connections"`
	CPUSeconds        float64 `json:"cpu_seconds"`
	ServiceCPUSeconds float64 `json:"service_cpu_seconds,omitempty"` // only if rush started the service
	Warning           string  `json:"limit,omitempty"`               // set if rush itself was the bottleneck
}

// Verdict is the oracle's judgement of all calls, the audit's included.
type Verdict struct {
	Judged    int              `json:"calls_judged"`
	Confirmed int              `json:"seats_sold_as_acknowledged"`
	Tried     int              `json:"seats_left_and_tried"`
	Untried   int              `json:"seats_left_and_not_tried"`
	Blocked   int              `json:"seats_blocked_until_the_audit"`
	Findings  []oracle.Finding `json:"findings"`
}

// Milliseconds converts d.
func Milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// maxDelay is the p99 delay from which on a Generator warns, in milliseconds.
const maxDelay = 20

func (g *Generator) warn() {
	switch {
	case g.DelayP99 > maxDelay:
		g.Warning = "rush itself was late, so these latencies are not the service's alone: run it on a machine of its own, or lower -users."
	case g.WaitP99 > maxDelay:
		g.Warning = "Calls waited for a free connection: the service is slower than the buyers arrive, or -connections is too low."
	}
}

// reserves counts how many reserves named each seat.
func (r *Run) reserves() map[string]int {
	counts := map[string]int{}
	for i := range r.Calls {
		if r.Calls[i].Op == oracle.Reserve {
			for _, seat := range r.Calls[i].Seats {
				counts[seat]++
			}
		}
	}
	return counts
}

// Summarize sets what the Summary says of calls and samples. duration is that of the
// load, without the audit.
func (r *Run) Summarize(duration time.Duration) {
	s := &r.Summary
	s.Seconds = duration.Seconds()
	s.Calls = len(r.Calls)
	s.PerSecond = float64(s.Calls) / s.Seconds
	for _, l := range client.ByAnswer(r.Calls) {
		s.Latencies = append(s.Latencies, LatencyLine{l.Op, l.Answer, l.Count,
			Milliseconds(l.P50), Milliseconds(l.P90), Milliseconds(l.P99), Milliseconds(l.P999), Milliseconds(l.Max)})
	}
	for _, second := range client.BySecond(r.Calls) {
		s.BusiestSecond = max(s.BusiestSecond, second.Count)
	}
	s.SoldOut = r.soldOut()
	s.After = r.after()
	for _, n := range r.reserves() {
		s.MostWanted = max(s.MostWanted, n)
	}
	for i := range r.Calls {
		if r.Calls[i].NotOnSale {
			s.TooSoon++
		}
	}
	for i := range r.Calls {
		if c := &r.Calls[i]; c.Answer() == client.Unexpected {
			s.Unexpected = fmt.Sprintf("%s got %d %s", c.Op, c.Status, c.Code)
			break
		}
	}
	s.Generator.warn()
}

// soldOut returns when the last seat was sold, nil if some were not or were returned later.
func (r *Run) soldOut() *float64 {
	s := &r.Summary
	all := s.Seats - s.blocked()
	if s.Sold != all {
		return nil
	}
	since := s.Seconds // after the last sample
	for _, sample := range slices.Backward(r.Samples) {
		if sample.Sold != all {
			break
		}
		since = sample.At.Seconds()
	}
	return &since
}

// after returns what buyers did with their orders, nil if that is nothing.
func (r *Run) after() *After {
	a := After{}
	ended := map[string]time.Duration{} // by Op, user and order: when the first success was answered
	left := map[string][]client.Call{}  // by seat: its returns
	for i := range r.Calls {
		c := &r.Calls[i]
		key := string(c.Op) + " " + c.User + " " + c.Order
		first, is := ended[key]
		if c.Outcome == oracle.Done && !is {
			ended[key] = c.Answered
		}
		switch {
		case c.Op == oracle.Exchange && is && c.Sent > first:
			a.LateExchanges++
		case c.Op == oracle.Exchange && c.Outcome == oracle.Done && !is:
			a.Exchanges++
		case c.Op == oracle.Return && is && c.Sent > first:
			a.LateReturns++
		case c.Op == oracle.Return && c.Outcome == oracle.Done && !is:
			a.Returns++
			a.ReturnedSeats += len(c.Seats)
			for _, seat := range c.Seats {
				left[seat] = append(left[seat], *c)
			}
		}
	}
	other := map[string]bool{} // by user: whether the buyer has paid under a second order
	for i := range r.Calls {
		c := &r.Calls[i]
		if c.Op != oracle.Buy {
			continue
		}
		other[c.User] = other[c.User] || strings.HasSuffix(c.Order, load.OtherTab)
		for _, seat := range c.Seats {
			isAgain := func(before client.Call) bool { return before.User != c.User && before.Sent < c.Answered }
			if n := slices.IndexFunc(left[seat], isAgain); c.Outcome == oracle.Done && n >= 0 {
				a.SoldAgain++
				left[seat] = slices.Delete(left[seat], n, n+1)
			}
		}
	}
	for _, is := range other {
		if is {
			a.DoublePayments++
		}
	}
	if a == (After{}) {
		return nil
	}
	return &a
}
