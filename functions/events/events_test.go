package events_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/events"
	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

type testBundle struct {
	redis   *redistest.Redis
	locker  *seatlock.Locker
	handler http.Handler
}

func setup(t *testing.T, r *redistest.Redis) *testBundle {
	t.Helper()
	locker, err := seatlock.New(r.Client(t), seatlock.Options{Timeout: time.Minute})
	require.NoError(t, err)
	handler := events.New(locker, catalog.New(locker, catalog.Options{}), hall.New(locker))
	mux := http.NewServeMux()
	for _, path := range []string{"/events", "/events/{event_id}", "/events/{event_id}/plan"} {
		mux.Handle(path, handler)
	}
	return &testBundle{r, locker, mux}
}

// do sends a request. header has names and values.
func (b *testBundle) do(method, path, body string, header ...string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, req)
	return rec
}

func (b *testBundle) put(t *testing.T, body string) *httptest.ResponseRecorder {
	t.Helper()
	rec := b.do(http.MethodPut, "/events/gala", body)
	require.Contains(t, []int{http.StatusOK, http.StatusCreated}, rec.Code, rec.Body)
	return rec
}

// requireProblem requires a problem, and returns it.
func requireProblem(t *testing.T, rec *httptest.ResponseRecorder, status int, code api.Code) api.Problem {
	t.Helper()
	require.Equal(t, status, rec.Code, rec.Body)
	var p api.Problem
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &p))
	require.Equal(t, code, p.Code, p.Detail)
	return p
}

const whole = `{"title":"Gala","starts_at":"2027-02-01T19:30:00+01:00","on_sale_at":"2027-01-31T10:00:00Z","off_sale_at":"2027-02-01T18:00:00Z",
	"hold_ttl":"90s","max_hold":"10m","max_seats_per_user":4,"plan":"1-2:A-B","areas":[{"area_id":"floor","capacity":3,"category":"standing"}]}`

func TestEvents_ArePutAndReadBack(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		requireProblem(t, b.do(http.MethodGet, "/events/gala", ""), http.StatusNotFound, api.CodeUnknownEvent)
		rec := b.do(http.MethodPut, "/events/gala", whole)
		require.Equal(t, http.StatusCreated, rec.Code, rec.Body)
		tag := rec.Header().Get("ETag")
		version := strings.Trim(tag, `"`)
		members := `"event_id":"gala","title":"Gala","starts_at":"2027-02-01T18:30:00.000Z","on_sale_at":"2027-01-31T10:00:00.000Z",
			"off_sale_at":"2027-02-01T18:00:00.000Z","hold_ttl":"1m30s","max_hold":"10m0s","max_seats_per_user":4,
			"areas":[{"area_id":"floor","capacity":3,"category":"standing"}],"plan_version":` + version
		require.JSONEq(t, "{"+members+"}", rec.Body.String())
		rec = b.do(http.MethodGet, "/events/gala", "")
		require.Equal(t, http.StatusOK, rec.Code)
		require.Equal(t, tag, rec.Header().Get("ETag"))
		require.JSONEq(t, "{"+members+`,"counts":{"available":7,"reserved":0,"sold":0,"blocked":0}}`, rec.Body.String())

		rec = b.put(t, `{}`)
		require.Equal(t, http.StatusOK, rec.Code)
		require.NotEqual(t, tag, rec.Header().Get("ETag"))
		require.JSONEq(t, `{"event_id":"gala","areas":[{"area_id":"floor","capacity":3,"category":"standing"}],"plan_version":`+version+`}`, rec.Body.String(), "the plan stays")
		b.put(t, `{"plan":null}`)
		require.JSONEq(t, `{"event_id":"gala","counts":{"reserved":0,"sold":0,"blocked":0}}`, b.do(http.MethodGet, "/events/gala", "").Body.String())
	})
}

func TestEvents_CountSeatsByStatus(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	b.put(t, `{"plan":"1-2:A-D"}`)
	_, err := b.locker.Reserve(t.Context(), "gala", []string{"1A", "1B", "1C"}, "ann")
	require.NoError(t, err)
	require.NoError(t, b.locker.Buy(t.Context(), "gala", []string{"1A"}, "ann"))
	require.NoError(t, b.locker.Block(t.Context(), "gala", []string{"2A"}, "house", seatlock.Terms{}))
	require.Contains(t, b.do(http.MethodGet, "/events/gala", "").Body.String(), `"counts":{"available":4,"reserved":2,"sold":1,"blocked":1}`)
}

// requireSame requires the same bytes.
func requireSame(t *testing.T, want, got string) {
	t.Helper()
	require.Equal(t, want, got)
}

