package functions_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

func TestSeats_AreReservedAndSold(t *testing.T) {
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

func TestMutations_MayBeSentTwice(t *testing.T) {
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

func TestReserve_HoldsAGroupOrNothing(t *testing.T) {
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

func TestRefusals_NameTheConflicts(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		b.post(t, "/reserve", `{"seat_ids":["1A","1B"],"user_id":"ann"}`).success(t)
		b.post(t, "/buy", `{"seat_id":"1B","user_id":"ann"}`).success(t)
		t.Run("seat_unavailable", func(t *testing.T) {
			p := b.post(t, "/reserve", `{"seat_ids":["1A","1B","1C"],"user_id":"bob"}`).problem(t, 409, "seat_unavailable")
			require.Equal(t, []string{"1A Reserved", "1B Sold"}, conflicts(t, p))
		})
		t.Run("already_yours", func(t *testing.T) {
			p := b.post(t, "/reserve", `{"seat_id":"1B","user_id":"ann"}`).problem(t, 409, "already_yours")
			require.Equal(t, "1B is already sold to you. Nothing was reserved.", p["detail"])
			p = b.post(t, "/reserve", `{"seat_ids":["1A","1B","1C"],"user_id":"ann"}`).problem(t, 409, "already_yours")
			require.Equal(t, []string{"1B Sold"}, conflicts(t, p), "1A is held by the user, 1C is available")
			require.Equal(t, "Available", b.get(t, "/seats/1C").success(t)["status"])
		})
		t.Run("seat_unavailable, if another seat is another user's", func(t *testing.T) {
			b.post(t, "/reserve", `{"seat_id":"1D","user_id":"bob"}`).success(t)
			p := b.post(t, "/reserve", `{"seat_ids":["1B","1D"],"user_id":"ann"}`).problem(t, 409, "seat_unavailable")
			require.Equal(t, []string{"1B Sold", "1D Reserved"}, conflicts(t, p))
			require.Equal(t, "1B is already sold to you, 1D is held by someone else. Nothing has changed; choose other seats.", p["detail"])
			require.NotContains(t, p["detail"], "bob")
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

func TestHolds_AreExtendedAndReleased(t *testing.T) {
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

func TestSeatmap_ListsSeatsThatAreNotAvailable(t *testing.T) {
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

func TestReserveBest_ChoosesSeats(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		b.put(t, "/events/gala", `{"plan":"1-1:A-F","areas":[{"area_id":"floor","capacity":3}],"max_seats_per_user":6}`)
		b.post(t, "/block", `{"event_id":"gala","seat_ids":["1E","1F"],"channel":"house"}`).success(t)
		best := func(members string, keys ...string) response {
			return b.postKeyed(t, "/reserve-best", `{"event_id":"gala",`+members+`}`, keys...)
		}
		two := best(`"quantity":2,"user_id":"ann"`, "k").success(t)
		require.Equal(t, "reserved", two["status"])
		require.Equal(t, []any{"1C", "1D"}, two["seat_ids"], "nearest to the middle of the row, and no single seat is left")
		require.Equal(t, true, two["adjacent"])
		require.Contains(t, two, "expires_at")
		again := best(`"quantity":2,"user_id":"ann"`, "k")
		require.Equal(t, two, again.success(t))
		require.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
		best(`"quantity":3,"user_id":"ann"`, "k").problem(t, 422, "idempotency_key_reused")
		best(`"quantity":2,"user_id":"ann"`).problem(t, 422, "invalid_request")

		require.Equal(t, []any{"1E", "1F"}, best(`"quantity":2,"user_id":"ann","channel":"house"`, "house").success(t)["seat_ids"])
		places := best(`"quantity":2,"user_id":"ann","area_id":"floor"`, "floor").success(t)
		require.Len(t, places["seat_ids"], 2)
		require.Equal(t, false, places["adjacent"])
		best(`"quantity":2,"user_id":"ann"`, "limit").problem(t, 409, "seat_limit")
		best(`"quantity":2,"user_id":"bob","area_id":"floor"`, "few").problem(t, 409, "sold_out")
		best(`"quantity":1,"user_id":"bob"`, "one").success(t)
		b.post(t, "/release", `{"event_id":"gala","seat_id":"1D","user_id":"ann"}`).success(t)
		p := best(`"quantity":2,"user_id":"bob"`, "two").problem(t, 409, "no_adjacent_seats")
		require.EqualValues(t, 1, p["largest_block"])
	})
}

func TestReserve_EnforcesTheSeatLimit(t *testing.T) {
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
