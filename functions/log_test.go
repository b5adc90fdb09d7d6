package functions_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/functions/changes"
	"booking/functions/internal/api"
	"booking/seatlock/redistest"
)

// logged returns the handler of b, whose calls are logged at level, and the log.
func logged(b *testBundle, level slog.Level) (http.Handler, *bytes.Buffer) {
	var log bytes.Buffer
	return api.LogCalls(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: level})), b.handler), &log
}

func TestLogCalls_LogsEventUserSeatsAndCode(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	issuer := identify(t, b)
	ann := issuer.Token(t, "ann")
	handler, log := logged(b, slog.LevelDebug)
	seller := issuer.SellerToken(t)
	for _, test := range []struct {
		method, target, token, body string
		want                        string // the line, without time, level, method, path and duration
	}{
		{"POST", "/reserve", ann, `{"event_id":"gala","seat_ids":["1A","1B"]}`, `{"msg":"call","status":200,"event":"gala","user":"ann","seats":["1A","1B"]}`},
		{"POST", "/extend", ann, `{"seat_id":"1A"}`, `{"msg":"call","status":400,"event":"default","user":"ann","code":"hold_expired","seats":["1A"]}`},
		{"POST", "/buy", seller, `{"event_id":"gala","seat_id":"1A","user_id":"ann"}`, `{"msg":"call","status":200,"event":"gala","user":"ann","seats":["1A"]}`},
		{"POST", "/release", ann, `{"event_id":"gala","seat_id":"1A"}`, `{"msg":"call","status":409,"event":"gala","user":"ann","code":"seat_sold","seats":["1A"]}`},
		{"POST", "/release", ann, `{"seat_id":"13A"}`, `{"msg":"call","status":404,"event":"default","user":"ann","code":"unknown_seat","seats":["13A"]}`},
		{"POST", "/reserve", ann, `{"seat_id":"1 A"}`, `{"msg":"call","status":422,"code":"invalid_request"}`},
		{"POST", "/reserve", ann + "x", `{"seat_id":"1A"}`, `{"msg":"call","status":401,"code":"unauthenticated"}`},
		{"GET", "/seats/1A?event_id=gala&access_token=" + ann, "", "", `{"msg":"call","status":200,"event":"gala","seats":["1A"]}`},
		{"GET", "/seats/13A", "", "", `{"msg":"call","status":404,"event":"default","code":"unknown_seat","seats":["13A"]}`},
		{"GET", "/seats?event_id=gala", "", "", `{"msg":"call","status":200,"event":"gala"}`},
		{"GET", "/seats?event_id=%20", "", "", `{"msg":"call","status":422,"code":"invalid_request"}`},
		{"HEAD", "/changes?event_id=gala", "", "", `{"msg":"call","status":200,"event":"gala"}`},
		{"GET", "/", "", "", `{"msg":"call","status":200}`},
		{"GET", "/docs", "", "", `{"msg":"call","status":200}`},
		{"GET", "/healthz", "", "", `{"msg":"call","status":200}`},
		{"GET", "/nothing", "", "", `{"msg":"call","status":404,"code":"not_found"}`},
		{"PUT", "/buy", ann, "", `{"msg":"call","status":405,"code":"method_not_allowed"}`},
	} {
		log.Reset()
		req := httptest.NewRequest(test.method, test.target, strings.NewReader(test.body))
		req.Header.Set("Content-Type", "application/json")
		if test.token != "" {
			req.Header.Set("Authorization", "Bearer "+test.token)
		}
		handler.ServeHTTP(httptest.NewRecorder(), req)
		require.NotContains(t, log.String(), ann, "a token is in the log")
		require.NotContains(t, log.String(), seller, "a token is in the log")
		var line map[string]any
		require.NoError(t, json.Unmarshal(log.Bytes(), &line), log)
		require.Equal(t, test.method, line["method"])
		require.Equal(t, req.URL.Path, line["path"])
		require.NotEmpty(t, line["duration"])
		for _, name := range []string{"time", "level", "method", "path", "duration"} {
			delete(line, name)
		}
		got, err := json.Marshal(line)
		require.NoError(t, err)
		require.JSONEq(t, test.want, string(got), test.target)
	}
}

func TestLogCalls_LogsTheEventOfEachFunctionAndThePanic(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	for _, f := range functions.Table {
		if f.Files || len(f.Calls) == 0 { // it has no event
			continue
		}
		streams := changes.Options{Stop: b.monitor.DrainStarted(), OnStream: func(int) { panic("a stream opens") }}
		deps := functions.Deps{Rules: api.Rules{MaxSeats: 10}, Streams: streams} // no Locker
		if f.Name == "changes" {
			deps.Halls = b.deps.Halls // a feed reads in a goroutine of its own
		}
		handler, err := functions.Handler(f.Name, deps, b.monitor)
		require.NoError(t, err)
		b.handler = handler
		logging, log := logged(b, slog.LevelDebug)
		req := httptest.NewRequest(f.Calls[0].Method, "/?event_id=gala&seat_id=1A&user_id=ann", strings.NewReader(`{"event_id":"gala","seat_id":"1A","to_seat_ids":["2A"],"quantity":1,"user_id":"ann","channel":"house"}`))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", "k")
		logging.ServeHTTP(httptest.NewRecorder(), req)
		require.Contains(t, log.String(), `"event":"gala"`, f.Name)
		require.Contains(t, log.String(), `"code":"internal"`, f.Name)
	}
}

func TestLogCalls_IsSilentAboveDebug(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	handler, log := logged(b, slog.LevelInfo)
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/seats/1A", nil))
	require.Empty(t, log.String())
}
