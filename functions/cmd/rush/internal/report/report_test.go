package report

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/internal/chart"
	"booking/functions/cmd/rush/internal/client"
	"booking/functions/cmd/rush/internal/load"
	"booking/functions/internal/plan"
	"booking/seatlock/oracle"
)

// brokenRun is a short run in which a seat was sold to two buyers.
func brokenRun() *Run {
	sale := func(user string, at time.Duration) client.Call {
		return client.Call{Status: 200, Due: at, Call: oracle.Call{Op: oracle.Buy, Event: "gala", Seats: []string{"1A"}, User: user,
			Sent: at, Answered: at + 25*time.Millisecond, Outcome: oracle.Done}}
	}
	r := &Run{
		Calls:   []client.Call{sale("<ann>", time.Second), sale("bob", 2*time.Second)},
		Samples: []load.Sample{{At: time.Second, Held: 1}, {At: 2 * time.Second, Sold: 2}},
		Rows:    []plan.Row{{Label: "1", SeatIDs: []string{"1A", "1B"}}},
	}
	r.Summary = Summary{Seed: 7, Seats: 2, Users: 2, Arrived: 2, Sold: 2}
	r.Summarize(3 * time.Second)
	r.Summary.Oracle.Findings = []oracle.Finding{{Promise: oracle.OneBuyer, Seat: oracle.SeatID{Event: "gala", Seat: "1A"},
		Calls: []oracle.Call{r.Calls[0].Call, r.Calls[1].Call}}}
	return r
}

func TestReport_ShowsFindings(t *testing.T) {
	t.Parallel()
	r := brokenRun()
	var text bytes.Buffer
	r.Summary.Write(&text)
	require.Contains(t, text.String(), "Sold out after 2.0 s")
	require.Contains(t, text.String(), "promises BROKEN: 1.\nbroken: a seat has at most one buyer at any time: one user, under one order")
	require.Contains(t, text.String(), "buy 1A by <ann>: done")

	dir := filepath.Join(t.TempDir(), "a", "report")
	require.NoError(t, r.WritePage(dir))
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	require.Contains(t, string(page), `class="verdict broken"`)
	require.Contains(t, string(page), "buy 1A by &lt;ann&gt;: done")
}

func TestReport_NamesWhatWasPut(t *testing.T) {
	t.Parallel()
	r := brokenRun()
	opens := time.UnixMilli(1_795_600_000_250)
	r.Calls = append(r.Calls, client.Call{Status: 409, Code: "not_on_sale", Call: oracle.Call{Op: oracle.Reserve, Seats: []string{"1A"}, Outcome: oracle.Refused, NotOnSale: true}})
	r.Samples = append(r.Samples, load.Sample{At: 3 * time.Second, Sold: 2, Blocked: 1})
	r.Summary = Summary{Seats: 3, SeatPlan: "1:A-C", Arrived: 2, Sold: 2,
		Put: &Put{HoldSeconds: 1.6, OnSaleAt: &opens, OnSaleAfter: 0.5, Blocked: 1, Channel: "house"}}
	r.Summarize(3 * time.Second)
	r.Summary.Oracle = Verdict{Judged: 4, Confirmed: 2, Tried: 1, Blocked: 1}
	var text bytes.Buffer
	r.Summary.Write(&text)
	const sentence = "rush put the event with 3 seats (1:A-C) and a hold time of 1.6s. The sale opened after 0.5 s, at 09:46:40.250 UTC; " +
		"1 reserves were refused as not on sale. 1 seats were blocked for the channel house."
	require.Contains(t, text.String(), sentence)
	require.Contains(t, text.String(), "Sold out after 2.0 s: 2 seats", "without the blocked one")
	require.Contains(t, text.String(), "All 1 seats that are left can be reserved. 1 of them were blocked until then.")

	dir := t.TempDir()
	require.NoError(t, r.WritePage(dir))
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	require.Contains(t, string(page), sentence)
	svg, err := os.ReadFile(filepath.Join(dir, "seats.svg"))
	require.NoError(t, err)
	require.Contains(t, texts(t, svg), "blocked")
	require.Contains(t, texts(t, svg), "the sale opens")
}

