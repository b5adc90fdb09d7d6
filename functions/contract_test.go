package functions_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/functions/internal/api"
	"booking/functions/internal/readiness"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

func TestTheThreeCalls(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		const body = `{"seat_id":"1A","user_id":"user_123"}`
		require.JSONEq(t, `{"seat_id":"1A","status":"Available"}`, b.get(t, "/seats/1A").body)

		reserved := b.post(t, "/reserve", body).success(t)
		require.Equal(t, "reserved", reserved["status"])
		require.Equal(t, "default", reserved["event_id"])
		require.Equal(t, []any{"1A"}, reserved["seat_ids"])
		require.Equal(t, "user_123", reserved["user_id"])
		require.InDelta(t, 300_000, reserved["expires_in_ms"], 1)
		require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, reserved["expires_at"])

		seat := b.get(t, "/seats/1A").success(t)
		require.Equal(t, "Reserved", seat["status"])
		require.Contains(t, seat, "expires_in_ms")
		require.NotContains(t, b.get(t, "/seats/1A").body, "user_123")

		sold := b.post(t, "/buy", body)
		require.JSONEq(t, `{"status":"sold","event_id":"default","seat_ids":["1A"],"user_id":"user_123"}`, sold.body)
		require.JSONEq(t, `{"seat_id":"1A","status":"Sold"}`, b.get(t, "/seats/1A").body)
	})
}

func TestEveryMutationMayBeSentTwice(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		const body = `{"seat_ids":["1A","1B"],"user_id":"user_123"}`
		first := b.post(t, "/reserve", body).success(t)
		second := b.post(t, "/reserve", body).success(t)
		require.Equal(t, first["expires_at"], second["expires_at"])
		r.Advance(t, time.Minute)
		extended := b.post(t, "/extend", body).success(t)
		require.Equal(t, extended["expires_at"], b.post(t, "/extend", body).success(t)["expires_at"])
		require.Equal(t, b.post(t, "/release", body).success(t), b.post(t, "/release", body).success(t))
		b.post(t, "/reserve", body).success(t)
		require.Equal(t, b.post(t, "/buy", body).success(t), b.post(t, "/buy", body).success(t))
	})
}

func TestGroupsAndEvents(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		reserved := b.post(t, "/reserve", `{"event_id":"gala","seat_ids":["1A","1B"],"user_id":"ann"}`).success(t)
		require.Equal(t, []any{"1A", "1B"}, reserved["seat_ids"])
		require.Equal(t, "gala", reserved["event_id"])
		require.Equal(t, "Available", b.get(t, "/seats/1A").success(t)["status"])
		require.Equal(t, "Reserved", b.get(t, "/seats/1A?event_id=gala").success(t)["status"])

		refused := b.post(t, "/reserve", `{"event_id":"gala","seat_ids":["1B","1C"],"user_id":"bob"}`).problem(t, 409, "seat_unavailable")
		require.Equal(t, []string{"1B Reserved"}, conflicts(t, refused))
		require.Equal(t, "Available", b.get(t, "/seats/1C?event_id=gala").success(t)["status"])
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		b.post(t, "/reserve", `{"seat_ids":["1A","1B"],"user_id":"ann"}`).success(t)
		b.post(t, "/buy", `{"seat_id":"1B","user_id":"ann"}`).success(t)
		t.Run("seat_unavailable", func(t *testing.T) {
			p := b.post(t, "/reserve", `{"seat_ids":["1A","1B","1C"],"user_id":"bob"}`).problem(t, 409, "seat_unavailable")
			require.Equal(t, []string{"1A Reserved", "1B Sold"}, conflicts(t, p))
		})
		t.Run("seat_unavailable, but the user's own", func(t *testing.T) {
			p := b.post(t, "/reserve", `{"seat_id":"1B","user_id":"ann"}`).problem(t, 409, "seat_unavailable")
			require.Equal(t, "1B is yours already, it is sold to you. Nothing was reserved.", p["detail"])
		})
		t.Run("held_by_other", func(t *testing.T) {
			p := b.post(t, "/buy", `{"seat_ids":["1A","1B"],"user_id":"bob"}`).problem(t, 400, "held_by_other")
			require.Equal(t, []string{"1A Reserved", "1B Sold"}, conflicts(t, p))
		})
		t.Run("hold_expired", func(t *testing.T) {
			p := b.post(t, "/buy", `{"seat_ids":["1A","1C"],"user_id":"ann"}`).problem(t, 400, "hold_expired")
			require.Equal(t, []string{"1C Available"}, conflicts(t, p))
			r.Advance(t, time.Hour)
			p = b.post(t, "/buy", `{"seat_id":"1A","user_id":"ann"}`).problem(t, 400, "hold_expired")
			require.Equal(t, []string{"1A Available"}, conflicts(t, p))
		})
	})
}

