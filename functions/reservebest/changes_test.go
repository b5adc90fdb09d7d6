package reservebest_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/catalog"
	"booking/functions/internal/plan"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

const pair = `{"quantity":2,"user_id":"ann"}`

// Each step changes seats without the function, which must not refuse or offer what it saw before.
func TestReserveBest_FollowsWhatOthersDo(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, short(t, "1-1:A-D"))
		first := b.post(t, "", pair)
		require.Equal(t, []string{"1A", "1B"}, first.SeatIDs)
		ctx, event, terms := t.Context(), seatlock.DefaultEvent, seatlock.Terms{}
		require.NoError(t, b.locker.Buy(ctx, event, first.SeatIDs, "ann"))
		require.NoError(t, b.locker.Block(ctx, event, []string{"1C", "1D"}, "house", terms))
		require.Equal(t, "sold_out", b.post(t, "", pair).Code, "blocked")
		require.NoError(t, b.locker.Unblock(ctx, event, []string{"1C", "1D"}, "house", terms))
		require.Equal(t, []string{"1C", "1D"}, b.post(t, "", pair).SeatIDs, "unblocked")
		require.Equal(t, "sold_out", b.post(t, "", pair).Code)
		require.NoError(t, b.locker.Return(ctx, event, []string{"1A", "1B"}, "ann", terms))
		require.Equal(t, []string{"1A", "1B"}, b.post(t, "", pair).SeatIDs, "returned")
		require.NoError(t, b.locker.Buy(ctx, event, []string{"1A", "1B"}, "ann"))
		require.NoError(t, b.locker.Release(ctx, event, []string{"1C", "1D"}, "ann"))
		require.NoError(t, b.locker.Exchange(ctx, event, []string{"1A", "1B"}, []string{"1C", "1D"}, "ann", terms))
		require.Equal(t, []string{"1A", "1B"}, b.post(t, "", pair).SeatIDs, "exchanged for 1C and 1D")
		require.Equal(t, "sold_out", b.post(t, "", pair).Code)
	})
}

func TestReserveBest_FollowsTheEndOfHolds(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t) // a view keeps the deadlines that Advance can't change on a real server
	b := setup(t, r, short(t, "1-1:A-B"))
	for range 3 {
		require.Equal(t, http.StatusOK, b.post(t, "", pair).status)
		require.Equal(t, "sold_out", b.post(t, "", pair).Code)
		r.Advance(t, time.Hour)
	}
}

// put puts a plan to an event, as another process does.
func put(t *testing.T, b *bundle, event, text string, areas ...plan.Area) {
	t.Helper()
	p := &plan.Plan{}
	document := ""
	if text != "" {
		p, document = short(t, text), fmt.Sprintf("%q", text)
	}
	p, err := p.WithAreas(areas)
	require.NoError(t, err)
	var stored []catalog.Area
	for _, a := range areas {
		stored = append(stored, catalog.Area{AreaID: a.ID, Capacity: a.Capacity})
	}
	packed, err := catalog.Store([]byte(document), stored)
	require.NoError(t, err)
	_, _, err = b.locker.PutEvent(t.Context(), event, seatlock.Put{Plan: packed, HasSeat: p.Has})
	require.NoError(t, err)
}

func TestReserveBest_TakesThePlanOfNow(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b, other := setup(t, r, nil), setup(t, r, short(t, "9-9:A-B"))
		const body, others = `{"quantity":2,"user_id":"ann","event_id":"gala"}`, `{"quantity":2,"user_id":"bob","event_id":"gala"}`
		put(t, b, "gala", "1-1:A-B")
		require.Equal(t, []string{"1A", "1B"}, b.post(t, "", body).SeatIDs, "the process did not know the event")
		require.Equal(t, "sold_out", other.post(t, "", others).Code, "the event does not have the default plan")
		put(t, b, "gala", "1-2:A-B")
		require.Equal(t, []string{"2A", "2B"}, b.post(t, "", body).SeatIDs, "the plan has another row")
		require.Equal(t, "sold_out", other.post(t, "", others).Code)
		require.NoError(t, b.locker.Release(t.Context(), "gala", []string{"1A", "1B", "2A", "2B"}, "ann"))
		require.NoError(t, b.locker.DeleteEvent(t.Context(), "gala", true))
		require.Equal(t, "invalid_request", b.post(t, "", body).Code, "without the event there is no plan")
		put(t, b, "gala", "3-3:A-B")
		require.Equal(t, []string{"3A", "3B"}, b.post(t, "", body).SeatIDs)
		require.Equal(t, "sold_out", other.post(t, "", others).Code)
	})
}

func TestReserveBest_ServesAHallOfAreas(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, nil)
		put(t, b, "gala", "", plan.Area{ID: "floor", Capacity: 3}, plan.Area{ID: "balcony", Capacity: 1})
		require.Contains(t, b.post(t, "", `{"quantity":2,"user_id":"ann","event_id":"gala"}`).Detail, "send area_id: floor, balcony.")
		const body = `{"quantity":2,"user_id":"ann","event_id":"gala","area_id":"floor"}`
		first := b.post(t, "", body)
		require.Equal(t, http.StatusOK, first.status, first.Detail)
		require.False(t, *first.Adjacent)
		require.Equal(t, "sold_out", b.post(t, "", body).Code, "one place is left")
	})
}

