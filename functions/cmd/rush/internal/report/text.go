package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"booking/functions/cmd/rush/internal/client"
	"booking/seatlock/oracle"
)

// maxFindings is how many findings a report shows. The JSON has all.
const maxFindings = 10

// Answer is a word in the column "answer".
type Answer struct {
	Name    oracle.Outcome
	Meaning string
}

// Answers explains all answers.
var Answers = []Answer{
	{oracle.Done, "it took effect"},
	{oracle.Refused, "it took no effect: another user has the seats, they are sold under another order, blocked or not on sale, or the hold has ended"},
	{oracle.NotRun, "it took no effect: no connection, 503 unavailable, or no seat map"},
	{oracle.Unknown, "it may have taken effect: no answer, 503 outcome_unknown, or another 5xx"},
	{client.Unexpected, "it took no effect: a redirect or a 4xx that no simulated buyer should get"},
}

// Explained returns the answers of the run that are neither done nor refused.
func (s *Summary) Explained() []Answer {
	var answers []Answer
	for _, a := range Answers[2:] {
		if slices.ContainsFunc(s.Latencies, func(l LatencyLine) bool { return l.Answer == a.Name }) {
			answers = append(answers, a)
		}
	}
	return answers
}

// Write writes the summary as text.
func (s *Summary) Write(w io.Writer) {
	fmt.Fprintln(w)
	if s.Interrupted {
		fmt.Fprintf(w, "Interrupted after %.1f s, when %s of %s buyers had arrived.\n", s.Seconds, Count(s.Arrived), Count(s.Users))
	}
	fmt.Fprintf(w, "%s\n%s\n", s.Outcome(), s.Throughput())
	if s.Put != nil {
		fmt.Fprintln(w, s.PutSentence())
	}
	if s.After != nil {
		fmt.Fprintln(w, s.After.Sentence())
	}
	if s.Best != nil {
		fmt.Fprintln(w, s.Best.Sentence())
	}
	fmt.Fprintln(w)
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options = table.OptionsNoBordersAndSeparators
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"latency, ms", "answer", "calls", "p50", "p90", "p99", "p99.9", "max"})
	for _, l := range s.Latencies {
		t.AppendRow(table.Row{l.Op, l.Answer, Count(l.Count), round(l.P50), round(l.P90), round(l.P99), round(l.P999), round(l.Max)})
	}
	var columns []table.ColumnConfig
	for n := 3; n <= 8; n++ {
		columns = append(columns, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(columns)
	fmt.Fprintln(w, t.Render())
	for _, a := range s.Explained() {
		fmt.Fprintf(w, " %s: %s\n", a.Name, a.Meaning)
	}
	fmt.Fprintln(w)
	if s.Unexpected != "" {
		fmt.Fprintf(w, "The first unexpected answer: %s\n", s.Unexpected)
	}
	for _, line := range s.Generator.Sentences() {
		fmt.Fprintln(w, line)
	}
	if s.Watchers.Streams > 0 {
		fmt.Fprintln(w, s.WatchersSentence())
	}
	fmt.Fprintln(w, s.Oracle.Sentence())
	for i, f := range s.Oracle.Findings {
		if i == maxFindings {
			fmt.Fprintf(w, "… and %s more; -json shows all.\n", Count(len(s.Oracle.Findings)-maxFindings))
			break
		}
		fmt.Fprintln(w, f)
	}
}

// Outcome says how many seats were sold.
func (s *Summary) Outcome() string {
	wanted := fmt.Sprintf("The most wanted seat was requested %s times.", Count(s.MostWanted))
	switch {
	case s.SoldOut != nil:
		return fmt.Sprintf("Sold out after %.1f s: %s seats, %s buyers. %s", *s.SoldOut, Count(s.Sold), Count(s.Arrived), wanted)
	case s.Held > 0:
		return fmt.Sprintf("Sold %s of %s seats, and %s are still held. %s", Count(s.Sold), Count(s.Seats), Count(s.Held), wanted)
	}
	return fmt.Sprintf("Sold %s of %s seats. %s", Count(s.Sold), Count(s.Seats), wanted)
}

// Throughput says how many calls there were, and which faults.
func (s *Summary) Throughput() string {
	line := fmt.Sprintf("%s calls in %.1f s: %s per second on average, %s in the busiest second.", Count(s.Calls), s.Seconds, Count(int(s.PerSecond)), Count(s.BusiestSecond))
	if len(s.Faults) > 0 {
		var faults []string
		for _, f := range s.Faults {
			faults = append(faults, fmt.Sprintf("%s at %.1f s", f.Name, f.At))
		}
		line += " Faults of Redis: " + strings.Join(faults, ", ") + "."
	}
	return line
}

// PutSentence says what rush put of the event.
func (s *Summary) PutSentence() string {
	p := s.Put
	line := fmt.Sprintf("rush put the event with %s and a hold time of %v.", SeatsText(s.Seats, p.Places, s.SeatPlan), time.Duration(p.HoldSeconds*float64(time.Second)))
	if p.OnSaleAt != nil {
		line += fmt.Sprintf(" The sale opened after %.1f s, at %s; %s reserves were refused as not on sale.",
			p.OnSaleAfter, p.OnSaleAt.UTC().Format("15:04:05.000 UTC"), Count(s.TooSoon))
	}
	if p.Blocked > 0 {
		line += fmt.Sprintf(" %s seats were blocked for the channel %s.", Count(p.Blocked), p.Channel)
	}
	return line
}

// SeatsText says how many seats there are, places of general admission among them.
func SeatsText(seats, places int, seatPlan string) string {
	text := fmt.Sprintf("%s seats (%s)", Count(seats-places), seatPlan)
	if places > 0 {
		text += fmt.Sprintf(", %s places of general admission", Count(places))
	}
	return text
}

// Sentence says how many buyers paid twice, and how many sales were returned and exchanged.
func (a *After) Sentence() string {
	var parts []string
	if a.DoublePayments > 0 {
		parts = append(parts, fmt.Sprintf("%s buyers paid twice at once, under two orders.", Count(a.DoublePayments)))
	}
	if a.Returns > 0 {
		parts = append(parts, fmt.Sprintf("%s returns ended the sale of %s seats; %s of these were sold again. Later, %s calls repeated a return.",
			Count(a.Returns), Count(a.ReturnedSeats), Count(a.SoldAgain), Count(a.LateReturns)))
	}
	if a.Exchanges > 0 {
		parts = append(parts, fmt.Sprintf("%s exchanges moved sales to other seats. Later, %s calls repeated an exchange.", Count(a.Exchanges), Count(a.LateExchanges)))
	}
	return strings.Join(parts, " ")
}

// Sentence says how many calls got the best available seats, and what they left.
func (b *Best) Sentence() string {
	places := ""
	if b.Places > 0 {
		places = fmt.Sprintf(", or %s places of general admission", Count(b.Places))
	}
	return fmt.Sprintf("%s calls for the best available seats: %s got seats next to one another%s. They left %s single free seats; a naive first fit would have left %s in their place.",
		Count(b.Calls), Count(b.Holds), places, Count(b.Singles), Count(b.FirstFit))
}

// Sentences say how well rush kept up with the load.
func (g *Generator) Sentences() []string {
	cpu := fmt.Sprintf("CPU time: rush %.1f s", g.CPUSeconds)
	if g.ServiceCPUSeconds > 0 {
		cpu += fmt.Sprintf(", the service %.1f s", g.ServiceCPUSeconds)
	}
	lines := []string{fmt.Sprintf("Generator: calls were up to %s ms late (p99; max %s ms), and then waited up to %s ms for a connection (p99). %s.",
		round(g.DelayP99), round(g.DelayMax), round(g.WaitP99), cpu)}
	if g.Warning != "" {
		lines = append(lines, g.Warning)
	}
	return lines
}

// WatchersSentence says whether the watchers received all changes.
func (s *Summary) WatchersSentence() string {
	w := s.Watchers
	if w.Lost > 0 {
		return fmt.Sprintf("Watchers: promise BROKEN: %s of %s streams did not receive exactly the %s changes.", Count(w.Lost), Count(w.Streams), Count(w.Changes))
	}
	return fmt.Sprintf("Watchers: each of %s streams received all %s changes, in order; %s times a stream ended and was resumed.", Count(w.Streams), Count(w.Changes), Count(w.Resumed))
}

// Sentence says whether a promise was broken.
func (v *Verdict) Sentence() string {
	if n := len(v.Findings); n > 0 {
		return fmt.Sprintf("Oracle: %s calls judged, promises BROKEN: %s.", Count(v.Judged), Count(n))
	}
	left := ""
	switch {
	case v.Tried > 0:
		left = fmt.Sprintf(" All %s seats that are left can be reserved.", Count(v.Tried))
	case v.Untried > 0:
		left = fmt.Sprintf(" The %s seats that are left were not tried.", Count(v.Untried))
	}
	if v.Blocked > 0 && v.Tried > 0 {
		left += fmt.Sprintf(" %s of them were blocked until then.", Count(v.Blocked))
	}
	return fmt.Sprintf("Oracle: %s calls judged, no promise broken. Each of the %s seats confirmed as sold belongs to its buyer.%s", Count(v.Judged), Count(v.Confirmed), left)
}

// round formats milliseconds with two decimals, or none from 10 on.
func round(ms float64) string {
	if ms < 10 {
		return strconv.FormatFloat(ms, 'f', 2, 64)
	}
	return strconv.FormatFloat(ms, 'f', 0, 64)
}

// Count formats n with commas between thousands.
func Count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
