package functions_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions"
	"booking/functions/internal/readiness"
	"booking/seatlock/redistest"
)

// examples turns a pattern of functions.Table into a path that it matches.
var examples = strings.NewReplacer("{$}", "", "{seat_id}", "1A", "{event_id}", "gala", "{user_id}", "ann", "/page/{file}", "/page/page.js", "/docs/{file}", "/docs/swagger-ui.css")

// paths returns an example of each path of a function.
func paths(f functions.Function) (paths []string) {
	for pattern := range f.Paths(false) {
		paths = append(paths, examples.Replace(pattern))
	}
	return paths
}

// takes reports whether a function has a call of the method.
func takes(f functions.Function, method string) bool {
	return slices.ContainsFunc(f.Calls, func(c functions.Call) bool { return c.Method == method })
}

func TestHandler_ServesOnlyItsTarget(t *testing.T) {
	t.Parallel()
	const body = `{"seat_id":"1A","user_id":"ann"}`
	for _, f := range functions.Table {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			r := redistest.Mini(t)
			all := setup(t, r, "")
			all.post(t, "/reserve", body).success(t)
			all.put(t, "/events/gala", `{"plan":"1-2:A-B"}`)
			b := setup(t, r, f.Name)
			for _, path := range append(paths(f), "/") {
				switch {
				case len(f.Calls) == 0: // it serves the probes alone
					b.get(t, path).problem(t, 404, "not_found")
				case f.Name == "reserve-best":
					b.postKeyed(t, path, `{"quantity":1,"user_id":"ann"}`, path).success(t)
				case f.Name == "return":
					b.post(t, path, `{"seat_id":"1B","user_id":"ann"}`).success(t)
				case f.Name == "exchange":
					all.post(t, "/buy", body)
					b.post(t, path, `{"seat_ids":["1A"],"to_seat_ids":["2A"],"user_id":"ann"}`).success(t)
				case f.Name == "block", f.Name == "unblock":
					b.post(t, path, `{"seat_id":"1B","channel":"house"}`).success(t)
				case takes(f, http.MethodPost):
					b.post(t, path, body).success(t)
				case f.Name == "changes": // GET would not end
					require.Equal(t, http.StatusOK, b.do(t, httptest.NewRequest(http.MethodHead, path, nil)).status, path)
				default:
					require.Equal(t, http.StatusOK, b.get(t, path+"?seat_id=1A&user_id=ann").status, path)
				}
			}
			b.post(t, "/nothing", body).problem(t, 404, "not_found")
			for _, other := range functions.Table {
				for _, path := range paths(other) {
					if other.Name != f.Name && path != "/" {
						b.post(t, path, body).problem(t, 404, "not_found")
					}
				}
			}
			require.Eventually(t, func() bool { return b.get(t, "/readyz").status == 200 }, redistest.WaitLimit, time.Millisecond)
			b.get(t, "/healthz").success(t)
		})
	}
	t.Run("NoSuchFunction", func(t *testing.T) {
		t.Parallel()
		require.False(t, slices.Contains(functions.Names(), "refund"))
		_, err := functions.Handler("refund", functions.Deps{}, readiness.New(nil))
		require.ErrorContains(t, err, "refund")
	})
	t.Run("SeatNeedsItsID", func(t *testing.T) {
		t.Parallel()
		p := setup(t, redistest.Mini(t), "seat").get(t, "/").problem(t, 422, "invalid_request")
		require.Contains(t, p["detail"], "seat_id is missing")
	})
	t.Run("ItsOwnURLHasAQuery", func(t *testing.T) {
		t.Parallel()
		b := setup(t, redistest.Mini(t), "seatmap")
		require.Equal(t, "gala", b.get(t, "/?event_id=gala").success(t)["event_id"])
	})
}
