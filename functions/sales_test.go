package functions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

func TestSalesAndJournal_HaveTheLinesOfTheDocument(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromFile("docs/openapi.json")
	require.NoError(t, err)
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		b.post(t, "/block", `{"seat_id":"2A","channel":"house"}`).success(t)
		b.post(t, "/reserve", `{"seat_ids":["1A","1B"],"user_id":"ann"}`).success(t)
		b.post(t, "/buy", `{"seat_ids":["1A","1B"],"user_id":"ann","order_id":"o:1"}`).success(t)
		b.post(t, "/return", `{"seat_id":"1B","user_id":"ann","order_id":"o:1"}`).success(t)
		b.post(t, "/exchange", `{"seat_ids":["1A"],"to_seat_ids":["1C"],"user_id":"ann","order_id":"o:1"}`).success(t)
		lines := func(got response, schema, last string) (all []map[string]any) {
			t.Helper()
			require.Equal(t, http.StatusOK, got.status, got.body)
			texts := slices.Collect(strings.Lines(got.body))
			for i, text := range texts {
				var line map[string]any
				require.NoError(t, json.Unmarshal([]byte(text), &line))
				if i == len(texts)-1 {
					schema = last
				}
				require.NoError(t, doc.Components.Schemas[schema].Value.VisitJSON(line), text)
				all = append(all, line)
			}
			return all
		}
		sales := lines(b.get(t, "/sales"), "Sale", "SalesEnd")
		require.Len(t, sales, 2)
		require.Equal(t, "1C ann o:1", fmt.Sprint(sales[0]["seat_id"], " ", sales[0]["user_id"], " ", sales[0]["order_id"]))
		changes := lines(b.get(t, "/journal"), "JournalLine", "JournalLine")
		require.Len(t, changes, 5)
		require.Equal(t, changes[4]["id"], sales[1]["last_event_id"])
		require.Equal(t, "text/csv; charset=utf-8", b.get(t, "/sales?format=csv").header.Get("Content-Type"))
		b.get(t, "/journal?after=5-5").problem(t, 410, "trimmed")
	})
}

// sale is a row of a table of sales.
type sale struct{ user, order string }

// table is what a shop keeps of the sales, by seat.
type table map[string]sale

// line is a line of /sales or of /journal.
type line struct {
	SeatID      string   `json:"seat_id"`
	End         bool     `json:"end"`
	LastEventID string   `json:"last_event_id"`
	ID          string   `json:"id"`
	Type        string   `json:"type"`
	SeatIDs     []string `json:"seat_ids"`
	ToSeatIDs   []string `json:"to_seat_ids"`
	UserID      string   `json:"user_id"`
	OrderID     string   `json:"order_id"`
}

// apply does what the reference says of a line of /journal.
func (s table) apply(l line) {
	sold := l.ToSeatIDs
	switch l.Type {
	case "sold":
		sold = l.SeatIDs
	case "returned", "expired", "exchanged":
		for _, seat := range l.SeatIDs {
			delete(s, seat)
		}
	}
	for _, seat := range sold {
		s[seat] = sale{l.UserID, l.OrderID}
	}
}

// call sends a request to handler and returns the status and the body.
func call(handler http.Handler, method, path, body string) (int, string) {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, req)
	return rec.Code, rec.Body.String()
}

// readLines gets the lines of a path.
func readLines(handler http.Handler, path string) (all []line, err error) {
	status, body := call(handler, http.MethodGet, path, "")
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s: %d %s", path, status, body)
	}
	for text := range strings.Lines(body) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// follow loads /sales, and then applies the lines of /journal until there are no more after
// stopped is closed.
func follow(handler http.Handler, limit int, stopped <-chan struct{}) (table, error) {
	all, err := readLines(handler, "/sales")
	if err != nil {
		return nil, err
	}
	sold, end := table{}, all[len(all)-1]
	if !end.End {
		return nil, errors.New("the list is not complete")
	}
	for _, l := range all[:len(all)-1] {
		sold[l.SeatID] = sale{l.UserID, l.OrderID}
	}
	for after, last := end.LastEventID, false; ; {
		select {
		case <-stopped:
			last = true
		default:
			runtime.Gosched()
		}
		page, err := readLines(handler, fmt.Sprintf("/journal?after=%s&limit=%d", after, limit))
		if err != nil {
			return nil, err
		}
		for _, l := range page {
			sold.apply(l)
			after = l.ID
		}
		if last && len(page) < limit {
			return sold, nil
		}
	}
}

