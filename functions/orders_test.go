package functions_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest"
)

// postKeyed posts a body with an Idempotency-Key.
func (b *testBundle) postKeyed(t *testing.T, path, body string, keys ...string) response {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	for _, key := range keys {
		req.Header.Add("Idempotency-Key", key)
	}
	return b.do(t, req)
}

func TestExchange_MovesASaleInOneStep(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		const order = `,"user_id":"ann","order_id":"o:1"}`
		b.post(t, "/reserve", `{"seat_ids":["1A","1B"],"user_id":"ann"}`).success(t)
		b.post(t, "/buy", `{"seat_ids":["1A","1B"]`+order).success(t)
		b.post(t, "/reserve", `{"seat_id":"2B","user_id":"bob"}`).success(t)

		p := b.post(t, "/exchange", `{"seat_ids":["1A","1B"],"to_seat_ids":["2A","2B"]`+order).problem(t, 409, "seat_unavailable")
		require.Equal(t, "2B", p["conflicts"].([]any)[0].(map[string]any)["seat_id"])
		p = b.post(t, "/exchange", `{"seat_ids":["1A","1B"],"to_seat_ids":["2A","2C"],"user_id":"ann"}`).problem(t, 409, "not_returnable")
		require.Len(t, p["conflicts"], 2)
		b.post(t, "/exchange", `{"seat_ids":["1A"],"to_seat_ids":["13A"]`+order).problem(t, 404, "unknown_seat")
		require.JSONEq(t, `{"seat_id":"1A","status":"Sold"}`, b.get(t, "/seats/1A").body)

		for range 2 {
			moved := b.post(t, "/exchange", `{"seat_ids":["1A","1B"],"to_seat_ids":["2A","2C"]`+order)
			require.JSONEq(t, `{"status":"sold","event_id":"default","seat_ids":["2A","2C"],"user_id":"ann","order_id":"o:1"}`, moved.body)
		}
		require.JSONEq(t, `{"seat_id":"1A","status":"Available"}`, b.get(t, "/seats/1A").body)
		require.JSONEq(t, `{"seat_id":"2A","status":"Sold"}`, b.get(t, "/seats/2A").body)
	})
}

func TestHoldings_ListTheSeatsOfAUser(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		const path = "/users/auth0%7Cann/seats"
		require.JSONEq(t, `{"event_id":"default","user_id":"auth0|ann","seats":[]}`, b.get(t, path).body)
		for _, seat := range []string{"1A", "1B", "1C"} { // each is there at once
			b.post(t, "/reserve", `{"seat_id":"`+seat+`","user_id":"auth0|ann"}`).success(t)
			require.Contains(t, b.get(t, path).body, `"seat_id":"`+seat+`"`)
		}
		b.post(t, "/reserve", `{"seat_id":"1D","user_id":"bob"}`).success(t)
		b.post(t, "/buy", `{"seat_id":"1B","user_id":"auth0|ann","order_id":"o:1"}`).success(t)
		b.post(t, "/buy", `{"seat_id":"1C","user_id":"auth0|ann"}`).success(t)

		seats := b.get(t, path).success(t)["seats"].([]any)
		require.Len(t, seats, 3)
		held := seats[0].(map[string]any)
		require.Equal(t, "1A Reserved", held["seat_id"].(string)+" "+held["status"].(string))
		require.InDelta(t, 300_000, held["expires_in_ms"], 60_000)
		require.Equal(t, map[string]any{"seat_id": "1B", "status": "Sold", "order_id": "o:1"}, seats[1])
		require.Equal(t, map[string]any{"seat_id": "1C", "status": "Sold"}, seats[2])

		b.post(t, "/exchange", `{"seat_ids":["1B"],"to_seat_ids":["2B"],"user_id":"auth0|ann","order_id":"o:1"}`).success(t)
		b.post(t, "/return", `{"seat_id":"1C","user_id":"auth0|ann"}`).success(t)
		b.post(t, "/release", `{"seat_id":"1A","user_id":"auth0|ann"}`).success(t)
		require.JSONEq(t, `{"event_id":"default","user_id":"auth0|ann","seats":[{"seat_id":"2B","status":"Sold","order_id":"o:1"}]}`, b.get(t, path).body)
		require.JSONEq(t, `{"event_id":"gala","user_id":"auth0|ann","seats":[]}`, b.get(t, path+"?event_id=gala").body)
		b.get(t, "/users/a%20b/seats").problem(t, 422, "invalid_request")
		b.get(t, path+"?event=gala").problem(t, 422, "invalid_request")
		require.Contains(t, setup(t, r, "holdings").get(t, "/").problem(t, 422, "invalid_request")["detail"], "user_id is missing")
	})
}

