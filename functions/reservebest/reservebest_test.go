package reservebest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/functions/internal/plan"
	"booking/functions/reservebest"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

type bundle struct {
	locker  *seatlock.Locker
	handler http.Handler
	tries   atomic.Int64
	keys    atomic.Int64
}

// setup serves the function with a plan: unlisted events have it.
func setup(t *testing.T, r *redistest.Redis, p *plan.Plan) *bundle {
	t.Helper()
	locker, err := seatlock.New(r.Client(t), seatlock.Options{Timeout: time.Minute})
	require.NoError(t, err)
	return serve(locker, p)
}

func serve(locker *seatlock.Locker, p *plan.Plan) *bundle {
	b := &bundle{locker: locker}
	opt := reservebest.Options{Timeout: time.Minute, OnTried: func(attempts int) { b.tries.Add(int64(attempts)) }}
	b.handler = reservebest.New(locker, catalog.New(locker, catalog.Options{Unlisted: p}), hall.New(locker), api.Rules{MaxSeats: 10}, opt)
	return b
}

func short(t *testing.T, text string) *plan.Plan {
	t.Helper()
	p, err := plan.ParseShort(text)
	require.NoError(t, err)
	return p
}

type answer struct {
	status   int
	replayed bool
	Code     string
	Detail   string
	SeatIDs  []string `json:"seat_ids"`
	Adjacent *bool
	Largest  int `json:"largest_block"`
}

// post sends a body with a key; "" sends a new one.
func (b *bundle) post(t *testing.T, key, body string) answer {
	t.Helper()
	if key == "" {
		key = fmt.Sprint("key ", b.keys.Add(1))
	}
	req := httptest.NewRequest(http.MethodPost, "/reserve-best", strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	if key != "none" {
		req.Header.Set("Idempotency-Key", key)
	}
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, req)
	got := answer{status: rec.Code, replayed: rec.Header().Get("Idempotent-Replayed") == "true"}
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &got), rec.Body.String())
	return got
}

func TestReserveBest_HoldsTheBestSeats(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, short(t, "1-2:A-F"))
		first := b.post(t, "", `{"quantity":2,"user_id":"ann"}`)
		require.Equal(t, http.StatusOK, first.status, first.Detail)
		require.Equal(t, []string{"1C", "1D"}, first.SeatIDs, "the middle of the first row")
		require.True(t, *first.Adjacent)
		_, err := b.locker.Reserve(t.Context(), seatlock.DefaultEvent, []string{"2C"}, "bob")
		require.NoError(t, err)
		require.Equal(t, []string{"1A", "1B"}, b.post(t, "", `{"quantity":2,"user_id":"ann"}`).SeatIDs)
		require.Equal(t, []string{"1E", "1F"}, b.post(t, "", `{"quantity":2,"user_id":"ann"}`).SeatIDs)
		require.Equal(t, []string{"2D", "2E", "2F"}, b.post(t, "", `{"quantity":3,"user_id":"ann"}`).SeatIDs)

		refused := b.post(t, "", `{"quantity":3,"user_id":"eve"}`)
		require.Equal(t, "409 sold_out", fmt.Sprint(refused.status, " ", refused.Code))
		require.NoError(t, b.locker.Release(t.Context(), seatlock.DefaultEvent, []string{"1A", "2C"}, "ann"))
		require.NoError(t, b.locker.Release(t.Context(), seatlock.DefaultEvent, []string{"2C"}, "bob"))
		refused = b.post(t, "", `{"quantity":4,"user_id":"eve"}`)
		require.Equal(t, "409 no_adjacent_seats 3", fmt.Sprint(refused.status, " ", refused.Code, " ", refused.Largest))
		apart := b.post(t, "", `{"quantity":4,"user_id":"eve","adjacent":false}`)
		require.ElementsMatch(t, []string{"1A", "2A", "2B", "2C"}, apart.SeatIDs)
		require.False(t, *apart.Adjacent)
		require.Equal(t, "sold_out", b.post(t, "", `{"quantity":1,"user_id":"eve"}`).Code)
	})
}

func TestReserveBest_RepeatAnswersTheSameSeats(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, short(t, "1-1:A-D"))
		first := b.post(t, "k", `{"quantity":2,"user_id":"ann"}`)
		require.Equal(t, []string{"1A", "1B"}, first.SeatIDs, "1B and 1C would leave two single seats")
		for range 2 { // also if the hall is sold out
			again := b.post(t, "k", `{"quantity":2,"user_id":"ann"}`)
			require.True(t, again.replayed)
			again.replayed = false
			require.Equal(t, first, again)
			b.post(t, "", `{"quantity":2,"user_id":"bob","adjacent":false}`)
		}
		require.Equal(t, "422 idempotency_key_reused", func() string {
			got := b.post(t, "k", `{"quantity":1,"user_id":"ann"}`)
			return fmt.Sprint(got.status, " ", got.Code)
		}())
	})
}

