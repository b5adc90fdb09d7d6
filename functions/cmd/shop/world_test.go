package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/internal/child"
	"booking/seatlock/redistest"
)

func TestMain(m *testing.M) {
	child.Serve("shop")
	os.Exit(m.Run())
}

const sellerToken = "0123456789abcdef0123456789abcdef"

// startBooking starts the service over a redis-server, or over the embedded one, and returns its URL.
func startBooking(t *testing.T, redisURL string, env ...string) string {
	t.Helper()
	service, err := child.Start(append(env, "REDIS_URL="+redisURL, "SELLER_TOKEN="+sellerToken, "REQUEST_TIMEOUT=30s")...)
	require.NoError(t, err)
	t.Cleanup(func() { service.Stop() })
	return service.URL
}

// world is a shop, its provider and its event.
type world struct {
	*Shop
	booking  *Booking // without faults: for buyers, and for the box office
	provider *FakePayments
	path     string
	network  *network
}

func newWorld(t *testing.T, url, event string) *world {
	t.Helper()
	w := &world{
		booking:  &Booking{URL: url, Event: event, Token: sellerToken, HTTP: http.DefaultClient},
		provider: NewFakePayments(), path: filepath.Join(t.TempDir(), "orders.jsonl"),
	}
	w.start(t, nil)
	t.Cleanup(func() { _ = w.Orders.Close() })
	return w
}

// start starts a shop that has only the file of orders, behind a new network.
func (w *world) start(t *testing.T, fault func(point int) fault) {
	t.Helper()
	if w.Shop != nil {
		require.NoError(t, w.Orders.Close())
	}
	orders, err := OpenOrders(w.path)
	require.NoError(t, err)
	w.network = &network{fault: fault}
	booking := *w.booking
	booking.HTTP = &http.Client{Transport: w.network}
	w.Shop = &Shop{Orders: orders, Payments: payments{w.provider, w.network}, Booking: &booking,
		Retry: time.Millisecond, Timeout: redistest.WaitLimit}
}

// crashes reports whether the shop crashes in act.
func crashes(act func()) (crashed bool) {
	defer func() {
		if v := recover(); v != nil && v != errCrashed { //nolint:errorlint // the very value that pass panics with
			panic(v)
		} else if v != nil {
			crashed = true
		}
	}()
	act()
	return false
}

// reconcile reconciles until the calls are answered.
func (w *world) reconcile(t *testing.T) (corrected []Order, unknown []string) {
	t.Helper()
	for range 3 { // a fault, at most
		var err error
		if corrected, unknown, err = w.Reconcile(t.Context()); err == nil {
			return corrected, unknown
		}
	}
	require.FailNow(t, "Reconcile always fails")
	return nil, nil
}

// states returns the states of all orders, like "o1 paid 1A".
func (w *world) states() []string {
	var states []string
	for _, o := range w.Orders.All() {
		seats := strings.Join(o.Seats, " ")
		if o.State == Canceled {
			seats = o.Reason
		}
		states = append(states, strings.TrimSpace(fmt.Sprintf("%s %s %s", o.ID, o.State, seats)))
	}
	return states
}

// requireBalance requires that each captured charge has its sale, and each sale its captured
// charge; that no order and no authorization is open. Sales of the box office don't count.
func (w *world) requireBalance(t *testing.T, users ...string) {
	t.Helper()
	want := map[string]string{}
	for _, o := range w.Orders.All() {
		require.Contains(t, []State{Paid, Refunded, Canceled}, o.State, o)
		require.NotEqual(t, "authorized", w.provider.Charge(o.ID), "an authorization is open: %v", o)
		require.Equal(t, o.State == Paid, w.provider.Charge(o.ID) == "captured", "%v: the charge is %s", o, w.provider.Charge(o.ID))
		if o.State == Paid {
			for _, seat := range o.Seats {
				want[seat] = o.ID
			}
		}
	}
	require.Len(t, w.Orders.All(), len(w.provider.charges), "an order for each charge")
	ours := func(sold map[string]string) map[string]string {
		maps.DeleteFunc(sold, func(_, order string) bool { return strings.HasPrefix(order, "box-") })
		return sold
	}
	sold, err := w.booking.Sold(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, ours(sold))
	require.Equal(t, want, ours(w.holdings(t, users...)))
}

// holdings returns the sold seats of users and their orders, without the manifest.
func (w *world) holdings(t *testing.T, users ...string) map[string]string {
	t.Helper()
	sold := map[string]string{}
	for _, user := range users {
		body, err := w.booking.do(t.Context(), http.MethodGet, "/users/"+user+"/seats?event_id="+w.booking.Event, http.Header{}, nil)
		require.NoError(t, err)
		var answer struct {
			Seats []struct {
				SeatID  string `json:"seat_id"`
				OrderID string `json:"order_id"`
				Status  string
			}
		}
		require.NoError(t, json.NewDecoder(body).Decode(&answer))
		require.NoError(t, body.Close())
		for _, seat := range answer.Seats {
			if seat.Status == "Sold" {
				sold[seat.SeatID] = seat.OrderID
			}
		}
	}
	return sold
}

func (w *world) reserve(t *testing.T, user string, seats ...string) {
	t.Helper()
	require.NoError(t, w.booking.Reserve(t.Context(), user, seats...))
}

// checkout does not check the error: a fault may be in the way.
func (w *world) checkout(t *testing.T, id, user string, seats ...string) {
	_, _ = w.Checkout(t.Context(), id, user, seats, 4500)
}
