package functions_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/seatlock/redistest"
)

func TestRequests_AreRefusedIfInvalid(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	t.Run("not_found", func(t *testing.T) {
		for _, path := range []string{"/nothing", "/page/nothing.js", "/reserve/", "//reserve", "/seats/", "/seats/1A/2B", "/seats/..", "/docs/nothing.js"} {
			b.get(t, path).problem(t, 404, "not_found")
		}
	})
	t.Run("unknown_seat", func(t *testing.T) {
		for _, path := range mutations() {
			p := b.post(t, path, `{"seat_ids":["1A","13A"],"user_id":"ann"}`).problem(t, 404, "unknown_seat")
			require.Contains(t, p["detail"], "13A")
		}
		b.get(t, "/seats/13A").problem(t, 404, "unknown_seat")
		require.Equal(t, "Available", b.get(t, "/seats/1A").success(t)["status"])
	})
	t.Run("method_not_allowed", func(t *testing.T) {
		allowed := map[string]string{"/healthz": "GET, HEAD", "/readyz": "GET, HEAD"}
		for _, f := range functions.Table {
			for path, calls := range f.Paths(false) {
				var methods []string
				for _, c := range calls {
					methods = append(methods, strings.Replace(c.Method, "GET", "GET, HEAD", 1))
				}
				allowed[examples.Replace(path)] = strings.Join(methods, ", ")
			}
		}
		for path, allow := range allowed {
			got := b.do(t, httptest.NewRequest(http.MethodPatch, path, nil))
			got.problem(t, 405, "method_not_allowed")
			require.Equal(t, allow, got.header.Get("Allow"), path)
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
	t.Run("other members are ignored", func(t *testing.T) {
		b.post(t, "/reserve", `{"seat_id":"3C","user_id":"ann","note":{"eventId":["1A"]},"price":null,"events":1}`).success(t)
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
			`{"seat_id":"1A","user_id":"ann","eventId":"gala"}`:          `"eventId" is not a member of the request; write event_id.`,
			`{"seat_id":"1A","user_id":"ann","event":"gala"}`:            "write event_id",
			`{"seat_id":"1A","user_id":"ann","event-id":null}`:           "write event_id",
			`{"seatId":"1A","user_id":"ann"}`:                            "write seat_id",
			`{"seat":"1A","user_id":"ann"}`:                              "write seat_id",
			`{"seatIds":["1A"],"user_id":"ann"}`:                         "write seat_ids",
			`{"seats":["1A"],"user_id":"ann"}`:                           "write seat_ids",
			`{"seat_id":"1A","userId":"ann"}`:                            "write user_id",
			`{"seat_id":"1A","user_id":"ann","user":{"id":"ann"}}`:       "write user_id",
			`{"seat_id":"1A","user_id":"ann","orderId":"7"}`:             "write order_id",
			`{"seat_id":"1A","user_id":"ann","order":"7"}`:               "write order_id",
			`{"seat_id":"1A","seat_id":"2B","user_id":"ann"}`:            `"seat_id" is there twice`,
			`{"seat_id":"1A","user_id":"ann","user_id":"ann"}`:           `"user_id" is there twice`,
			`{"seat_id":"1A","user_id":"\ud800"}`:                        "JSON",
			"{\"seat_id\":\"1A\",\"user_id\":\"\xff\"}":                  "JSON",
			`{"event_id":"","seat_id":"1A","user_id":"ann"}`:             "event_id",
			`{"event_id":"{x}","seat_id":"1A","user_id":"ann"}`:          "event_id",
		} {
			for _, path := range mutations() {
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
			"/seats?eventId=gala":   `"eventId" is not a parameter of the query; write event_id.`,
			"/seats?event=gala":     "write event_id",
			"/seats/1A?EVENT_ID=x":  "write event_id",
			"/seats/1A?seatId=1B":   "write seat_id",
			"/changes?event=gala":   "write event_id",
			"/changes?lastEventId=": "write last_event_id",
			"/sales?event=gala":     "write event_id",
			"/sales?Format=csv":     "write format",
			"/sales?format=json":    "format must be csv",
			"/sales?event_id=":      "event_id",
			"/journal?eventId=gala": "write event_id",
			"/journal?LIMIT=5":      "write limit",
			"/journal?limit=10001":  "limit must be",
			"/journal?after=now":    "after must be",
			"/?event=gala":          "write event_id",
			"/?user=ann":            "write user_id",
		} {
			p := b.get(t, path).problem(t, 422, "invalid_request")
			require.Contains(t, p["detail"], names)
		}
		b.get(t, "/seats?event_id=gala&events=1&utm_source=x").success(t)
		require.Equal(t, "Available", b.get(t, "/seats/2B").success(t)["status"], "a refused request changed a seat")
	})
}