func TestReserveBest_ObeysChannelsAndAccessibility(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		p, err := plan.Parse([]byte(`{"categories":[{"name":"Stalls"},{"name":"Wheelchair"}],"zones":[{"name":"Floor","rows":[{"row_number":"1","seats":[
			{"seat_guid":"1-1","category":"Wheelchair"},{"seat_guid":"1-2","category":"Stalls"},{"seat_guid":"1-3","category":"Stalls"},{"seat_guid":"1-4","category":"Stalls"}]}]}]}`))
		require.NoError(t, err)
		b := setup(t, r, p)
		require.NoError(t, b.locker.Block(t.Context(), seatlock.DefaultEvent, []string{"1-3", "1-4"}, "house", seatlock.Terms{}))
		require.Equal(t, "sold_out", b.post(t, "", `{"quantity":2,"user_id":"ann"}`).Code)
		require.Equal(t, []string{"1-2"}, b.post(t, "", `{"quantity":1,"user_id":"ann"}`).SeatIDs)
		require.Equal(t, "sold_out", b.post(t, "", `{"quantity":1,"user_id":"ann"}`).Code, "a wheelchair place is left")
		require.Equal(t, []string{"1-1"}, b.post(t, "", `{"quantity":1,"user_id":"ann","category":"Wheelchair"}`).SeatIDs)
		require.Equal(t, []string{"1-3", "1-4"}, b.post(t, "", `{"quantity":2,"user_id":"ann","channel":"house"}`).SeatIDs)
		require.Equal(t, "sold_out", b.post(t, "", `{"quantity":1,"user_id":"ann","channel":"house"}`).Code)
	})
}

func TestReserveBest_RejectsWhatItCantUnderstand(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	areas, err := short(t, "A-{1-2}-{1-9},B-{1-2}-{1-9}").WithAreas([]plan.Area{{ID: "floor", Capacity: 5}})
	require.NoError(t, err)
	b, none := setup(t, r, areas), setup(t, r, nil)
	for body, detail := range map[string]string{
		`{"quantity":0,"user_id":"ann"}`:                              "quantity must be a number from 1 to 10, not 0.",
		`{"quantity":11,"user_id":"ann"}`:                             "quantity must be a number from 1 to 10, not 11.",
		`{"quantity":"two","user_id":"ann"}`:                          "quantity must be a number from 1 to 10.",
		`{"user_id":"ann"}`:                                           "quantity is missing; ",
		`{"quantity":2}`:                                              "user_id is missing; ",
		`{"quantity":2,"user_id":"ann","adjacent":"yes"}`:             "adjacent must be true or false.",
		`{"quantity":2,"user_id":"ann","areaId":"floor"}`:             `"areaId" is not a member of the request; write area_id.`,
		`{"quantity":2,"user_id":"ann","area_id":"balcony"}`:          `There is no area_id "balcony" in the plan; there are floor.`,
		`{"quantity":2,"user_id":"ann","category":"Gold"}`:            `There is no category "Gold" in the plan, and no other; omit it.`,
		`{"quantity":2,"user_id":"ann","zone":"A","area_id":"floor"}`: "Send zone or area_id, not both.",
		`[]`: "The body must be one JSON object; ",
	} {
		got := b.post(t, "", body)
		require.Equal(t, "422 invalid_request", fmt.Sprint(got.status, " ", got.Code), body)
		require.Contains(t, got.Detail, detail, body)
	}
	require.Contains(t, b.post(t, "none", `{"quantity":2,"user_id":"ann"}`).Detail, "Idempotency-Key is missing; ")
	require.Contains(t, none.post(t, "", `{"quantity":2,"user_id":"ann"}`).Detail, "The event has no plan to choose from; ")
}

// A process that does not know the event, or has an older plan of it, answers by the current one.
func TestReserveBest_FollowsThePlan(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, nil)
		put := func(text string) {
			p := short(t, text)
			stored, err := catalog.Store([]byte(`"`+text+`"`), nil)
			require.NoError(t, err)
			_, _, err = b.locker.PutEvent(t.Context(), "gala", seatlock.Put{Plan: stored, HasSeat: p.Has, Document: []byte("{}")})
			require.NoError(t, err)
		}
		best := func(members string) answer { return b.post(t, "", `{"event_id":"gala",`+members+`}`) }
		require.Contains(t, best(`"quantity":1,"user_id":"ann"`).Detail, "The event has no plan")
		put("1-1:A-B")
		require.Equal(t, []string{"1A", "1B"}, best(`"quantity":2,"user_id":"ann"`).SeatIDs)
		require.Equal(t, "sold_out", best(`"quantity":2,"user_id":"ann"`).Code)
		put("1-2:A-C")
		require.Equal(t, []string{"2A", "2B", "2C"}, best(`"quantity":3,"user_id":"ann"`).SeatIDs)
		put("1-3:A-C")
		require.Equal(t, []string{"1C"}, best(`"quantity":1,"user_id":"ann"`).SeatIDs)
	})
}

// A storm of buyers who all want the best seats: each gets seats of its own until all are held, and
// is refused only then.
func TestReserveBest_SellsOutExactly(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	hall := short(t, "1-20:A-J")
	processes := []*bundle{setup(t, r, hall), setup(t, r, hall), setup(t, r, hall)}
	var mu sync.Mutex
	owner, refused := map[string]string{}, 0
	var buyers sync.WaitGroup
	const all = 110 // of 100 pairs
	for i := range all {
		buyers.Go(func() {
			user := fmt.Sprint("user", i)
			got := processes[i%len(processes)].post(t, "", `{"quantity":2,"user_id":"`+user+`"}`)
			mu.Lock()
			defer mu.Unlock()
			if got.status != http.StatusOK {
				if got.Code != "sold_out" {
					t.Errorf("%d %s: %s", got.status, got.Code, got.Detail)
				}
				refused++
			}
			for _, seat := range got.SeatIDs {
				if owner[seat] != "" {
					t.Errorf("%s is held twice", seat)
				}
				owner[seat] = user
			}
		})
	}
	buyers.Wait()
	require.Len(t, owner, 200)
	require.Equal(t, all-100, refused)
	found, err := processes[0].locker.Map(context.Background(), seatlock.DefaultEvent)
	require.NoError(t, err)
	require.Len(t, found.Seats, 200)
}
