package functions_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/catalog"
	"booking/seatlock/redistest"
)

func TestEvents_OpenAndCloseOnTime(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	opens := time.UnixMilli(1_800_000_000_000).UTC()
	r.Mini.SetTime(opens.Add(-time.Millisecond))
	b := setup(t, r, "")
	b.put(t, "/events/gala", `{"on_sale_at":"`+opens.Format(time.RFC3339)+`","off_sale_at":"`+opens.Add(time.Minute).Format(time.RFC3339)+`","hold_ttl":"30s"}`)
	const body = `{"event_id":"gala","seat_id":"1A","user_id":"ann"}`
	p := b.post(t, "/reserve", body).problem(t, 409, "not_on_sale")
	require.Equal(t, "2027-01-15T08:00:00.000Z", p["on_sale_at"])
	require.Equal(t, "The sale of the event has not begun. Nothing was reserved.", p["detail"])
	r.Advance(t, time.Millisecond)
	require.EqualValues(t, 30_000, b.post(t, "/reserve", body).success(t)["expires_in_ms"])
	r.Advance(t, time.Second)
	b.post(t, "/extend", body).success(t)

	b.put(t, "/events/gala", `{"off_sale_at":"`+opens.Format(time.RFC3339)+`"}`) // paused
	p = b.post(t, "/reserve", `{"event_id":"gala","seat_id":"1B","user_id":"bob"}`).problem(t, 409, "not_on_sale")
	require.NotContains(t, p, "on_sale_at")
	require.Equal(t, "The sale of the event has ended, or is paused. Nothing was reserved.", p["detail"])
	b.post(t, "/buy", body).success(t)
	b.put(t, "/events/gala", `{}`)
	b.post(t, "/reserve", `{"event_id":"gala","seat_id":"1B","user_id":"bob"}`).success(t)
}

func TestEvents_HavePlansAndLimitsOfTheirOwn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		b.put(t, "/events/gala", `{"plan":"BALCONY-{A-B}-{1-3}","areas":[{"area_id":"floor","capacity":2}],"max_seats_per_user":2}`)
		post := func(path, seats string) response {
			return b.post(t, path, `{"event_id":"gala","seat_ids":[`+seats+`],"user_id":"ann"}`)
		}
		for _, path := range mutations() {
			require.Contains(t, post(path, `"BALCONY-A-1","1A"`).problem(t, 404, "unknown_seat")["detail"], "1A")
		}
		b.get(t, "/seats/1A?event_id=gala").problem(t, 404, "unknown_seat")
		b.get(t, "/seats/floor.3?event_id=gala").problem(t, 404, "unknown_seat")
		post("/reserve", `"BALCONY-A-1","floor.2"`).success(t)
		require.EqualValues(t, 2, post("/reserve", `"BALCONY-A-2"`).problem(t, 409, "seat_limit")["limit"])
		require.Contains(t, b.get(t, "/events/gala").body, `"counts":{"available":6,"reserved":2,"sold":0,"blocked":0}`)
		require.Equal(t, `"BALCONY-{A-B}-{1-3}"`, b.get(t, "/events/gala/plan").body)
		require.Equal(t, []any{"gala"}, b.get(t, "/events").success(t)["events"])
	})
}

func TestChannels_KeepTheirSeats(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		b.put(t, "/events/gala", `{"plan":"1-2:A-C"}`)
		const house = `{"event_id":"gala","seat_ids":["1A","1B"],"channel":"house"}`
		require.JSONEq(t, `{"status":"blocked","event_id":"gala","seat_ids":["1A","1B"],"channel":"house"}`, b.post(t, "/block", house).body)
		b.post(t, "/block", house).success(t)
		require.Equal(t, "Blocked", b.get(t, "/seats/1A?event_id=gala").success(t)["status"])
		require.Contains(t, b.get(t, "/seats?event_id=gala").body, `{"seat_id":"1A","status":"Blocked"},{"seat_id":"1B","status":"Blocked"}`)
		const ann = `{"event_id":"gala","seat_id":"1A","user_id":"ann"`
		p := b.post(t, "/reserve", ann+`}`).problem(t, 409, "seat_unavailable")
		require.Equal(t, []string{"1A Blocked"}, conflicts(t, p))
		require.Equal(t, "1A is blocked. Nothing has changed; choose other seats.", p["detail"])
		b.post(t, "/reserve", ann+`,"channel":"house"}`).success(t)
		require.Equal(t, []string{"1A Reserved"}, conflicts(t, b.post(t, "/unblock", house).problem(t, 409, "seat_unavailable")))
		b.post(t, "/release", ann+`}`).success(t)
		require.Equal(t, "Blocked", b.get(t, "/seats/1A?event_id=gala").success(t)["status"])
		b.post(t, "/reserve", ann+`,"channel":"house"}`).success(t)
		b.post(t, "/buy", ann+`}`).success(t)
		require.JSONEq(t, `{"status":"unblocked","event_id":"gala","seat_ids":["1B"],"channel":"house"}`,
			b.post(t, "/unblock", `{"event_id":"gala","seat_id":"1B","channel":"house"}`).body)
		require.Equal(t, "Available", b.get(t, "/seats/1B?event_id=gala").success(t)["status"])
		b.post(t, "/block", `{"event_id":"gala","seat_id":"9Z","channel":"house"}`).problem(t, 404, "unknown_seat")
	})
}

