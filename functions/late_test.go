package functions_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"booking/seatlock/redistest"
)

// keyedCall is a POST with an Idempotency-Key.
type keyedCall struct{ path, body, key string }

// badNetwork connects a client and the service. It delivers a request late, or twice, or loses
// the answer.
type badNetwork struct {
	bundle  *testBundle
	late    []keyedCall         // requests that it keeps
	answers map[string]response // of each key: its first success
	arrived []keyedCall         // the first arrivals: those that got that success, or were refused before it
}

// deliver brings a request to the service. A request whose key has succeeded must get the same
// answer, and change nothing.
func (n *badNetwork) deliver(t *testing.T, c keyedCall) response {
	first, succeeded := n.answers[c.key]
	before := n.bundle.contents(t)
	got := n.bundle.postKeyed(t, c.path, c.body, c.key)
	switch {
	case succeeded:
		require.Equal(t, http.StatusOK, got.status, "%v: %s", c, got.body)
		require.Equal(t, first.body, got.body, "%v", c)
		require.Equal(t, "true", got.header.Get("Idempotent-Replayed"), "%v", c)
		require.Equal(t, before, n.bundle.contents(t), "%v changes nothing", c)
	default:
		require.Empty(t, got.header.Get("Idempotent-Replayed"), "%v", c)
		n.arrived = append(n.arrived, c)
		if got.status == http.StatusOK {
			n.answers[c.key] = got
		}
	}
	return got
}

// deliverLate delivers one of the requests that n keeps.
func (n *badNetwork) deliverLate(t *testing.T, i int) {
	c := n.late[i]
	n.late = append(n.late[:i], n.late[i+1:]...)
	n.deliver(t, c)
}

// contents returns the seats of the event, and those of each user, without times.
func (b *testBundle) contents(t *testing.T) []string {
	t.Helper()
	var contents []string
	for _, seat := range lateSeats {
		contents = append(contents, fmt.Sprint(seat, b.get(t, "/seats/"+seat).success(t)["status"]))
	}
	for _, user := range lateUsers {
		for _, seat := range b.get(t, "/users/"+user+"/seats").success(t)["seats"].([]any) {
			s := seat.(map[string]any)
			contents = append(contents, fmt.Sprint(user, s["seat_id"], s["status"], s["order_id"]))
		}
	}
	return contents
}

var (
	lateUsers = []string{"ann", "bob"}
	lateSeats = []string{"1A", "1B", "1C", "2A"}
)

func drawCall(rt *rapid.T, key string) keyedCall {
	seat := rapid.SampledFrom(lateSeats).Draw(rt, "seat")
	body := fmt.Sprintf(`"user_id":"%s"`, rapid.SampledFrom(lateUsers).Draw(rt, "user"))
	path := rapid.SampledFrom([]string{"/reserve", "/reserve", "/extend", "/release", "/buy", "/buy", "/return", "/exchange", "/block", "/unblock"}).Draw(rt, "path")
	switch path {
	case "/buy", "/return":
		body += fmt.Sprintf(`,"order_id":"%s"`, rapid.SampledFrom([]string{"o:1", "o:2"}).Draw(rt, "order"))
	case "/exchange":
		to := rapid.SampledFrom(lateSeats).Filter(func(id string) bool { return id != seat }).Draw(rt, "to")
		body += fmt.Sprintf(`,"order_id":"o:1","to_seat_ids":["%s"]`, to)
	case "/block", "/unblock":
		body = `"channel":"house"`
	}
	return keyedCall{path, fmt.Sprintf(`{"seat_ids":["%s"],%s}`, seat, body), key}
}

// Whatever the network delays, reorders and repeats, each request acts when it first succeeds, and
// never again.
func TestIdempotencyKey_LateCopiesChangeNothing(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Redis) {
		b := setup(t, r, "")
		rapid.Check(t, func(rt *rapid.T) {
			flush(t, r)
			n := &badNetwork{bundle: b, answers: map[string]response{}}
			for i := range rapid.IntRange(1, 25).Draw(rt, "calls") {
				c := drawCall(rt, fmt.Sprint("key ", i))
				for answered := false; !answered; { // the client repeats its call until it has an answer
					fault := rapid.SampledFrom([]string{"none", "none", "late", "twice", "answer lost"}).Draw(rt, "fault")
					if fault == "late" || fault == "twice" {
						n.late = append(n.late, c)
					}
					if fault != "late" {
						n.deliver(t, c)
						answered = fault != "answer lost"
					}
				}
				if len(n.late) > 0 && rapid.Bool().Draw(rt, "deliver late") {
					n.deliverLate(t, rapid.IntRange(0, len(n.late)-1).Draw(rt, "which"))
				}
			}
			for len(n.late) > 0 {
				n.deliverLate(t, rapid.IntRange(0, len(n.late)-1).Draw(rt, "which"))
			}
			after := b.contents(t)

			flush(t, r)
			for _, c := range n.arrived {
				req := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
				req.Header.Set("Content-Type", "application/json")
				b.do(t, req)
			}
			require.Equal(t, b.contents(t), after, "as without the late copies")
		})
	})
}

// flush empties r.
func flush(t *testing.T, r *redistest.Redis) {
	t.Helper()
	require.NoError(t, r.Admin(t).FlushAll(t.Context()).Err())
}
