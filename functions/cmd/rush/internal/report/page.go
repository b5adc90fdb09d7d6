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

	"booking/functions/cmd/rush/internal/history"
)

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("page").Funcs(template.FuncMap{"count": Count, "figure": figure}).Parse(pageHTML))

// picture is one of the page.
type picture struct {
	File, Title, Description string
}

// wide is how wide all pictures are: a printed page holds it.
const wide = 7 * vg.Inch

// WritePage writes index.html, and its pictures as SVG files beside it, into a
// directory, which it makes where there is none.
func (r *Run) WritePage(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	pictures, err := r.draw(dir)
	if err != nil {
		return err
	}
	findings := r.Summary.Oracle.Findings
	more := max(0, len(findings)-shown)
	var b bytes.Buffer
	err = page.Execute(&b, map[string]any{"S": &r.Summary, "Pictures": pictures, "Findings": findings[:len(findings)-more], "More": more})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "index.html"), b.Bytes(), 0o644)
}

// draw writes the pictures. Their descriptions say in words what they show.
func (r *Run) draw(dir string) ([]picture, error) {
	if len(r.Calls) == 0 || len(r.Sightings) == 0 {
		return nil, nil // it was cut short before there was anything to see
	}
	seconds := history.Seconds(r.Calls)
	asked := Asked(r.Calls)
	seats, err := r.seats()
	if err != nil {
		return nil, err
	}
	requests, err := r.requests(seconds)
	if err != nil {
		return nil, err
	}
	latencies, err := r.latencies(seconds)
	if err != nil {
		return nil, err
	}
	operations, err := r.operations()
	if err != nil {
		return nil, err
	}
	heat, heatHigh := r.heat(asked)
	var pictures []picture
	for _, drawn := range []struct {
		plot *plot.Plot
		high vg.Length
		picture
	}{
		{seats, 3.4 * vg.Inch, picture{"seats.svg", "Seats by state", r.tellSeats()}},
		{requests, 3.4 * vg.Inch, picture{"requests.svg", "Requests a second, by outcome", r.tellRequests(seconds)}},
		{latencies, 3.4 * vg.Inch, picture{"latency.svg", "Latency over time", r.tellLatencies(seconds)}},
		{operations, vg.Length(len(r.Summary.Latencies))*vg.Points(26) + 1.6*vg.Inch, picture{"operations.svg", "Latency by operation and answer",
			"A line for each operation and answer, from the time that half of the requests were faster than to the slowest. The table below has the same figures."}},
		{heat, heatHigh, picture{"hall.svg", "How contested each seat was", r.tellHeat(asked)}},
	} {
		text, err := svg(drawn.plot, wide, drawn.high, drawn.Title, drawn.Description)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, drawn.File), text, 0o644); err != nil {
			return nil, err
		}
		pictures = append(pictures, drawn.picture)
	}
	return pictures, nil
}

func (r *Run) tellSeats() string {
	s := fmt.Sprintf("Seats that are sold, held and free, over %.0f seconds.", r.Summary.Seconds)
	for _, percent := range []int{50, 90, 99, 100} {
		for _, seen := range r.Sightings {
			if seen.Sold*100 >= percent*r.Summary.Seats {
				s += fmt.Sprintf(" %d %% were sold after %.1f s.", percent, seen.At.Seconds())
				break
			}
		}
	}
	held := 0
	for _, seen := range r.Sightings {
		held = max(held, seen.Held)
	}
	return s + fmt.Sprintf(" At most %s were held at the same time; in the end %s are sold.", Count(held), Count(r.Summary.Sold))
}

func (r *Run) tellRequests(seconds []history.Second) string {
	busiest := 0
	outcomes := map[string]int{}
	for i, s := range seconds {
		if s.Count > seconds[busiest].Count {
			busiest = i
		}
		for outcome, n := range s.Outcomes {
			outcomes[string(outcome)] += n
		}
	}
	return fmt.Sprintf("Requests that were answered in each second: %s in all, %s of them in the busiest second, which began after %d s. %s were done, %s refused, %s not run, %s are of unknown outcome, %s unexpected.",
		Count(r.Summary.Requests), Count(seconds[busiest].Count), busiest,
		Count(outcomes["done"]), Count(outcomes["refused"]), Count(outcomes["not run"]), Count(outcomes["unknown"]), Count(outcomes["unexpected"]))
}

func (r *Run) tellLatencies(seconds []history.Second) string {
	worst := 0
	for i, s := range seconds {
		if s.P99 > seconds[worst].P99 {
			worst = i
		}
	}
	return fmt.Sprintf("Time from when a request was due to its answer, for each second, on a logarithmic scale. The worst second began after %d s: half of its requests were answered within %s ms, 99 %% within %s ms, and the slowest took %s ms.",
		worst, figure(MS(seconds[worst].P50)), figure(MS(seconds[worst].P99)), figure(MS(seconds[worst].Max)))
}

func (r *Run) tellHeat(asked map[string]int) string {
	most, total, best := 0, 0, ""
	for _, row := range r.Rows {
		for _, seat := range row.SeatIDs {
			total += asked[seat]
			if asked[seat] > most {
				most, best = asked[seat], seat
			}
		}
	}
	if most == 0 {
		return "No seat was asked for."
	}
	return fmt.Sprintf("The hall from above; the darker a seat, the more often it was asked for. The most wanted was %s, %s times; on average a seat was asked for %.1f times.",
		best, Count(most), float64(total)/float64(r.Summary.Seats))
}
