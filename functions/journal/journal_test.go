package journal_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/journal"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

const event = "gala"

type testBundle struct {
	*seatlock.Locker
	admin   *redis.Client
	handler http.Handler
}

func setup(t *testing.T, r *redistest.Redis) *testBundle {
	t.Helper()
	locker, err := seatlock.New(r.Client(t), seatlock.Options{Timeout: time.Minute})
	require.NoError(t, err)
	return &testBundle{Locker: locker, admin: r.Admin(t), handler: journal.New(locker, catalog.New(locker, catalog.Options{}))}
}

func (b *testBundle) get(query string) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/journal?event_id="+event+query, nil))
	return rec
}

// lines requires success and returns the lines.
func (b *testBundle) lines(t *testing.T, query string) (all []map[string]any) {
	t.Helper()
	rec := b.get(query)
	require.Equal(t, http.StatusOK, rec.Code, rec.Body)
	require.Equal(t, "application/x-ndjson", rec.Header().Get("Content-Type"))
	for text := range strings.Lines(rec.Body.String()) {
		var line map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &line))
		all = append(all, line)
	}
	return all
}

// all returns all lines, read limit at a time as clients do.
func (b *testBundle) all(t *testing.T, limit int) (all []map[string]any) {
	t.Helper()
	for after := "0"; ; {
		page := b.lines(t, fmt.Sprintf("&after=%s&limit=%d", after, limit))
		require.LessOrEqual(t, len(page), limit)
		all = append(all, page...)
		if len(page) < limit {
			return all
		}
		after = page[len(page)-1]["id"].(string)
	}
}

func (b *testBundle) reserve(t *testing.T, user string, seats ...string) seatlock.Hold {
	t.Helper()
	hold, err := b.Reserve(t.Context(), event, seats, user)
	require.NoError(t, err)
	return hold
}

func requireProblem(t *testing.T, rec *httptest.ResponseRecorder, status int, code api.Code) api.Problem {
	t.Helper()
	require.Equal(t, status, rec.Code, rec.Body)
	require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
	var p api.Problem
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &p))
	require.Equal(t, code, p.Code)
	return p
}

func TestJournal_SaysWhoDidWhatAndWhen(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		require.Empty(t, b.lines(t, ""), "an event without changes")
		terms := seatlock.Terms{Order: "o:1"}
		require.NoError(t, b.Block(t.Context(), event, []string{"2A"}, "house", seatlock.Terms{}))
		hold := b.reserve(t, "ann", "1A", "1B")
		require.NoError(t, b.BuyOn(t.Context(), event, []string{"1A"}, "ann", terms))
		require.NoError(t, b.Exchange(t.Context(), event, []string{"1A"}, []string{"1C"}, "ann", terms))
		require.NoError(t, b.Return(t.Context(), event, []string{"1C"}, "ann", terms))
		_, err := b.ReserveOn(t.Context(), event, []string{"2A"}, "bob", seatlock.Terms{Channel: "house"})
		require.NoError(t, err)
		require.NoError(t, b.Release(t.Context(), event, []string{"2A"}, "bob"))
		require.NoError(t, b.Unblock(t.Context(), event, []string{"2A"}, "house", seatlock.Terms{}))

		all := b.all(t, 1000)
		until := `,"expires_at":"` + api.Time(hold.Deadline) + `"`
		var want []string
		for i, rest := range []string{
			`"type":"blocked","seat_ids":["2A"],"channel":"house"`,
			`"type":"held","seat_ids":["1A","1B"],"user_id":"ann"` + until,
			`"type":"sold","seat_ids":["1A"],"user_id":"ann","order_id":"o:1"`,
			`"type":"exchanged","seat_ids":["1A"],"user_id":"ann","order_id":"o:1","to_seat_ids":["1C"]`,
			`"type":"returned","seat_ids":["1C"],"user_id":"ann","order_id":"o:1"`,
			`"type":"held","seat_ids":["2A"],"user_id":"bob","expires_at":"` + fmt.Sprint(all[5]["expires_at"]) + `","channel":"house"`,
			`"type":"released","seat_ids":["2A"],"user_id":"bob"`,
			`"type":"blocked","seat_ids":["2A"],"channel":"house"`,
			`"type":"unblocked","seat_ids":["2A"],"channel":"house"`,
		} {
			want = append(want, fmt.Sprintf(`{"id":"%s","time":"%s",%s}`, all[i]["id"], all[i]["time"], rest))
		}
		require.Equal(t, strings.Join(want, "\n")+"\n", b.get("").Body.String())
		held, err := time.Parse(time.RFC3339, all[1]["time"].(string))
		require.NoError(t, err)
		require.Regexp(t, `\.\d{3}Z$`, all[1]["time"])
		require.Equal(t, hold.Deadline.Add(-5*time.Minute), held, "the time of the script that made the hold")

		for _, limit := range []int{1, 2, 9, 10} {
			require.Equal(t, all, b.all(t, limit), "%d at a time", limit)
		}
		m, err := b.Map(t.Context(), event)
		require.NoError(t, err)
		require.Empty(t, b.lines(t, "&after="+m.Change), "the position of the seat map is the last line")
		require.Equal(t, all, b.lines(t, "&after=0-0"))
	})
}