func TestTheLifecycleCalls(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		const body = `{"seat_ids":["1A","1B"],"user_id":"ann"}`
		reserved := b.post(t, "/reserve", body).success(t)
		r.Advance(t, time.Minute)
		extended := b.post(t, "/extend", body).success(t)
		require.Equal(t, "reserved", extended["status"])
		require.InDelta(t, reserved["expires_in_ms"], extended["expires_in_ms"], 1)
		p := b.post(t, "/extend", `{"seat_ids":["1A","1C"],"user_id":"bob"}`).problem(t, 400, "held_by_other")
		require.Equal(t, []string{"1A Reserved", "1C Available"}, conflicts(t, p))
		p = b.post(t, "/extend", `{"seat_ids":["1A","1C"],"user_id":"ann"}`).problem(t, 400, "hold_expired")
		require.Equal(t, []string{"1C Available"}, conflicts(t, p))

		require.JSONEq(t, `{"status":"released","event_id":"default","seat_ids":["1A","1D"],"user_id":"bob"}`,
			b.post(t, "/release", `{"seat_ids":["1A","1D"],"user_id":"bob"}`).body)
		require.Equal(t, "Reserved", b.get(t, "/seats/1A").success(t)["status"])
		b.post(t, "/release", `{"seat_id":"1A","user_id":"ann"}`).success(t)
		require.Equal(t, "Available", b.get(t, "/seats/1A").success(t)["status"])

		b.post(t, "/buy", `{"seat_id":"1B","user_id":"ann"}`).success(t)
		require.JSONEq(t, `{"status":"sold","event_id":"default","seat_ids":["1B"],"user_id":"ann"}`, b.post(t, "/extend", `{"seat_id":"1B","user_id":"ann"}`).body)
		p = b.post(t, "/release", `{"seat_id":"1B","user_id":"ann"}`).problem(t, 409, "seat_sold")
		require.Equal(t, []string{"1B Sold"}, conflicts(t, p))
	})
}

func TestSeatMap(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		require.Empty(t, b.get(t, "/seats?event_id=gala").success(t)["seats"])
		b.post(t, "/reserve", `{"seat_ids":["1A","1B"],"user_id":"ann"}`).success(t)
		b.post(t, "/buy", `{"seat_id":"1B","user_id":"ann"}`).success(t)
		got := b.get(t, "/seats")
		m := got.success(t)
		require.Equal(t, "default", m["event_id"])
		require.NotEqual(t, "0-0", m["last_event_id"])
		seats := m["seats"].([]any)
		require.Len(t, seats, 2)
		require.Equal(t, "Reserved", seats[0].(map[string]any)["status"])
		require.Contains(t, seats[0], "expires_in_ms")
		require.Equal(t, map[string]any{"seat_id": "1B", "status": "Sold"}, seats[1])
		require.NotContains(t, got.body, "ann")

		again := httptest.NewRequest(http.MethodGet, "/seats", nil)
		again.Header.Set("If-None-Match", got.header.Get("ETag"))
		require.Equal(t, http.StatusNotModified, b.do(t, again).status)
	})
}

func TestSeatLimit(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setupClient(t, r.Client(t), "", seatlock.Options{Timeout: time.Minute, MaxSeatsPerUser: 2})
		b.post(t, "/reserve", `{"seat_ids":["1A","1B"],"user_id":"ann"}`).success(t)
		b.post(t, "/buy", `{"seat_id":"1A","user_id":"ann"}`).success(t)
		p := b.post(t, "/reserve", `{"seat_id":"1C","user_id":"ann"}`).problem(t, 409, "seat_limit")
		require.EqualValues(t, 2, p["limit"])
		require.EqualValues(t, 1, p["held"])
		require.EqualValues(t, 1, p["sold"])
	})
}

