package report

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/rush/internal/history"
	"booking/functions/cmd/rush/internal/storm"
	"booking/seatlock/oracle"
)

// broken is a short run in which a seat was sold to two.
func broken() *Run {
	sale := func(user string, at time.Duration) history.Call {
		return history.Call{Status: 200, Due: at, Call: oracle.Call{Op: oracle.Buy, Event: "gala", Seats: []string{"1A"}, User: user,
			Sent: at, Answered: at + 25*time.Millisecond, Outcome: oracle.Done}}
	}
	r := &Run{
		Calls:     []history.Call{sale("<ann>", time.Second), sale("bob", 2*time.Second)},
		Sightings: []storm.Sighting{{At: time.Second, Held: 1}, {At: 2 * time.Second, Sold: 2}},
		Rows:      [][]string{{"1A", "1B"}},
	}
	r.Summary = Summary{Seed: 7, Seats: 2, Users: 2, Came: 2, Sold: 2}
	r.Summary.Fill(r, 3*time.Second)
	r.Summary.Oracle.Findings = []oracle.Finding{{Promise: oracle.OneBuyer, Seat: oracle.SeatID{Event: "gala", Seat: "1A"},
		Calls: []oracle.Call{r.Calls[0].Call, r.Calls[1].Call}}}
	return r
}

func TestWhatIsBrokenIsToldWithItsProof(t *testing.T) {
	t.Parallel()
	r := broken()
	var text bytes.Buffer
	r.Summary.Write(&text)
	require.Contains(t, text.String(), "Sold out after 2.0 s")
	require.Contains(t, text.String(), "a promise is BROKEN 1 times:\nbroken: a seat has at most one buyer, ever")
	require.Contains(t, text.String(), "buy 1A by <ann>: done")

	dir := filepath.Join(t.TempDir(), "a", "report")
	require.NoError(t, r.WritePage(dir))
	page, err := os.ReadFile(filepath.Join(dir, "index.html"))
	require.NoError(t, err)
	require.Contains(t, string(page), `class="verdict broken"`)
	require.Contains(t, string(page), "buy 1A by &lt;ann&gt;: done")
}

func TestARunThatSawNothingHasNoPictures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := &Run{Summary: Summary{Seats: 2, CutShort: true}}
	r.Summary.Fill(r, time.Second)
	require.NoError(t, r.WritePage(dir))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1)
}

func TestTheGeneratorSaysWhenItWasTheLimit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		g    Generator
		want string
	}{
		{Generator{LateP99: 3, WaitP99: 0.1}, ""},
		{Generator{LateP99: 50, WaitP99: 50}, "The generator itself was late"},
		{Generator{LateP99: 3, WaitP99: 50}, "Requests waited for a connection"},
	} {
		c.g.Judge()
		require.Contains(t, c.g.Limit, c.want)
		require.Equal(t, c.want == "", c.g.Limit == "")
	}
}

func TestTicksAreFewAndRound(t *testing.T) {
	t.Parallel()
	for last, want := range map[float64][]string{
		1: {"1"}, 12: {"1", "2", "4", "6", "8", "10", "12"}, 40: {"1", "5", "10", "15", "20", "25", "30", "35", "40"}, 2500: {"1", "500", "1,000", "1,500", "2,000", "2,500"},
	} {
		var labels []string
		for _, tick := range (upTo{1, last}).Ticks(0, 0) {
			labels = append(labels, tick.Label)
		}
		require.Equal(t, want, labels, last)
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	require.Equal(t, "7", Count(7))
	require.Equal(t, "1,000", Count(1000))
	require.Equal(t, "12,345,678", Count(12345678))
}