func TestBlock_RefusesInvalidRequests(t *testing.T) {
	t.Parallel()
	b := setup(t, redistest.Mini(t), "")
	for body, names := range map[string]string{
		``:                                                 `send an object like {"seat_ids":["1A","1B"],"channel":"house"}`,
		`{"seat_id":"1A"}`:                                 "channel is missing",
		`{"seat_id":"1A","channel":"a b"}`:                 "channel must be 1 to 64 characters",
		`{"channel":"house"}`:                              "seat_id is missing",
		`{"seat_ids":[],"channel":"house"}`:                "seat_ids must name 1 to 1000 seats, not 0",
		`{"seats":["1A"],"channel":"house"}`:               "write seat_ids",
		`{"seat_id":"1A","Channel":"house"}`:               "write channel",
		`{"seat_id":"1 A","channel":"house"}`:              "seat_id must be",
		`{"event_id":"","seat_id":"1A","channel":"house"}`: "event_id must be",
	} {
		for _, path := range []string{"/block", "/unblock"} {
			require.Contains(t, b.post(t, path, body).problem(t, 422, "invalid_request")["detail"], names, body)
		}
	}
}

func TestUnlistedEvents_AreUnknownIfTurnedOff(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		b.deps.Catalog = catalog.New(b.deps.Locker, catalog.Options{Listed: true})
		b.serve(t, "")
		const body = `{"event_id":"gala","seat_id":"1A","user_id":"ann"}`
		for _, path := range mutations() {
			b.post(t, path, body).problem(t, 404, "unknown_event")
		}
		b.post(t, "/block", `{"event_id":"gala","seat_id":"1A","channel":"house"}`).problem(t, 404, "unknown_event")
		for _, path := range []string{"/seats/1A?event_id=gala", "/seats?event_id=gala", "/changes?event_id=gala", "/sales?event_id=gala", "/journal?event_id=gala", "/events/gala", "/events/gala/plan"} {
			b.get(t, path).problem(t, 404, "unknown_event")
		}
		b.put(t, "/events/gala", `{}`)
		b.post(t, "/reserve", body).success(t)
		b.get(t, "/seats?event_id=gala").success(t)
		b.post(t, "/release", body).success(t)
		require.Equal(t, http.StatusNoContent, b.do(t, httptest.NewRequest(http.MethodDelete, "/events/gala", nil)).status)
		b.post(t, "/reserve", body).problem(t, 404, "unknown_event")
	})
}

func TestOrders_KeepTwoCheckoutsApart(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		const ann = `{"seat_ids":["1A","1B"],"user_id":"ann"`
		b.post(t, "/reserve", ann+`}`).success(t)
		first := b.post(t, "/buy", ann+`,"order_id":"o:1"}`).success(t)
		require.Equal(t, "o:1", first["order_id"])
		require.Equal(t, first, b.post(t, "/buy", ann+`,"order_id":"o:1"}`).success(t))
		for _, order := range []string{`,"order_id":"o:2"}`, `}`} {
			p := b.post(t, "/buy", ann+order).problem(t, 409, "seat_sold")
			require.Equal(t, []string{"1A Sold", "1B Sold"}, conflicts(t, p))
			require.Equal(t, []string{"1A Sold", "1B Sold"}, conflicts(t, b.post(t, "/return", ann+order).problem(t, 409, "not_returnable")))
		}
		returned := `{"status":"returned","event_id":"default","seat_ids":["1A","1B"],"user_id":"ann","order_id":"o:1"}`
		for range 2 {
			require.JSONEq(t, returned, b.post(t, "/return", ann+`,"order_id":"o:1"}`).body)
		}
		require.Equal(t, "Available", b.get(t, "/seats/1A").success(t)["status"])
		b.post(t, "/reserve", `{"seat_id":"1A","user_id":"bob"}`).success(t)
		require.Equal(t, []string{"1A Reserved"}, conflicts(t, b.post(t, "/return", ann+`,"order_id":"o:1"}`).problem(t, 409, "not_returnable")))
		b.post(t, "/buy", `{"seat_id":"1A","user_id":"bob","order_id":"a b"}`).problem(t, 422, "invalid_request")
	})
}
