// Package report tells how a run went: to a person, to a program, and in pictures.
package report

import (
	"fmt"
	"time"

	"booking/functions/cmd/rush/internal/history"
	"booking/functions/cmd/rush/internal/storm"
	"booking/functions/internal/seatplan"
	"booking/seatlock/oracle"
)

// Summary is everything that a run showed. Times within it are in seconds, those of
// latencies in milliseconds.
type Summary struct {
	Seed     uint64  `json:"seed"`
	Target   string  `json:"target"`
	Redis    string  `json:"redis"`
	Event    string  `json:"event"`
	SeatPlan string  `json:"seat_plan"`
	Seats    int     `json:"seats"`
	Users    int     `json:"users"`
	Came     int     `json:"came"`
	CutShort bool    `json:"cut_short"`
	Seconds  float64 `json:"seconds"`

	Sold      int      `json:"sold"`
	Held      int      `json:"held"`
	SoldOut   *float64 `json:"sold_out_after,omitempty"`
	Contested int      `json:"most_wanted_seat_asked_for"` // times

	Requests      int           `json:"requests"`
	PerSecond     float64       `json:"requests_per_second"`
	BusiestSecond int           `json:"busiest_second"`
	Latencies     []LatencyLine `json:"latencies"`
	Unexpected    string        `json:"unexpected,omitempty"` // the first such answer
	Strikes       []Strike      `json:"faults,omitempty"`

	Generator Generator `json:"generator"`
	Oracle    Verdict   `json:"oracle"`
}

// LatencyLine is how long answers of one kind took, from when their requests were due.
type LatencyLine struct {
	Op      oracle.Op      `json:"op"`
	Outcome oracle.Outcome `json:"outcome"`
	Count   int            `json:"count"`
	P50     float64        `json:"p50_ms"`
	P90     float64        `json:"p90_ms"`
	P99     float64        `json:"p99_ms"`
	P999    float64        `json:"p99_9_ms"`
	Max     float64        `json:"max_ms"`
}

// Strike is a fault that was made to happen.
type Strike struct {
	Fault string  `json:"fault"`
	At    float64 `json:"at"`
}

// Generator is how well the sender of the requests kept up.
type Generator struct {
	LateP99        float64 `json:"late_p99_ms"` // asleep past when a request was due
	LateMax        float64 `json:"late_max_ms"`
	WaitP99        float64 `json:"connection_wait_p99_ms"`
	WaitMax        float64 `json:"connection_wait_max_ms"`
	Connections    int     `json:"connections"`
	CPUSeconds     float64 `json:"cpu_seconds"`
	ServiceSeconds float64 `json:"service_cpu_seconds,omitempty"` // where it was started here
	Limit          string  `json:"limit,omitempty"`               // a sentence, where the generator was one
}

// Verdict is what the oracle says of the whole history.
type Verdict struct {
	Judged   int              `json:"calls_judged"`
	Sales    int              `json:"seats_sold_as_acknowledged"`
	Tried    int              `json:"seats_left_and_tried"`
	Untried  int              `json:"seats_left_and_not_tried"`
	Findings []oracle.Finding `json:"findings"`
}

// NewLatencyLines turns times into figures.
func NewLatencyLines(latencies []history.Latency) []LatencyLine {
	var lines []LatencyLine
	for _, l := range latencies {
		lines = append(lines, LatencyLine{l.Op, l.Outcome, l.Count, MS(l.P50), MS(l.P90), MS(l.P99), MS(l.P999), MS(l.Max)})
	}
	return lines
}

// MS is a time in milliseconds.
func MS(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// lateBy is from when on a generator that wakes late is named as the limit, ms.
const lateBy = 20

// Judge says whether the generator was the limit.
func (g *Generator) Judge() {
	switch {
	case g.LateP99 > lateBy:
		g.Limit = "The generator itself was late, so these are not the times of the service alone: give it a machine of its own, or fewer -users."
	case g.WaitP99 > lateBy:
		g.Limit = "Requests waited for a connection: the service is slower than they come, or give the generator more -connections."
	}
}

// Run is what pictures are drawn of.
type Run struct {
	Summary   Summary
	Calls     []history.Call
	Sightings []storm.Sighting
	Rows      []seatplan.Row // as the hall has them
}

// Asked counts how often each seat was asked for.
func Asked(calls []history.Call) map[string]int {
	asked := map[string]int{}
	for i := range calls {
		if calls[i].Op == oracle.Reserve {
			for _, seat := range calls[i].Seats {
				asked[seat]++
			}
		}
	}
	return asked
}

// Fill adds to s what the run's requests and sightings say; the storm took so long.
func (s *Summary) Fill(r *Run, took time.Duration) {
	s.Seconds = took.Seconds()
	s.Requests = len(r.Calls)
	s.PerSecond = float64(s.Requests) / s.Seconds
	s.Latencies = NewLatencyLines(history.Latencies(r.Calls))
	for _, second := range history.Seconds(r.Calls) {
		s.BusiestSecond = max(s.BusiestSecond, second.Count)
	}
	for _, seen := range r.Sightings {
		if seen.Sold == s.Seats && s.SoldOut == nil {
			at := seen.At.Seconds()
			s.SoldOut = &at
		}
	}
	if s.Sold == s.Seats && s.SoldOut == nil { // after the last look
		s.SoldOut = &s.Seconds
	}
	for _, n := range Asked(r.Calls) {
		s.Contested = max(s.Contested, n)
	}
	for i := range r.Calls {
		if c := &r.Calls[i]; c.Kind() == history.Unexpected {
			s.Unexpected = fmt.Sprintf("%s was answered %d %s", c.Op, c.Status, c.Code)
			break
		}
	}
	s.Generator.Judge()
}