func TestRequestsThatCannotBeUnderstood(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	t.Run("not_found", func(t *testing.T) {
		for _, path := range []string{"/nothing", "/page/nothing.js", "/reserve/", "//reserve", "/seats/", "/seats/1A/2B", "/seats/..", "/docs/nothing.js"} {
			b.get(t, path).problem(t, 404, "not_found")
		}
	})
	t.Run("unknown_seat", func(t *testing.T) {
		for _, path := range []string{"/reserve", "/buy", "/extend", "/release"} {
			p := b.post(t, path, `{"seat_ids":["1A","13A"],"user_id":"ann"}`).problem(t, 404, "unknown_seat")
			require.Contains(t, p["detail"], "13A")
		}
		b.get(t, "/seats/13A").problem(t, 404, "unknown_seat")
		require.Equal(t, "Available", b.get(t, "/seats/1A").success(t)["status"])
	})
	t.Run("method_not_allowed", func(t *testing.T) {
		for path, allow := range map[string]string{
			"/reserve": "POST", "/buy": "POST", "/extend": "POST", "/release": "POST", "/seats/1A": "GET, HEAD", "/seats": "GET, HEAD", "/changes": "GET, HEAD", "/docs": "GET, HEAD", "/openapi.json": "GET, HEAD",
			"/healthz": "GET, HEAD", "/readyz": "GET, HEAD",
		} {
			got := b.do(t, httptest.NewRequest(http.MethodDelete, path, nil))
			got.problem(t, 405, "method_not_allowed")
			require.Equal(t, allow, got.header.Get("Allow"))
		}
	})
	t.Run("too_large", func(t *testing.T) {
		b.post(t, "/reserve", `{"user_id":"`+strings.Repeat("x", 16<<10)+`"}`).problem(t, 413, "too_large")
	})
	t.Run("unsupported_media_type", func(t *testing.T) {
		for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/problem+json", ";"} {
			req := httptest.NewRequest(http.MethodPost, "/buy", strings.NewReader(`{"seat_id":"1A","user_id":"ann"}`))
			req.Header.Set("Content-Type", contentType)
			b.do(t, req).problem(t, 415, "unsupported_media_type")
		}
		req := httptest.NewRequest(http.MethodPost, "/reserve", strings.NewReader(`{"seat_id":"1A","user_id":"ann"}`))
		req.Header.Set("Content-Type", "Application/JSON; charset=utf-8")
		b.do(t, req).success(t)
	})
	t.Run("members that mean nothing are let be", func(t *testing.T) {
		b.post(t, "/reserve", `{"seat_id":"3C","user_id":"ann","note":{"seat_id":["1A"]},"price":null}`).success(t)
	})
	t.Run("invalid_request", func(t *testing.T) {
		for body, names := range map[string]string{
			``:                                    "empty",
			`{`:                                   "JSON",
			`seat_id=1A`:                          "JSON",
			`[]`:                                  "object",
			`null`:                                "seat_id",
			`{"seat_id":"1A","user_id":"ann"} {}`: "byte",
			`{"user_id":"ann"}`:                   "seat_id",
			`{"seat_id":null,"user_id":"ann"}`:    "seat_id",
			`{"seat_id":7,"user_id":"ann"}`:       "seat_id",
			`{"seat_id":"","user_id":"ann"}`:      "seat_id",
			`{"seat_id":"1 A","user_id":"ann"}`:   "seat_id",
			`{"seat_id":"1А","user_id":"ann"}`:    "seat_id", // a Cyrillic А
			`{"seat_id":"` + strings.Repeat("x", 65) + `","user_id":"ann"}`:                "seat_id",
			`{"seat_id":"1A","seat_ids":["1B"],"user_id":"ann"}`:                           "seat_ids",
			`{"seat_id":"1A","seat_ids":[],"user_id":"ann"}`:                               "seat_ids",
			`{"seat_ids":[],"user_id":"ann"}`:                                              "seat_ids",
			`{"seat_ids":"1A","user_id":"ann"}`:                                            "seat_ids",
			`{"seat_ids":["1A",2],"user_id":"ann"}`:                                        "seat_ids",
			`{"seat_ids":["1A","1B","1A"],"user_id":"ann"}`:                                "seat_ids[2]",
			`{"seat_ids":["1A",""],"user_id":"ann"}`:                                       "seat_ids[1]",
			`{"seat_ids":["1","2","3","4","5","6","7","8","9","10","11"],"user_id":"ann"}`: "seat_ids",
			`{"seat_id":"1A"}`:                                           "user_id",
			`{"seat_id":"1A","user_id":null}`:                            "user_id",
			`{"seat_id":"1A","user_id":""}`:                              "user_id",
			`{"seat_id":"1A","user_id":"a b"}`:                           "user_id",
			`{"seat_id":"1A","user_id":"Zoë"}`:                           "user_id",
			`{"seat_id":"1A","user_id":{"id":"ann"}}`:                    "user_id",
			`{"seat_id":"1A","SEAT_ID":"2B","user_id":"ann"}`:            `"SEAT_ID" is not a member of the request; write seat_id`,
			`{"Seat_Id":"1A","user_id":"ann"}`:                           `"Seat_Id"`,
			`{"seat_ids":["1A"],"\u017feat_ids":["2B"],"user_id":"ann"}`: "write seat_ids", // a long s
			`{"seat_id":"1A","seat_id":"2B","user_id":"ann"}`:            `"seat_id" is there twice`,
			`{"seat_id":"1A","user_id":"ann","user_id":"ann"}`:           `"user_id" is there twice`,
			`{"seat_id":"1A","user_id":"\ud800"}`:                        "JSON",
			"{\"seat_id\":\"1A\",\"user_id\":\"\xff\"}":                  "JSON",
			`{"event_id":"","seat_id":"1A","user_id":"ann"}`:             "event_id",
			`{"event_id":"{x}","seat_id":"1A","user_id":"ann"}`:          "event_id",
		} {
			for _, path := range []string{"/reserve", "/buy", "/extend", "/release"} {
				p := b.post(t, path, body).problem(t, 422, "invalid_request")
				require.Contains(t, p["detail"], names, body)
			}
		}
		for path, names := range map[string]string{
			"/seats/1%20A":          "seat_id",
			"/seats/1%D0%90":        "seat_id",
			"/seats/1A?event_id=":   "event_id",
			"/seats/1A?event_id=%7": "query",
			"/seats?event_id=":      "event_id",
			"/seats?event_id=%7":    "query",
			"/changes?event_id=":    "event_id",
		} {
			p := b.get(t, path).problem(t, 422, "invalid_request")
			require.Contains(t, p["detail"], names)
		}
		require.Equal(t, "Available", b.get(t, "/seats/2").success(t)["status"], "a refused request changed a seat")
	})
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const body = `{"seat_id":"1A","user_id":"ann"}`
	t.Run("internal", func(t *testing.T) {
		t.Parallel()
		r := redistest.Mini(t)
		b := setup(t, r, "")
		r.Mini.SetError("ERR Error running script 127.0.0.1")
		b.post(t, "/reserve", body).problem(t, 500, "internal")
		b.post(t, "/buy", body).problem(t, 500, "internal")
		b.get(t, "/seats/1A").problem(t, 500, "internal")
		b.get(t, "/seats").problem(t, 500, "internal")
		b.get(t, "/changes").problem(t, 500, "internal")
	})
	t.Run("unavailable", func(t *testing.T) {
		t.Parallel()
		r := redistest.Mini(t)
		b := setup(t, r, "")
		r.Mini.Close()
		b.post(t, "/reserve", body).problem(t, 503, "unavailable")
		b.post(t, "/buy", body).problem(t, 503, "unavailable")
		for _, path := range []string{"/seats/1A", "/seats", "/changes"} {
			require.NotContains(t, b.get(t, path).problem(t, 503, "unavailable")["detail"], "changed", path)
		}
		require.Eventually(t, func() bool { return b.get(t, "/readyz").status == 503 }, redistest.Patience, time.Millisecond)
		b.get(t, "/readyz").problem(t, 503, "unavailable")
	})
	t.Run("unavailable, because Redis refuses the connection", func(t *testing.T) {
		t.Parallel()
		r := redistest.Mini(t)
		r.Mini.RequireAuth("secret")
		b := setupClient(t, r.Client(t), "", seatlock.Options{Timeout: time.Minute})
		for _, call := range []string{"/reserve", "/buy", "/extend", "/release"} {
			b.post(t, call, body).problem(t, 503, "unavailable")
		}
		b.get(t, "/seats/1A").problem(t, 503, "unavailable")
		b.get(t, "/seats").problem(t, 503, "unavailable")
		b.get(t, "/changes").problem(t, 503, "unavailable")
		b.get(t, "/readyz").problem(t, 503, "unavailable")
	})
	t.Run("unavailable, because a sale would not be durable", func(t *testing.T) {
		t.Parallel()
		r := redistest.Server(t)
		b := setupClient(t, r.Client(t), "", seatlock.Options{Timeout: time.Minute, Durable: true})
		b.post(t, "/reserve", body).success(t)
		b.post(t, "/buy", body).problem(t, 503, "unavailable")
		require.Equal(t, "Reserved", b.get(t, "/seats/1A").success(t)["status"])
	})
	t.Run("outcome_unknown", func(t *testing.T) {
		t.Parallel()
		r := redistest.Mini(t)
		proxy := redistest.NewProxy(t, r)
		b := setupClient(t, r.Client(t, proxy.Addr), "", seatlock.Options{Timeout: time.Minute})
		proxy.LoseReplies(true)
		b.post(t, "/reserve", body).problem(t, 503, "outcome_unknown")
		proxy.LoseReplies(false)
		b.post(t, "/reserve", body).success(t)
		proxy.LoseReplies(true)
		b.post(t, "/buy", body).problem(t, 503, "outcome_unknown")
		b.get(t, "/seats/1A").problem(t, 503, "unavailable")
		proxy.LoseReplies(false)
		b.post(t, "/buy", body).success(t)
	})
	t.Run("draining", func(t *testing.T) {
		t.Parallel()
		b := setup(t, redistest.Mini(t), "")
		b.monitor.Drain()
		b.get(t, "/readyz").problem(t, 503, "draining")
		b.post(t, "/reserve", body).success(t)
		b.get(t, "/healthz").success(t)
	})
	t.Run("a panic", func(t *testing.T) {
		t.Parallel()
		b := setup(t, redistest.Mini(t), "")
		handler, err := functions.Handler("reserve", functions.Deps{Rules: api.Rules{MaxSeats: 10}}, b.monitor) // no Locker
		require.NoError(t, err)
		b.handler = handler
		b.post(t, "/reserve", body).problem(t, 500, "internal")
	})
}

