package sales_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/functions/sales"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

const event = "gala"

// testBundle serves the sales of a Locker. before, if set, is called before each Holdings.
type testBundle struct {
	*seatlock.Locker
	admin   *redis.Client
	handler http.Handler
	before  func(page int) error
	pages   int
}

func setup(t *testing.T, r *redistest.Redis) *testBundle {
	t.Helper()
	locker, err := seatlock.New(r.Client(t), seatlock.Options{Timeout: time.Minute})
	require.NoError(t, err)
	b := &testBundle{Locker: locker, admin: r.Admin(t)}
	b.handler = sales.New(b, catalog.New(locker, catalog.Options{}), hall.New(locker))
	return b
}

func (b *testBundle) Holdings(ctx context.Context, event string, seats []string) ([]seatlock.Holding, error) {
	b.pages++
	if b.before != nil {
		if err := b.before(b.pages); err != nil {
			return nil, err
		}
	}
	return b.Locker.Holdings(ctx, event, seats)
}

func (b *testBundle) reserve(t *testing.T, user string, seats ...string) {
	t.Helper()
	_, err := b.Reserve(t.Context(), event, seats, user)
	require.NoError(t, err)
}

func (b *testBundle) sell(t *testing.T, user, order string, seats ...string) {
	t.Helper()
	b.reserve(t, user, seats...)
	require.NoError(t, b.BuyOn(t.Context(), event, seats, user, seatlock.Terms{Order: order}))
}

// sellMany sells n seats, whose ids sort as their numbers, to ann.
func (b *testBundle) sellMany(t *testing.T, n int) {
	t.Helper()
	for i := 0; i < n; i += 100 {
		var seats []string
		for j := i; j < min(i+100, n); j++ {
			seats = append(seats, seatID(j))
		}
		b.sell(t, "ann", "o:1", seats...)
	}
}

func seatID(i int) string { return fmt.Sprintf("s%05d", i) }

func (b *testBundle) do(method, query string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, "/sales?event_id="+event+query, nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, req)
	return rec
}

// lines returns the lines of an NDJSON body.
func lines(t *testing.T, body string) (all []map[string]any) {
	t.Helper()
	for text := range strings.Lines(body) {
		var line map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &line))
		all = append(all, line)
	}
	return all
}

func (b *testBundle) position(t *testing.T) string {
	t.Helper()
	m, err := b.Map(t.Context(), event)
	require.NoError(t, err)
	return m.Change
}

func TestSales_AreListedInOrderOfSeat(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		rec := b.do(http.MethodGet, "")
		require.Equal(t, http.StatusOK, rec.Code)
		require.Equal(t, "application/x-ndjson", rec.Header().Get("Content-Type"))
		require.Equal(t, "no-store", rec.Header().Get("Cache-Control"))
		require.Equal(t, []map[string]any{{"end": true, "sales": float64(0), "last_event_id": "0-0"}}, lines(t, rec.Body.String()))

		b.sell(t, "bob", "", "1B")
		b.sell(t, "ann", "o:1", "1C", "1A")
		b.reserve(t, "cat", "1D")
		require.NoError(t, b.Block(t.Context(), event, []string{"1E"}, "house", seatlock.Terms{}))
		holdings, err := b.Locker.Holdings(t.Context(), event, []string{"1A", "1B"})
		require.NoError(t, err)
		annAt, bobAt := api.Time(holdings[0].SoldAt), api.Time(holdings[1].SoldAt)
		require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, annAt)
		position := b.position(t)
		rec = b.do(http.MethodGet, "")
		require.Equal(t, `{"seat_id":"1A","user_id":"ann","order_id":"o:1","sold_at":"`+annAt+`"}
{"seat_id":"1B","user_id":"bob","sold_at":"`+bobAt+`"}
{"seat_id":"1C","user_id":"ann","order_id":"o:1","sold_at":"`+annAt+`"}
{"end":true,"sales":3,"last_event_id":"`+position+`"}
`, rec.Body.String())
		require.Equal(t, position, rec.Header().Get("Last-Event-ID"))
		require.Equal(t, "seat_id,user_id,order_id,sold_at\r\n1A,ann,o:1,"+annAt+"\r\n1B,bob,,"+bobAt+"\r\n1C,ann,o:1,"+annAt+"\r\n",
			b.do(http.MethodGet, "&format=csv").Body.String())

		head := b.do(http.MethodHead, "")
		require.Equal(t, http.StatusOK, head.Code)
		require.Zero(t, head.Body.Len())
		require.Equal(t, rec.Header(), head.Header())
	})
}

func TestSales_OfEarlierVersionsHaveNoTime(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.sell(t, "ann", "o:1", "1A")
		require.NoError(t, b.admin.Set(t.Context(), "seat:{gala}:1A", "sold:ann", 0).Err())
		require.Equal(t, map[string]any{"seat_id": "1A", "user_id": "ann"}, lines(t, b.do(http.MethodGet, "").Body.String())[0])
		require.Equal(t, "seat_id,user_id,order_id,sold_at\r\n1A,ann,,\r\n", b.do(http.MethodGet, "&format=csv").Body.String())
	})
}