func TestEvents_ReturnThePlanAsItWasPut(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	const drawn = `{"name":"Hall","strange":{"kept":true},"zones":[{"name":"Z","rows":[{"row_number":"1","seats":[{"seat_guid":"Z-1-1","seat_number":"1"}]}]}]}`
	tag := b.put(t, `{"plan":`+drawn+`}`).Header().Get("ETag")
	version := strings.Trim(tag, `"`)
	rec := b.do(http.MethodGet, "/events/gala/plan", "")
	require.Equal(t, http.StatusOK, rec.Code)
	requireSame(t, drawn, rec.Body.String()) // unknown members, too
	require.Equal(t, "no-cache", rec.Header().Get("Cache-Control"))
	rec = b.do(http.MethodGet, "/events/gala/plan?version="+version, "", "Accept-Encoding", "gzip")
	require.Equal(t, "public, max-age=31536000, immutable", rec.Header().Get("Cache-Control"))
	require.Equal(t, "gzip", rec.Header().Get("Content-Encoding"))
	plain, err := gzip.NewReader(rec.Body)
	require.NoError(t, err)
	text, err := io.ReadAll(plain)
	require.NoError(t, err)
	requireSame(t, drawn, string(text))
	require.Equal(t, http.StatusNotModified, b.do(http.MethodGet, "/events/gala/plan", "", "If-None-Match", tag).Code)
	requireProblem(t, b.do(http.MethodGet, "/events/gala/plan?version=1", ""), http.StatusNotFound, api.CodeNotFound)

	b.put(t, `{"title":"new","plan":`+drawn+`}`)
	require.Equal(t, tag, b.do(http.MethodGet, "/events/gala/plan", "").Header().Get("ETag"), "the plan is the same")
	b.put(t, `{"plan":null}`)
	requireProblem(t, b.do(http.MethodGet, "/events/gala/plan", ""), http.StatusNotFound, api.CodeNotFound)
	requireProblem(t, b.do(http.MethodGet, "/events/other/plan", ""), http.StatusNotFound, api.CodeUnknownEvent)
}

func TestPut_ObeysPreconditions(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r)
		put := func(header, value string) *httptest.ResponseRecorder {
			return b.do(http.MethodPut, "/events/gala", `{}`, header, value)
		}
		requireProblem(t, put("If-Match", "*"), http.StatusPreconditionFailed, api.CodePreconditionFailed)
		requireProblem(t, put("If-Match", `"1"`), http.StatusPreconditionFailed, api.CodePreconditionFailed)
		created := put("If-None-Match", "*")
		require.Equal(t, http.StatusCreated, created.Code)
		requireProblem(t, put("If-None-Match", "*"), http.StatusPreconditionFailed, api.CodePreconditionFailed)
		requireProblem(t, put("If-None-Match", `"1"`), http.StatusUnprocessableEntity, api.CodeInvalidRequest)
		first := created.Header().Get("ETag")
		require.Equal(t, http.StatusOK, put("If-Match", `"1", `+first).Code)
		requireProblem(t, put("If-Match", first), http.StatusPreconditionFailed, api.CodePreconditionFailed)
		require.Equal(t, http.StatusOK, put("If-Match", "*").Code)
		p := requireProblem(t, put("If-Match", strings.Trim(first, `"`)), http.StatusUnprocessableEntity, api.CodeInvalidRequest)
		require.Contains(t, p.Detail, "If-Match must be an ETag with its quotes")
		requireProblem(t, b.do(http.MethodDelete, "/events/gala", "", "If-Match", first), http.StatusPreconditionFailed, api.CodePreconditionFailed)
	})
}