// An answer of many lines is read in pages, which split the changes of batches.
func TestJournal_ContinuesAfterAnyLine(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		const users = 2500
		var calls sync.WaitGroup
		for i := range users {
			calls.Go(func() {
				if _, err := b.Reserve(t.Context(), event, []string{fmt.Sprint("s", i)}, fmt.Sprint("u", i)); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		require.Len(t, b.lines(t, ""), 1000, "the default")
		all := b.lines(t, "&limit=10000")
		require.Len(t, all, users)
		seen := map[any]bool{}
		for _, line := range all {
			seen[line["user_id"]] = true
			require.Equal(t, strings.Replace(line["user_id"].(string), "u", "s", 1), line["seat_ids"].([]any)[0])
		}
		require.Len(t, seen, users)
		for _, limit := range []int{700, 1000, 1250, 2000} {
			require.Equal(t, all, b.all(t, limit), "%d at a time", limit)
		}
	})
}

func TestJournal_IsTrimmed(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		for _, seat := range []string{"1A", "1B", "1C"} {
			b.reserve(t, "ann", seat)
		}
		all := b.all(t, 1000)
		require.NoError(t, b.admin.XTrimMaxLen(t.Context(), "changes:{gala}", 1).Err())
		for _, after := range []any{all[0]["id"], all[1]["id"], "5-5", "0-5"} {
			p := requireProblem(t, b.get(fmt.Sprint("&after=", after)), http.StatusGone, api.CodeTrimmed)
			require.Equal(t, "The changes after this position are not kept any more. Load /sales, and continue after its last_event_id.", p.Detail)
		}
		rec := httptest.NewRecorder()
		b.handler.ServeHTTP(rec, httptest.NewRequest(http.MethodHead, "/journal?event_id=gala&after=5-5", nil))
		require.Equal(t, http.StatusGone, rec.Code)
		require.Empty(t, b.lines(t, fmt.Sprint("&after=", all[2]["id"])))
	})
}

func TestJournal_RefusesInvalidQueries(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	for query, want := range map[string]string{
		"&after=":       "after must be the id of a line, a last_event_id of /sales or /seats, or 0",
		"&after=1":      "after must be",
		"&after=-1":     "after must be",
		"&after=1-":     "after must be",
		"&after=1-2-3":  "after must be",
		"&after=(1-2":   "after must be",
		"&after=x-y":    "after must be",
		"&after=$":      "after must be",
		"&after=1-2%20": "after must be",
		"&after=1-2%00": "after must be",
		"&after=" + strings.Repeat("9", 21) + "-1": "after must be",
		"&limit=":                     "limit must be a number from 1 to 10000.",
		"&limit=0":                    "limit must be",
		"&limit=-1":                   "limit must be",
		"&limit=10001":                "limit must be",
		"&limit=1e3":                  "limit must be",
		"&limit=99999999999999999999": "limit must be",
		"&After=0":                    "write after",
		"&LIMIT=1":                    "write limit",
	} {
		p := requireProblem(t, b.get(query), http.StatusUnprocessableEntity, api.CodeInvalidRequest)
		require.Contains(t, p.Detail, want, query)
	}
}

// failing is a Locker that fails from a call on.
type failing struct {
	*seatlock.Locker
	calls, from int
	err         error
}

func (f *failing) Journal(ctx context.Context, event, after string, limit int) ([]seatlock.Entry, error) {
	if f.calls++; f.calls >= f.from {
		return nil, f.err
	}
	return f.Locker.Journal(ctx, event, after, limit)
}

func TestJournal_IsNotCompleteAfterOutageMidway(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	for i := range 1001 {
		require.NoError(t, b.Block(t.Context(), event, []string{fmt.Sprint("s", i)}, "house", seatlock.Terms{}))
	}
	for _, err := range []error{seatlock.ErrUnavailable, seatlock.ErrReset} {
		server := httptest.NewServer(journal.New(&failing{Locker: b.Locker, from: 2, err: err}, catalog.New(nil, catalog.Options{})))
		resp, err := http.Get(server.URL + "/journal?event_id=gala&limit=2000")
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.NoError(t, resp.Body.Close())
		server.Close()
		require.Equal(t, 1000, strings.Count(string(body), "\n"), "what came is whole lines")
	}
	rec := httptest.NewRecorder()
	journal.New(&failing{from: 1, err: seatlock.ErrUnavailable}, catalog.New(nil, catalog.Options{})).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/journal", nil))
	requireProblem(t, rec, http.StatusServiceUnavailable, api.CodeUnavailable)
}