func TestIdempotencyKey_MakesACallOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		const held, sold = `{"seat_id":"1A","user_id":"ann"}`, `{"seat_id":"1A","user_id":"ann","order_id":"o:1"}`
		blocked := `{"seat_ids":["3A"],"channel":"house"}`
		for _, step := range []struct{ path, body, undo, undoBody string }{
			{"/reserve", held, "/release", held},
			{"/release", held, "/reserve", held},
			{"/extend", held, "", ""},
			{"/buy", sold, "/return", sold},
			{"/reserve", held, "/buy", sold},
			{"/exchange", `{"seat_ids":["1A"],"to_seat_ids":["2A"],"user_id":"ann","order_id":"o:1"}`, "/exchange", `{"seat_ids":["2A"],"to_seat_ids":["1A"],"user_id":"ann","order_id":"o:1"}`},
			{"/return", sold, "/reserve", held},
			{"/block", blocked, "/unblock", blocked},
			{"/block", blocked, "", ""},
			{"/unblock", blocked, "/block", blocked},
		} {
			key := step.path + " " + step.undo
			first := b.postKeyed(t, step.path, step.body, key)
			require.Equal(t, http.StatusOK, first.status, "%s: %s", key, first.body)
			require.Empty(t, first.header.Get("Idempotent-Replayed"), key)
			if step.undo != "" {
				b.post(t, step.undo, step.undoBody).success(t)
			}
			r.Advance(t, time.Second)
			before := b.contents(t)

			again := b.postKeyed(t, step.path, step.body, key)
			require.Equal(t, first.body, again.body, key)
			require.Equal(t, "true", again.header.Get("Idempotent-Replayed"), key)
			require.Equal(t, before, b.contents(t), "%s changes nothing", key)
			other := strings.NewReplacer(`"1A"`, `"1B"`, `"3A"`, `"3B"`).Replace(step.body)
			b.postKeyed(t, step.path, other, key).problem(t, 422, "idempotency_key_reused")
		}

		b.postKeyed(t, "/reserve", `{"seat_id":"1A","user_id":"bob"}`, "k").problem(t, 409, "seat_unavailable")
		b.post(t, "/release", held).success(t)
		refused := b.postKeyed(t, "/reserve", `{"seat_id":"1A","user_id":"bob"}`, "k")
		require.Equal(t, http.StatusOK, refused.status, "a refusal is not remembered")
	})
}

func TestIdempotencyKey_IsChecked(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	for _, keys := range [][]string{{""}, {strings.Repeat("k", 65)}, {"schlüssel"}, {"one", "two"}} {
		for path, body := range map[string]string{"/reserve": `{"seat_id":"1A","user_id":"ann"}`, "/block": `{"seat_id":"1A","channel":"house"}`} {
			p := b.postKeyed(t, path, body, keys...).problem(t, 422, "invalid_request")
			require.Contains(t, p["detail"], "Idempotency-Key must be 1 to 64 printable ASCII characters", keys)
		}
	}
	b.postKeyed(t, "/reserve", `{"seat_id":"1A","user_id":"ann"}`, strings.Repeat("k", 64)).success(t)
}