func TestPut_NamesEveryFaultWithItsPlace(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	for body, want := range map[string]string{
		``:                          "The body is empty; send an object like",
		`[]`:                        "The body must be one JSON object.",
		`{"title":"x"`:              "The body is not one JSON value",
		`{"title":1}`:               "title must be a string.",
		`{"capacity":1}`:            `"capacity" at capacity is not a member of an event; its members are title, starts_at,`,
		`{"onSaleAt":"x"}`:          `"onSaleAt" is not a member of the request; write on_sale_at.`,
		`{"title":"x","title":"y"}`: "title is there twice; send each member once.",
		`{"areas":[{"area_id":"f","capacity":"9"}]}`:                                 "areas[0].capacity must be a number.",
		`{"areas":[{"area_id":"f","size":9}]}`:                                       `"size" at areas[0].size is not a member`,
		`{"on_sale_at":"2027-01-31T10:00:00"}`:                                       `on_sale_at is "2027-01-31T10:00:00": want a time with its zone, like 2027-01-31T10:00:00Z`,
		`{"on_sale_at":"2027-01-31T10:00:00Z","off_sale_at":"2027-01-31T10:00:00Z"}`: "off_sale_at is not after on_sale_at",
		`{"hold_ttl":"0s","max_seats_per_user":-1}`:                                  `hold_ttl is "0s": want a duration from 1s to 24h, like 5m or 90s; max_seats_per_user is -1: want a number from 0 to 1000; 0 is no limit.`,
		`{"hold_ttl":"5m","max_hold":"1m"}`:                                          "max_hold is below hold_ttl",
		`{"title":"` + strings.Repeat("x", 201) + `"}`:                               "title has 201 characters: want at most 200.",
		`{"plan":"1-40:1-50"}`:                                                       "plan: ",
		`{"plan":{"zones":[{"rows":[{"seats":[{"seat_guid":"a b"}]}]}]}}`:            "plan.zones[0].rows[0].seats[0].seat_guid",
		`{"areas":[{"area_id":"floor","capacity":0}]}`:                               "areas[0].capacity",
		`{"plan":"1-5000:A-Z"}`:                                                      "100000",
	} {
		p := requireProblem(t, b.do(http.MethodPut, "/events/gala", body), http.StatusUnprocessableEntity, api.CodeInvalidRequest)
		require.Contains(t, p.Detail, want, body)
	}
	requireProblem(t, b.do(http.MethodPut, "/events/gala", `{"title":"`+strings.Repeat("x", 17<<20)+`"}`), http.StatusRequestEntityTooLarge, api.CodeTooLarge)
	requireProblem(t, b.do(http.MethodPut, "/events/gala", `{"plan":`+strings.Repeat("[", 1<<20)), http.StatusUnprocessableEntity, api.CodeInvalidRequest)
	requireProblem(t, b.do(http.MethodPut, "/events/gala", `{}`, "Content-Type", "text/plain"), http.StatusUnsupportedMediaType, api.CodeUnsupportedMediaType)
	requireProblem(t, b.do(http.MethodPut, "/events/no%20event", `{}`), http.StatusUnprocessableEntity, api.CodeInvalidRequest)
	keys, err := b.redis.Admin(t).Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	require.Empty(t, keys, "nothing is stored")
}

// replacedEvent is an event with a plan that is deleted while a PUT keeps its plan.
type replacedEvent struct {
	events.Locker
	deleted bool
	stored  []byte
	written []seatlock.Put
}

func (l *replacedEvent) Event(context.Context, string) (seatlock.Event, error) {
	if l.deleted {
		return seatlock.Event{}, seatlock.ErrUnknownEvent
	}
	return seatlock.Event{Version: 7, PlanVersion: 7, Document: []byte(`{"areas":[{"area_id":"floor","capacity":3}]}`)}, nil
}

func (l *replacedEvent) Plan(context.Context, string) (int64, []byte, error) { return 7, l.stored, nil }

func (l *replacedEvent) PutEvent(_ context.Context, _ string, put seatlock.Put) (seatlock.Event, bool, error) {
	l.written = append(l.written, put)
	if !l.deleted {
		l.deleted = true
		return seatlock.Event{}, false, seatlock.ErrVersion
	}
	return seatlock.Event{Version: 9, PlanVersion: 9, Document: put.Document}, true, nil
}

func TestPut_KeepsNoPlanOfDeletedEvent(t *testing.T) {
	t.Parallel()
	stored, err := catalog.Store([]byte(`"1-1:A-B"`), []catalog.Area{{AreaID: "floor", Capacity: 3}})
	require.NoError(t, err)
	l := &replacedEvent{stored: stored}
	req := httptest.NewRequest(http.MethodPut, "/?event_id=gala", strings.NewReader(`{"title":"new"}`))
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	events.New(l, nil, nil).ServeHTTP(rec, req)
	require.Equal(t, http.StatusCreated, rec.Code, rec.Body)
	require.JSONEq(t, `{"event_id":"gala","title":"new"}`, rec.Body.String())
	require.Equal(t, stored, l.written[0].Plan)
	require.Empty(t, l.written[1].Plan)
	require.Nil(t, l.written[1].HasSeat)
	require.JSONEq(t, `{"title":"new"}`, string(l.written[1].Document))
}

// slowBody is a body that does not arrive until it is closed.
type slowBody struct{ closed chan struct{} }

func (b slowBody) Read([]byte) (int, error) {
	<-b.closed
	return 0, io.EOF
}