func TestReport_CountsReturns(t *testing.T) {
	t.Parallel()
	call := func(at int, op oracle.Op, user, order string, outcome oracle.Outcome, seats ...string) client.Call {
		sent := time.Duration(at) * time.Second
		return client.Call{Status: 200, Due: sent, Call: oracle.Call{Op: op, Seats: seats, User: user, Order: order, Sent: sent, Answered: sent + time.Millisecond, Outcome: outcome}}
	}
	r := &Run{Calls: []client.Call{
		call(1, oracle.Buy, "ann", "o1", oracle.Done, "1A", "1B"),
		call(1, oracle.Buy, "ann", "o1"+load.OtherTab, oracle.Refused, "1A", "1B"),
		call(2, oracle.Return, "ann", "o1", oracle.Done, "1A", "1B"),
		call(2, oracle.Return, "ann", "o1", oracle.Done, "1A", "1B"), // sent twice at once
		call(3, oracle.Buy, "bob", "o2", oracle.Done, "1A"),
		call(3, oracle.Buy, "bob", "o2", oracle.Done, "1A"),
		call(4, oracle.Return, "ann", "o1", oracle.Refused, "1A", "1B"),
		call(4, oracle.Exchange, "bob", "o2", oracle.Done, "1A"),
		call(5, oracle.Exchange, "bob", "o2", oracle.Done, "1A"),
	}}
	r.Samples = []load.Sample{{At: time.Second, Sold: 2}, {At: 2 * time.Second}, {At: 3 * time.Second, Sold: 1}}
	r.Summary = Summary{Seats: 2, Sold: 1}
	r.Summarize(5 * time.Second)
	require.Equal(t, After{DoublePayments: 1, Returns: 1, ReturnedSeats: 2, SoldAgain: 1, LateReturns: 1, Exchanges: 1, LateExchanges: 1}, *r.Summary.After)
	require.Nil(t, r.Summary.SoldOut, "a seat was returned")
	const sentence = "1 buyers paid twice at once, under two orders. 1 returns ended the sale of 2 seats; 1 of these were sold again. Later, 1 calls repeated a return. " +
		"1 exchanges moved sales to other seats. Later, 1 calls repeated an exchange."
	var text bytes.Buffer
	r.Summary.Write(&text)
	require.Contains(t, text.String(), "Sold 1 of 2 seats.")
	require.Contains(t, text.String(), sentence)
	dir := t.TempDir()
	require.NoError(t, r.WritePage(dir))
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	require.Contains(t, string(page), sentence)

	r.Samples = append(r.Samples, load.Sample{At: 4 * time.Second, Sold: 2}, load.Sample{At: 5 * time.Second, Sold: 2})
	r.Summary = Summary{Seats: 2, Sold: 2}
	r.Summarize(5 * time.Second)
	require.InDelta(t, 4, *r.Summary.SoldOut, 0, "for good")
}

func TestWritePage_OmitsChartsOfNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := &Run{Summary: Summary{Seats: 2, Interrupted: true}}
	r.Summarize(time.Second)
	require.NoError(t, r.WritePage(dir))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1)
}

func TestGenerator_WarnsIfItIsTheBottleneck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		g    Generator
		want string
	}{
		{Generator{DelayP99: 3, WaitP99: 0.1}, ""},
		{Generator{DelayP99: 50, WaitP99: 50}, "rush itself was late"},
		{Generator{DelayP99: 3, WaitP99: 50}, "Calls waited for a free connection"},
	} {
		c.g.warn()
		require.Contains(t, c.g.Warning, c.want)
		require.Equal(t, c.want == "", c.g.Warning == "")
	}
}

func TestRoundTicks_AreFew(t *testing.T) {
	t.Parallel()
	for last, want := range map[float64][]string{
		1: {"1"}, 12: {"1", "2", "4", "6", "8", "10", "12"}, 40: {"1", "5", "10", "15", "20", "25", "30", "35", "40"}, 2500: {"1", "500", "1,000", "1,500", "2,000", "2,500"},
	} {
		var labels []string
		for _, tick := range (roundTicks{1, last}).Ticks(0, 0) {
			labels = append(labels, tick.Label)
		}
		require.Equal(t, want, labels, last)
	}
}

// position is that of a text in a chart: x from the left, y from below.
type position struct{ x, y float64 }

// texts returns the positions of all texts in a chart.
func texts(t *testing.T, svg []byte) map[string]position {
	t.Helper()
	found := map[string]position{}
	for _, m := range regexp.MustCompile(`<text x="([\d.]+)" y="-([\d.]+)"[^>]*>([^<]+)</text>`).FindAllSubmatch(svg, -1) {
		x, err := strconv.ParseFloat(string(m[1]), 64)
		require.NoError(t, err)
		y, err := strconv.ParseFloat(string(m[2]), 64)
		require.NoError(t, err)
		found[string(m[3])] = position{x, y}
	}
	return found
}