func TestReserveBest_RecoversFromAnOutage(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	locker, err := seatlock.New(r.Client(t), seatlock.Options{Timeout: time.Second})
	require.NoError(t, err)
	b := serve(locker, short(t, "1-2:A-D"))
	require.Equal(t, http.StatusOK, b.post(t, "", pair).status)
	r.Kill(t)
	for range 3 {
		require.Equal(t, http.StatusServiceUnavailable, b.post(t, "", pair).status)
	}
	r.Start(t)
	for range 4 { // the server has lost what was held
		require.Equal(t, http.StatusOK, b.post(t, "", pair).status)
	}
	require.Equal(t, "sold_out", b.post(t, "", pair).Code)
}

// 5,000 places of general admission, and 5,000 buyers who come to three processes at once.
func TestReserveBest_SellsAnAreaExactly(t *testing.T) {
	t.Parallel()
	const places = 5000
	r := redistest.Server(t)
	p, err := short(t, "1-1:A-B").WithAreas([]plan.Area{{ID: "floor", Capacity: places}})
	require.NoError(t, err)
	processes := []*bundle{setup(t, r, p), setup(t, r, p), setup(t, r, p)}
	var mu sync.Mutex
	var held atomic.Int64
	owned := map[string]bool{}
	var buyers sync.WaitGroup
	for i := range places {
		buyers.Go(func() {
			got := processes[i%len(processes)].post(t, "", fmt.Sprintf(`{"quantity":1,"area_id":"floor","user_id":"user%d"}`, i))
			if got.status != http.StatusOK {
				t.Errorf("%d %s: %s", got.status, got.Code, got.Detail)
				return
			}
			held.Add(1)
			mu.Lock()
			defer mu.Unlock()
			owned[got.SeatIDs[0]] = true
		})
	}
	buyers.Wait()
	require.EqualValues(t, places, held.Load())
	require.Len(t, owned, places, "each place has one buyer")
	tries := int64(0)
	for _, b := range processes {
		tries += b.tries.Load()
		require.Equal(t, "sold_out", b.post(t, "", `{"quantity":1,"area_id":"floor","user_id":"late"}`).Code)
	}
	t.Logf("%.3f tries a call", float64(tries)/places)
	require.LessOrEqual(t, tries, int64(places*13/10)) // a count, which no slow machine makes larger
}

// The hall grows row by row while buyers of three processes fill it. The only refusal is sold_out, and
// no seat has two buyers.
func TestReserveBest_FillsAHallThatGrows(t *testing.T) {
	t.Parallel()
	const rows = 20
	r := redistest.Server(t)
	processes := []*bundle{setup(t, r, nil), setup(t, r, nil), setup(t, r, nil)}
	put(t, processes[0], "gala", "1-1:A-B")
	owner := map[string]string{}
	var mu sync.Mutex
	var buyers sync.WaitGroup
	for i := range rows {
		buyers.Go(func() {
			user := fmt.Sprint("user", i)
			for {
				got := processes[i%len(processes)].post(t, "", `{"quantity":2,"event_id":"gala","user_id":"`+user+`"}`)
				if got.status == http.StatusOK {
					mu.Lock()
					defer mu.Unlock()
					for _, seat := range got.SeatIDs {
						if owner[seat] != "" {
							t.Errorf("%s has two buyers", seat)
						}
						owner[seat] = user
					}
					return
				}
				if got.Code != "sold_out" {
					t.Errorf("%d %s: %s", got.status, got.Code, got.Detail)
					return
				}
			}
		})
	}
	for row := 2; row <= rows; row++ {
		put(t, processes[row%len(processes)], "gala", fmt.Sprintf("1-%d:A-B", row))
	}
	buyers.Wait()
	require.Len(t, owner, 2*rows)
}

// Redis stalls with a call under way. The buyer repeats it with its key, and has one pair.
func TestReserveBest_RepeatsACallThatRedisStalled(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	locker, err := seatlock.New(r.Client(t), seatlock.Options{Timeout: time.Second})
	require.NoError(t, err)
	b := serve(locker, short(t, "1-2:A-D"))
	require.Equal(t, http.StatusOK, b.post(t, "", `{"quantity":2,"user_id":"bob"}`).status)
	r.Pause(t)
	require.Equal(t, http.StatusServiceUnavailable, b.post(t, "key", pair).status)
	r.Resume(t)
	var got answer
	require.Eventually(t, func() bool {
		got = b.post(t, "key", pair)
		return got.status == http.StatusOK
	}, redistest.WaitLimit, time.Millisecond)
	require.Equal(t, got.SeatIDs, b.post(t, "key", pair).SeatIDs)
	seats, err := r.Admin(t).Keys(t.Context(), "seat:*").Result()
	require.NoError(t, err)
	require.Len(t, seats, 4, "Bob's pair and Ann's")
}

func TestReserveBest_GivesSeatsAgainWhenRedisEndsHolds(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	locker, err := seatlock.New(r.Client(t), seatlock.Options{HoldTime: 50 * time.Millisecond, Timeout: time.Minute})
	require.NoError(t, err)
	b := serve(locker, short(t, "1-1:A-B"))
	for range 3 {
		require.Eventually(t, func() bool { return b.post(t, "", pair).status == http.StatusOK }, redistest.WaitLimit, time.Millisecond)
	}
}
