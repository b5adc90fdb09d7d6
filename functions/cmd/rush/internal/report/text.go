package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"booking/functions/cmd/rush/internal/history"
	"booking/seatlock/oracle"
)

// shown is how many findings are told in full.
const shown = 10

// Answer is a word of the table, and what it means.
type Answer struct {
	Outcome oracle.Outcome
	Meaning string
}

// Answers are all of them.
var Answers = []Answer{
	{oracle.Done, "it took effect"},
	{oracle.Refused, "it took no effect: the seats are another's, or the hold is over"},
	{oracle.NotRun, "it took no effect: no connection, 503 unavailable, or a look that got no seat map"},
	{oracle.Unknown, "it may have taken effect: no answer, 503 outcome_unknown, or another 5xx"},
	{history.Unexpected, "it took no effect, and no buyer of these should get it: a redirect, or another 4xx"},
}

// Explained returns the answers of the run that do not explain themselves.
func (s *Summary) Explained() []Answer {
	var answers []Answer
	for _, a := range Answers[2:] {
		if slices.ContainsFunc(s.Latencies, func(l LatencyLine) bool { return l.Outcome == a.Outcome }) {
			answers = append(answers, a)
		}
	}
	return answers
}

// Write tells a person how the run went.
func (s *Summary) Write(w io.Writer) {
	fmt.Fprintln(w)
	if s.CutShort {
		fmt.Fprintf(w, "Cut short after %.1f s, when %s of %s buyers had come.\n", s.Seconds, Count(s.Came), Count(s.Users))
	}
	fmt.Fprintf(w, "%s\n", s.Outcome())
	fmt.Fprintf(w, "%s\n\n", s.Throughput())
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options = table.OptionsNoBordersAndSeparators
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"ms since due", "answer", "requests", "p50", "p90", "p99", "p99.9", "max"})
	for _, l := range s.Latencies {
		t.AppendRow(table.Row{l.Op, l.Outcome, Count(l.Count), figure(l.P50), figure(l.P90), figure(l.P99), figure(l.P999), figure(l.Max)})
	}
	var columns []table.ColumnConfig
	for n := 3; n <= 8; n++ {
		columns = append(columns, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(columns)
	fmt.Fprintln(w, t.Render())
	for _, a := range s.Explained() {
		fmt.Fprintf(w, " %s: %s\n", a.Outcome, a.Meaning)
	}
	fmt.Fprintln(w)
	if s.Unexpected != "" {
		fmt.Fprintf(w, "Not every answer was expected; the first that was not: %s\n", s.Unexpected)
	}
	for _, line := range s.Generator.Sentences() {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintln(w, s.Oracle.Sentence())
	for i, f := range s.Oracle.Findings {
		if i == shown {
			fmt.Fprintf(w, "… and %s more; -json has them all.\n", Count(len(s.Oracle.Findings)-shown))
			break
		}
		fmt.Fprintln(w, f)
	}
}

// Outcome says what became of the hall.
func (s *Summary) Outcome() string {
	switch {
	case s.SoldOut != nil:
		return fmt.Sprintf("Sold out after %.1f s: all %s seats, %s buyers came; the most wanted seat was asked for %s times.",
			*s.SoldOut, Count(s.Seats), Count(s.Came), Count(s.Contested))
	case s.Held > 0:
		return fmt.Sprintf("%s of %s seats were sold, and %s are still held; the most wanted seat was asked for %s times.",
			Count(s.Sold), Count(s.Seats), Count(s.Held), Count(s.Contested))
	}
	return fmt.Sprintf("%s of %s seats were sold; the most wanted seat was asked for %s times.", Count(s.Sold), Count(s.Seats), Count(s.Contested))
}

// Throughput says how many requests there were.
func (s *Summary) Throughput() string {
	line := fmt.Sprintf("%s requests in %.1f s: %s a second, %s in the busiest.", Count(s.Requests), s.Seconds, Count(int(s.PerSecond)), Count(s.BusiestSecond))
	if len(s.Strikes) > 0 {
		var told []string
		for _, strike := range s.Strikes {
			told = append(told, fmt.Sprintf("%s at %.1f s", strike.Fault, strike.At))
		}
		line += " Redis met " + strings.Join(told, ", ") + "."
	}
	return line
}

// Sentences say how well the generator kept up.
func (g *Generator) Sentences() []string {
	line := fmt.Sprintf("Generator: 99 %% of requests left within %s ms of when they were due (the latest %s ms), and had a connection %s ms later; it took %.1f s of CPU",
		figure(g.LateP99), figure(g.LateMax), figure(g.WaitP99), g.CPUSeconds)
	if g.ServiceSeconds > 0 {
		line += fmt.Sprintf(", the service %.1f s", g.ServiceSeconds)
	}
	lines := []string{line + "."}
	if g.Limit != "" {
		lines = append(lines, g.Limit)
	}
	return lines
}

// Sentence is the verdict.
func (v *Verdict) Sentence() string {
	left := ""
	switch {
	case v.Tried > 0:
		left = fmt.Sprintf(", each of the %s seats that are left can be reserved", Count(v.Tried))
	case v.Untried > 0:
		left = fmt.Sprintf(", %s seats that are left were not tried", Count(v.Untried))
	}
	if len(v.Findings) == 0 {
		return fmt.Sprintf("Oracle: %s calls judged, no promise broken: each of the %s seats that a buyer was told is sold is that buyer's%s.", Count(v.Judged), Count(v.Sales), left)
	}
	return fmt.Sprintf("Oracle: %s calls judged, and a promise is BROKEN %s times:", Count(v.Judged), Count(len(v.Findings)))
}

// figure is a number of milliseconds with as many digits as are of use.
func figure(ms float64) string {
	if ms < 10 {
		return strconv.FormatFloat(ms, 'f', 2, 64)
	}
	return strconv.FormatFloat(ms, 'f', 0, 64)
}

// Count is a number with its thousands apart.
func Count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
