package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"os"
	"path/filepath"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"booking/functions/cmd/internal/chart"
	"booking/functions/cmd/rush/internal/client"
)

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("page").Funcs(template.FuncMap{"count": Count, "round": round}).Parse(pageHTML))

// figure is a chart on the page. Its Description says in words what the chart shows.
type figure struct {
	File, Title, Description string
}

// chartWidth fits on a printed page.
const chartWidth = 7 * vg.Inch

// WritePage writes index.html and its charts, as SVG files, into the directory dir. It
// creates dir if necessary.
func (r *Run) WritePage(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	figures, err := r.writeCharts(dir)
	if err != nil {
		return err
	}
	findings := r.Summary.Oracle.Findings
	more := max(0, len(findings)-maxFindings)
	var b bytes.Buffer
	err = page.Execute(&b, map[string]any{"S": &r.Summary, "Figures": figures, "Findings": findings[:len(findings)-more], "More": more})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "index.html"), b.Bytes(), 0o644)
}

func (r *Run) writeCharts(dir string) ([]figure, error) {
	if len(r.Calls) == 0 || len(r.Samples) == 0 {
		return nil, nil // interrupted before the first answer
	}
	seconds := client.BySecond(r.Calls)
	reserves := r.reserves()
	seats, err := r.seatsChart()
	if err != nil {
		return nil, err
	}
	calls, err := r.callsChart(seconds)
	if err != nil {
		return nil, err
	}
	latency, err := r.latencyChart(seconds)
	if err != nil {
		return nil, err
	}
	answers, err := r.answersChart()
	if err != nil {
		return nil, err
	}
	hall, hallHeight := r.hallChart(reserves)
	var figures []figure
	for _, c := range []struct {
		plot   *plot.Plot
		height vg.Length
		figure
	}{
		{seats, 3.4 * vg.Inch, figure{"seats.svg", "Seats by state", r.describeSeats()}},
		{calls, 3.4 * vg.Inch, figure{"calls.svg", "Calls per second, by answer", r.describeCalls(seconds)}},
		{latency, 3.4 * vg.Inch, figure{"latency.svg", "Latency over time", r.describeLatency(seconds)}},
		{answers, vg.Length(len(r.Summary.Latencies))*vg.Points(26) + 1.6*vg.Inch, figure{"answers.svg", "Latency by operation and answer",
			"A line for each operation and answer, from the p50 to the max latency. The table below has the same figures."}},
		{hall, hallHeight, figure{"hall.svg", "How often each seat was requested", r.describeHall(reserves)}},
	} {
		svg, err := chart.SVG(c.plot, chartWidth, c.height, c.Title, c.Description)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, c.File), svg, 0o644); err != nil {
			return nil, err
		}
		figures = append(figures, c.figure)
	}
	return figures, nil
}

func (r *Run) describeSeats() string {
	s := fmt.Sprintf("Sold, held and free seats over %.0f seconds.", r.Summary.Seconds)
	if put := r.Summary.Put; put != nil && put.Blocked > 0 {
		s = fmt.Sprintf("Sold, held, blocked and free seats over %.0f seconds.", r.Summary.Seconds)
	}
	if put := r.Summary.Put; put != nil && put.OnSaleAt != nil {
		s += fmt.Sprintf(" The sale opened after %.1f s.", put.OnSaleAfter)
	}
	for _, percent := range []int{50, 90, 99, 100} {
		for _, sample := range r.Samples {
			if sample.Sold*100 >= percent*r.Summary.Seats {
				s += fmt.Sprintf(" %d %% were sold after %.1f s.", percent, sample.At.Seconds())
				break
			}
		}
	}
	held := 0
	for _, sample := range r.Samples {
		held = max(held, sample.Held)
	}
	return s + fmt.Sprintf(" At most %s were held at the same time. At the end %s are sold.", Count(held), Count(r.Summary.Sold))
}

func (r *Run) describeCalls(seconds []client.Second) string {
	busiest := 0
	answers := map[string]int{}
	for i, s := range seconds {
		if s.Count > seconds[busiest].Count {
			busiest = i
		}
		for answer, n := range s.Answers {
			answers[string(answer)] += n
		}
	}
	return fmt.Sprintf("Calls answered in each second: %s in all, %s of them in the busiest second, after %d s. Answers: %s done, %s refused, %s not run, %s unknown, %s unexpected.",
		Count(r.Summary.Calls), Count(seconds[busiest].Count), busiest,
		Count(answers["done"]), Count(answers["refused"]), Count(answers["not run"]), Count(answers["unknown"]), Count(answers["unexpected"]))
}

func (r *Run) describeLatency(seconds []client.Second) string {
	worst := 0
	for i, s := range seconds {
		if s.P99 > seconds[worst].P99 {
			worst = i
		}
	}
	return fmt.Sprintf("Time from when a call was due to its answer, for each second, on a logarithmic scale. The worst second is after %d s: p50 %s ms, p99 %s ms, max %s ms.",
		worst, round(Milliseconds(seconds[worst].P50)), round(Milliseconds(seconds[worst].P99)), round(Milliseconds(seconds[worst].Max)))
}

func (r *Run) describeHall(reserves map[string]int) string {
	most, total, seatID := 0, 0, ""
	for _, row := range r.Rows {
		for _, seat := range row.SeatIDs {
			total += reserves[seat]
			if reserves[seat] > most {
				most, seatID = reserves[seat], seat
			}
		}
	}
	if most == 0 {
		return "No seat was requested."
	}
	return fmt.Sprintf("The hall from above. The darker a seat, the more often it was requested: %s most often, %s times; a seat on average, %.1f times.",
		seatID, Count(most), float64(total)/float64(r.Summary.Seats))
}