func TestHallChart_NamesSeatsBelowTheStage(t *testing.T) {
	t.Parallel()
	hall, err := plan.ParseShort("1-16:A-P,17:A-C")
	require.NoError(t, err)
	r := &Run{Rows: hall.Rows()}
	p, height := r.hallChart(map[string]int{"1H": 40, "17A": 3})
	text, err := chart.SVG(p, chartWidth, height, "hall", "")
	require.NoError(t, err)
	at := texts(t, text)
	for _, names := range []string{"A B C D E F G H I J K L M N O P", "17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 Stage"} {
		list := strings.Fields(names)
		for i, name := range list {
			require.Contains(t, at, name)
			if i == 0 {
				continue
			}
			if list[0] == "A" {
				require.Less(t, at[list[i-1]].x, at[name].x, "%s is left of %s", list[i-1], name)
			} else {
				require.Less(t, at[list[i-1]].y, at[name].y, "%s is below %s", list[i-1], name)
			}
		}
	}
	require.Contains(t, at, "requested 40 times")
}

func TestHallChart_NamesSeatsWithinTheirRow(t *testing.T) {
	t.Parallel()
	hall, err := plan.ParseShort("1-2:A-B,STALLS-{A-B}-{7-8}")
	require.NoError(t, err)
	require.Equal(t, []string{"A", "B", "7", "8"}, newHeatMap(hall.Rows(), nil).columns)
}

func TestHallChart_DrawsAnyPlan(t *testing.T) {
	t.Parallel()
	for _, seats := range []string{"1:A", "BOX:1-2,1-3:A-H", "1-9:1", "1-400:A-Z", "R:" + strings.Repeat("x", 63), "1-2:1-900", "STALLS-{A-H}-{1-30}", "{1-3}"} {
		hall, err := plan.ParseShort(seats)
		require.NoError(t, err)
		r := &Run{Rows: hall.Rows()}
		p, height := r.hallChart(nil)
		text, err := chart.SVG(p, chartWidth, height, "hall", "")
		require.NoError(t, err)
		require.Contains(t, texts(t, text), "Stage", seats)
	}
}

// luminance is that of https://www.w3.org/TR/WCAG22/#dfn-relative-luminance.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(colour, 16, 32)
	require.NoError(t, err)
	channel := func(shift uint, weight float64) float64 {
		v := float64(n>>shift&0xff) / 0xff
		if v <= 0.04045 {
			return weight * v / 12.92
		}
		return weight * math.Pow((v+0.055)/1.055, 2.4)
	}
	return channel(16, 0.2126) + channel(8, 0.7152) + channel(0, 0.0722)
}

// On a dark background, each colour is replaced or has enough contrast. The seats of the
// hall have an outline with enough contrast.
func TestCharts_AreReadableInTheDark(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, brokenRun().WritePage(dir))
	charts, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	require.NoError(t, err)
	require.Len(t, charts, 5)
	background := luminance(t, "161B22")
	for _, name := range charts {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		style, drawing, found := strings.Cut(string(text), "</style>")
		require.True(t, found)
		require.Contains(t, style, "@media (prefers-color-scheme: dark)")
		for _, m := range regexp.MustCompile(`(fill|stroke):#([0-9A-F]{6})`).FindAllStringSubmatch(drawing, -1) {
			if strings.Contains(style, `[style*="`+m[0]+`"]`) || m[1] == "fill" && strings.HasSuffix(name, "hall.svg") {
				continue
			}
			contrast := (luminance(t, m[2]) + 0.05) / (background + 0.05)
			require.Greater(t, contrast, 3.0, "%s in %s", m[0], filepath.Base(name))
		}
	}
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	require.Contains(t, string(page), "@media (prefers-color-scheme: dark)")
	require.Contains(t, string(page), "color-scheme: light dark")
}

func TestSummary_ExplainsRareAnswers(t *testing.T) {
	t.Parallel()
	r := brokenRun()
	text := func() string {
		var b bytes.Buffer
		r.Summary.Write(&b)
		return b.String()
	}
	require.NotContains(t, text(), "took no effect")
	for _, answer := range []oracle.Outcome{oracle.NotRun, oracle.Unknown, client.Unexpected} {
		r.Summary.Latencies = []LatencyLine{{Op: oracle.Buy, Answer: answer}}
		require.Regexp(t, `(?m)^ `+string(answer)+`: it (took no|may have taken) effect`, text())
	}
}

func TestCount_SeparatesThousands(t *testing.T) {
	t.Parallel()
	require.Equal(t, "7", Count(7))
	require.Equal(t, "1,000", Count(1000))
	require.Equal(t, "12,345,678", Count(12345678))
}