func TestSales_AreCSVIfTheClientPrefersIt(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	const user = `a"b,c'd`
	b.sell(t, user, "", "1A")
	for accept, want := range map[string]string{
		"":                                       "application/x-ndjson",
		"*/*":                                    "application/x-ndjson",
		"text/*":                                 "application/x-ndjson",
		"text/csv;q=0":                           "application/x-ndjson",
		"text/csv;q=x":                           "text/csv; charset=utf-8",
		"text/csv, application/x-ndjson":         "application/x-ndjson",
		"application/x-ndjson;q=0.5,Text/CSV":    "text/csv; charset=utf-8",
		"application/json, text/csv;q=0.9, */*":  "text/csv; charset=utf-8",
		"text/csv; header=present;q=0.1;;,other": "application/x-ndjson",
	} {
		require.Equal(t, want, b.do(http.MethodGet, "", "Accept", accept).Header().Get("Content-Type"), accept)
	}
	records, err := csv.NewReader(b.do(http.MethodGet, "&format=csv", "Accept", "application/x-ndjson").Body).ReadAll()
	require.NoError(t, err)
	require.Equal(t, user, records[1][1])
	require.Equal(t, user, lines(t, b.do(http.MethodGet, "").Body.String())[0]["user_id"])
}

func TestSales_RefuseOtherFormats(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	for _, query := range []string{"&format=", "&format=xlsx", "&format=CSV"} {
		rec := b.do(http.MethodGet, query)
		require.Equal(t, http.StatusUnprocessableEntity, rec.Code)
		require.Contains(t, rec.Body.String(), "format must be csv; omit it for application/x-ndjson.")
	}
}

// What changes while the list is read is in the list, or in the journal after its position.
func TestSales_LoseNoChangeThatComesMeanwhile(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		b.sellMany(t, 1200)
		terms := seatlock.Terms{Order: "o:1"}
		position := b.position(t)
		b.before = func(page int) error {
			if page != 2 {
				return nil
			}
			for _, read := range []int{0, 600} { // seats that were read, and seats that will be
				seat := func(i int) string { return seatID(read + i) }
				require.NoError(t, b.Return(t.Context(), event, []string{seat(0), seat(1), seat(2)}, "ann", terms))
				b.sell(t, "bob", "o:2", seat(1))
				b.reserve(t, "cat", seat(2))
				require.NoError(t, b.Exchange(t.Context(), event, []string{seat(3)}, []string{seat(3) + ".new"}, "ann", terms))
				b.sell(t, "dan", "o:4", seat(4)+".new")
			}
			return nil
		}
		all := lines(t, b.do(http.MethodGet, "").Body.String())
		end := all[len(all)-1]
		require.Equal(t, map[string]any{"end": true, "sales": float64(1197), "last_event_id": position}, end)
		listed := map[string]string{}
		for _, line := range all[:len(all)-1] {
			listed[line["seat_id"].(string)] = line["user_id"].(string)
		}
		require.Len(t, listed, 1197)
		for i := range 4 {
			require.Equal(t, "ann", listed[seatID(i)], "was read before")
		}
		for i, want := range []string{"", "bob", "", ""} {
			require.Equal(t, want, listed[seatID(600+i)])
		}

		entries, err := b.Journal(t.Context(), event, position, 100)
		require.NoError(t, err)
		for _, e := range entries {
			for _, seat := range e.SeatIDs {
				delete(listed, seat)
				if e.Type == seatlock.ChangeSold {
					listed[seat] = e.User
				}
			}
			for _, seat := range e.ToSeatIDs {
				listed[seat] = e.User
			}
		}
		b.before = nil
		now := map[string]string{}
		all = lines(t, b.do(http.MethodGet, "").Body.String())
		for _, line := range all[:len(all)-1] {
			now[line["seat_id"].(string)] = line["user_id"].(string)
		}
		require.Equal(t, now, listed)
		require.Equal(t, "dan", now["s00604.new"])
	})
}

func TestSales_AreNotCompleteAfterOutageMidway(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	b.sellMany(t, 1200)
	server := httptest.NewServer(b.handler)
	defer server.Close()
	recovering := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { _ = recover() }() // as a functions host does
		b.handler.ServeHTTP(w, r)
	}))
	defer recovering.Close()
	for failing := 1; failing <= 3; failing++ {
		b.before = func(page int) error {
			if page == failing {
				return seatlock.ErrUnavailable
			}
			return nil
		}
		for _, url := range []string{server.URL, recovering.URL} {
			for _, query := range []string{"", "&format=csv"} {
				b.pages = 0
				resp, err := http.Get(url + "/sales?event_id=" + event + query)
				require.NoError(t, err)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, resp.Body.Close())
				if failing == 1 {
					require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
					require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
					require.Contains(t, string(body), `"code":"unavailable"`)
					continue
				}
				require.Equal(t, http.StatusOK, resp.StatusCode)
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				require.NotContains(t, string(body), "end")
			}
		}
	}
}