func TestFunctionURLs(t *testing.T) {
	t.Parallel()
	const body = `{"seat_id":"1A","user_id":"ann"}`
	require.Equal(t, []string{"reserve", "buy", "extend", "release", "seat", "seatmap", "changes", "page", "docs"}, functions.Names())
	for target, calls := range map[string]struct {
		method string
		paths  []string
	}{
		"reserve": {http.MethodPost, []string{"/reserve", "/"}},
		"buy":     {http.MethodPost, []string{"/buy", "/"}},
		"extend":  {http.MethodPost, []string{"/extend", "/"}},
		"release": {http.MethodPost, []string{"/release", "/"}},
		"seat":    {http.MethodGet, []string{"/seats/1A", "/?seat_id=1A"}},
		"seatmap": {http.MethodGet, []string{"/seats", "/?event_id=gala"}},
		"page":    {http.MethodGet, []string{"/", "/page/page.js"}},
		"docs":    {http.MethodGet, []string{"/docs", "/openapi.json", "/docs/swagger-ui.css", "/"}},
	} {
		t.Run(target, func(t *testing.T) {
			t.Parallel()
			r := redistest.Mini(t)
			setup(t, r, "").post(t, "/reserve", body).success(t)
			b := setup(t, r, target)
			for _, path := range calls.paths {
				if calls.method == http.MethodPost {
					b.post(t, path, body).success(t)
				} else {
					require.Equal(t, http.StatusOK, b.get(t, path).status)
				}
			}
			for _, path := range []string{"/reserve", "/buy", "/extend", "/release", "/seats/1A", "/seats", "/changes", "/docs", "/nothing"} {
				if path != calls.paths[0] {
					b.post(t, path, body).problem(t, 404, "not_found")
				}
			}
			require.Eventually(t, func() bool { return b.get(t, "/readyz").status == 200 }, redistest.Patience, time.Millisecond)
			b.get(t, "/healthz").success(t)
		})
	}
	t.Run("NoSuchFunction", func(t *testing.T) {
		t.Parallel()
		_, err := functions.Handler("refund", functions.Deps{}, readiness.New(nil))
		require.ErrorContains(t, err, "refund")
	})
	t.Run("SeatNeedsItsID", func(t *testing.T) {
		t.Parallel()
		p := setup(t, redistest.Mini(t), "seat").get(t, "/").problem(t, 422, "invalid_request")
		require.Contains(t, p["detail"], "seat_id is missing")
	})
}