// Four bodies of the greatest length may arrive at the same time. A small one that is slow
// keeps no other waiting.
func TestPut_BoundsBytesThatArrive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler := events.New(nil, nil, nil)
		slow := slowBody{make(chan struct{})}
		put := func(body io.Reader, length int64) *httptest.ResponseRecorder {
			req := httptest.NewRequest(http.MethodPut, "/?event_id=gala", body)
			req.Header.Set("Content-Type", "application/json")
			req.ContentLength = length
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, req)
			return rec
		}
		empty := func() *httptest.ResponseRecorder { return put(strings.NewReader(""), 0) }
		for range 100 {
			go put(slow, 1000)
		}
		for _, length := range []int64{16 << 20, -1, 17 << 20} {
			go put(slow, length)
		}
		synctest.Wait()
		requireProblem(t, empty(), http.StatusUnprocessableEntity, api.CodeInvalidRequest)
		requireProblem(t, put(slow, 16<<20), http.StatusServiceUnavailable, api.CodeUnavailable)
		requireProblem(t, empty(), http.StatusUnprocessableEntity, api.CodeInvalidRequest)
		close(slow.closed)
		synctest.Wait()
		requireProblem(t, put(strings.NewReader("{"), 16<<20), http.StatusUnprocessableEntity, api.CodeInvalidRequest)
	})
}

// slowLocker puts no event until it is closed.
type slowLocker struct {
	events.Locker
	closed chan struct{}
}

func (l slowLocker) PutEvent(context.Context, string, seatlock.Put) (seatlock.Event, bool, error) {
	<-l.closed
	return seatlock.Event{Document: []byte("{}")}, true, nil
}

func TestPut_WritesFourEventsAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		locker := slowLocker{closed: make(chan struct{})}
		handler := events.New(locker, nil, nil)
		put := func() *httptest.ResponseRecorder {
			req := httptest.NewRequest(http.MethodPut, "/?event_id=gala", strings.NewReader(`{"plan":"1-2:A-B"}`))
			req.Header.Set("Content-Type", "application/json")
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, req)
			return rec
		}
		for range 4 {
			go put()
		}
		synctest.Wait()
		requireProblem(t, put(), http.StatusServiceUnavailable, api.CodeUnavailable)
		close(locker.closed)
		synctest.Wait()
		require.Equal(t, http.StatusCreated, put().Code)
	})
}

func TestPut_NamesSeatsThatThePlanDrops(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	_, err := b.locker.Reserve(t.Context(), "gala", []string{"1A", "9Z"}, "ann")
	require.NoError(t, err)
	p := requireProblem(t, b.do(http.MethodPut, "/events/gala", `{"plan":"1-2:A-B"}`), http.StatusConflict, api.CodePlanDropsSeats)
	require.Len(t, p.Conflicts, 1)
	require.Equal(t, "9Z", p.Conflicts[0].SeatID)
}

func TestDelete_KeepsEventsWithSales(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	requireProblem(t, b.do(http.MethodDelete, "/events/gala", ""), http.StatusNotFound, api.CodeUnknownEvent)
	b.put(t, `{"plan":"1-2:A-B"}`)
	_, err := b.locker.Reserve(t.Context(), "gala", []string{"1A"}, "ann")
	require.NoError(t, err)
	requireProblem(t, b.do(http.MethodDelete, "/events/gala?sales=discard", ""), http.StatusConflict, api.CodeEventHasHolds)
	require.NoError(t, b.locker.Buy(t.Context(), "gala", []string{"1A"}, "ann"))
	requireProblem(t, b.do(http.MethodDelete, "/events/gala", ""), http.StatusConflict, api.CodeEventHasSales)
	requireProblem(t, b.do(http.MethodDelete, "/events/gala?sales=all", ""), http.StatusUnprocessableEntity, api.CodeInvalidRequest)
	require.Equal(t, http.StatusNoContent, b.do(http.MethodDelete, "/events/gala?sales=discard", "").Code)
	keys, err := b.redis.Admin(t).Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	require.Empty(t, keys)
}

func TestEvents_AreListedInPages(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t))
	require.JSONEq(t, `{"events":[]}`, b.do(http.MethodGet, "/events", "").Body.String())
	for i := range 150 {
		require.Equal(t, http.StatusCreated, b.do(http.MethodPut, fmt.Sprintf("/events/e%03d", i), `{}`).Code)
	}
	var all []string
	for after := ""; ; {
		var page struct {
			Events []string `json:"events"`
			Next   string   `json:"next"`
		}
		require.NoError(t, json.Unmarshal(b.do(http.MethodGet, "/events?after="+after, "").Body.Bytes(), &page))
		all = append(all, page.Events...)
		if after = page.Next; after == "" {
			break
		}
	}
	require.Len(t, all, 150)
	require.IsIncreasing(t, all)
	requireProblem(t, b.do(http.MethodGet, "/events?after=a%20b", ""), http.StatusUnprocessableEntity, api.CodeInvalidRequest)
}