// seller sells, returns and exchanges seats at random, as one user.
type seller struct {
	handler http.Handler
	user    string
	seats   []string
	sold    map[string]string // the user's seats and their orders
	random  *rand.Rand
	counts  map[string]int // of what succeeded
}

// act makes one attempt. Other users may have the seat.
func (s *seller) act(t *testing.T, order string) {
	post := func(path, body string) bool {
		status, answer := call(s.handler, http.MethodPost, path, body)
		if status != http.StatusOK && status != http.StatusConflict {
			t.Errorf("%s %s: %d %s", path, body, status, answer)
		}
		return status == http.StatusOK
	}
	request := func(seat, order string) string {
		return fmt.Sprintf(`{"seat_id":%q,"user_id":%q,"order_id":%q}`, seat, s.user, order)
	}
	mine := slices.Sorted(maps.Keys(s.sold))
	old, seat := mine[s.random.IntN(len(mine))], s.seats[s.random.IntN(len(s.seats))]
	switch s.random.IntN(3) {
	case 0:
		if post("/reserve", request(seat, order)) && post("/buy", request(seat, order)) {
			s.sold[seat] = order
			s.counts["sold"]++
		}
	case 1:
		if post("/return", request(old, s.sold[old])) {
			delete(s.sold, old)
			s.counts["returned"]++
		}
	case 2:
		body := fmt.Sprintf(`{"seat_ids":[%q],"to_seat_ids":[%q],"user_id":%q,"order_id":%q}`, old, seat, s.user, s.sold[old])
		if old != seat && post("/exchange", body) {
			s.sold[seat] = s.sold[old]
			delete(s.sold, old)
			s.counts["exchanged"]++
		}
	}
}

func TestSalesAndJournal_RebuildTheTableWhileSeatsAreSold(t *testing.T) {
	t.Parallel()
	const sellers, actions, readers = 4, 300, 4
	r := redistest.Server(t)
	var seats []string
	for row := 14; row <= 60; row++ { // more than two pages
		for letter := 'A'; letter <= 'Z'; letter++ {
			seats = append(seats, fmt.Sprintf("%d%c", row, letter))
		}
	}
	locker, err := seatlock.New(r.Client(t), seatlock.Options{Timeout: time.Minute})
	require.NoError(t, err)
	stopped, begin := make(chan struct{}), make([]chan struct{}, readers)
	for i := range begin {
		begin[i] = make(chan struct{})
	}
	var selling, reading sync.WaitGroup
	all := make([]*seller, sellers)
	for i := range all {
		s := &seller{handler: setup(t, r, "").handler, user: fmt.Sprint("u", i), seats: seats,
			sold: map[string]string{}, random: rand.New(rand.NewPCG(1, uint64(i))), counts: map[string]int{}}
		all[i] = s
		first := seats[i*len(seats)/sellers:][:len(seats)/sellers-20] // 20 remain available
		for part := range slices.Chunk(first, 50) {
			_, err := locker.Reserve(t.Context(), seatlock.DefaultEvent, part, s.user)
			require.NoError(t, err)
			require.NoError(t, locker.BuyOn(t.Context(), seatlock.DefaultEvent, part, s.user, seatlock.Terms{Order: "first"}))
		}
		for _, seat := range first {
			s.sold[seat] = "first"
		}
	}
	for i, s := range all {
		selling.Go(func() {
			for n := range actions {
				if i == 0 && n%(actions/readers) == 0 {
					close(begin[n/(actions/readers)])
				}
				s.act(t, fmt.Sprintf("o:%d.%d", i, n))
			}
		})
	}
	tables := make([]table, readers)
	for i := range readers {
		handler := setup(t, r, "").handler
		reading.Go(func() {
			<-begin[i]
			var err error
			if tables[i], err = follow(handler, 1+20*i, stopped); err != nil {
				t.Error(err)
			}
		})
	}
	selling.Wait()
	close(stopped)
	reading.Wait()

	want := table{}
	admin := r.Admin(t)
	keys, err := admin.Keys(t.Context(), "seat:{default}:*").Result()
	require.NoError(t, err)
	values, err := admin.MGet(t.Context(), keys...).Result()
	require.NoError(t, err)
	for i, value := range values {
		if user, order, sold := redistest.SaleOf(value.(string)); sold {
			want[strings.TrimPrefix(keys[i], "seat:{default}:")] = sale{user, order}
		}
	}
	for i, got := range tables {
		require.Equal(t, want, got, "reader %d", i)
	}
	for _, kind := range []string{"sold", "returned", "exchanged"} {
		for _, s := range all {
			require.Positive(t, s.counts[kind], kind)
		}
	}
}
