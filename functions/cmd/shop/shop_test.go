package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/functions/cmd/internal/child"
	"booking/seatlock/redistest"
)

// A buyer who does not know how the checkout ended, presses the button again.
func TestCheckout_AfterACrashHasTheSameOrder(t *testing.T) {
	t.Parallel()
	url := startBooking(t, "")
	for k := 1; ; k++ {
		w := newWorld(t, url, fmt.Sprint("again-", k))
		w.reserve(t, "ann", "1A")
		w.start(t, func(point int) fault {
			if point == k {
				return crash
			}
			return noFault
		})
		crashed := crashes(func() { w.checkout(t, "o1", "ann", "1A") })
		w.start(t, nil)
		o, err := w.Checkout(t.Context(), "o1", "ann", []string{"1A"}, 4500)
		require.NoError(t, err)
		require.Equal(t, Paid, o.State)
		w.requireBalance(t, "ann")
		if !crashed {
			require.Equal(t, 7, k, "authorize, buy and capture have six points")
			return
		}
	}
}

// Two tabs of one buyer press the button at the same time: two orders for one seat.
func TestCheckout_OfTwoTabsSellsOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, startBooking(t, ""), "tabs")
	for i := range 20 {
		seat := fmt.Sprint("1-", i)
		w.reserve(t, "ann", seat)
		var tabs sync.WaitGroup
		for tab := range 2 {
			tabs.Go(func() { w.checkout(t, fmt.Sprintf("o%d.%d", i, tab), "ann", seat) })
		}
		tabs.Wait()
	}
	paid := 0
	for _, o := range w.Orders.All() {
		if o.State == Paid {
			paid++
		} else {
			require.Equal(t, "seat_sold", o.Reason)
		}
	}
	require.Equal(t, 20, paid)
	w.requireBalance(t, "ann")
}

// The service itself answers 503, because the replies of its Redis are lost.
func TestCheckout_RepeatsACallWhoseOutcomeIsUnknown(t *testing.T) {
	t.Parallel()
	proxy := redistest.NewProxy(t, redistest.Bare(t))
	service, err := child.Start("REDIS_URL=redis://"+proxy.Addr, "SELLER_TOKEN="+sellerToken, "REQUEST_TIMEOUT=200ms")
	require.NoError(t, err)
	t.Cleanup(func() { service.Stop() })
	w := newWorld(t, service.URL, "unknown")
	w.Retry = time.Millisecond
	for w.booking.Reserve(t.Context(), "ann", "1A") != nil { // 200 ms may be too short on a busy machine
	}
	calls := 0
	w.network.sent = func(*http.Request) {
		calls++
		proxy.LoseReplies(calls <= 2)
	}
	o, err := w.Checkout(t.Context(), "o1", "ann", []string{"1A"}, 4500)
	require.NoError(t, err)
	require.Equal(t, Paid, o.State)
	require.Greater(t, calls, 2)
	require.NotZero(t, proxy.Lost.Load())
}

// The keys of an order's calls differ, and those of a repeat don't.
func TestCheckout_RepeatsWithTheSameKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, startBooking(t, ""), "keys")
	w.reserve(t, "ann", "1A")
	var sent []string
	w.network.sent = func(req *http.Request) { sent = append(sent, req.URL.Path+" "+req.Header.Get("Idempotency-Key")) }
	w.network.fault = func(point int) fault {
		if point%5 == 4 {
			return loseIt
		}
		return noFault
	}
	_, err := w.Checkout(t.Context(), "o1", "ann", []string{"1A"}, 4500)
	require.NoError(t, err)
	w.network.fault = nil
	_, err = w.Refund(t.Context(), "o1")
	require.NoError(t, err)
	require.Equal(t, []string{"/buy o1.2", "/buy o1.2", "/return o1.5"}, sent)
}

func TestCheckout_EndsWithItsTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "http://127.0.0.1:"+redistest.FreePort(t), "down")
	w.Timeout = 0
	o, err := w.Checkout(t.Context(), "o1", "ann", []string{"1A"}, 4500)
	require.ErrorContains(t, err, "order o1 is authorized")
	require.Equal(t, Authorized, o.State)
	_, _, err = w.Reconcile(t.Context())
	require.ErrorContains(t, err, "order o1 is authorized")

	w.booking.URL = startBooking(t, "")
	w.reserve(t, "ann", "1A")
	w.start(t, nil)
	w.reconcile(t)
	require.Equal(t, []string{"o1 paid 1A"}, w.states())
}

func TestReconcile_LeavesTheSalesOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, startBooking(t, ""), "others")
	_, unknown := w.reconcile(t)
	require.Empty(t, unknown, "an event without sales")
	w.reserve(t, "bob", "1A", "1B")
	require.NoError(t, w.booking.Buy(t.Context(), Order{ID: "box-1", User: "bob", Seats: []string{"1A"}}))
	require.NoError(t, w.booking.Buy(t.Context(), Order{User: "bob", Seats: []string{"1B"}}))
	corrected, unknown := w.reconcile(t)
	require.Empty(t, corrected)
	require.ElementsMatch(t, []string{"1A", "1B"}, unknown)
	require.Equal(t, map[string]string{"1A": "box-1", "1B": ""}, w.holdings(t, "bob"))
}

// While Reconcile corrects the first order, the buyer of the second one gets a refund.
func TestReconcile_LeavesAnOrderThatHasChangedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, startBooking(t, ""), "meanwhile")
	for id, seats := range map[string][]string{"o1": {"1A", "1B"}, "o2": {"2A", "2B"}} {
		w.reserve(t, "ann", seats...)
		w.checkout(t, id, "ann", seats...)
		require.NoError(t, w.booking.Return(t.Context(), Order{ID: id, User: "ann", Seats: seats[:1]}))
	}
	var refunded Order
	w.network.sent = func(req *http.Request) {
		if req.URL.Path == "/return" {
			w.network.sent = nil
			var err error
			refunded, err = w.Refund(t.Context(), "o2")
			require.NoError(t, err)
		}
	}
	w.reconcile(t)
	require.Equal(t, []string{"o1 refunded 1B", "o2 refunded 2A 2B"}, w.states())
	require.Equal(t, refunded, w.Orders.Get("o2"))
	w.requireBalance(t, "ann")
}

func TestReconcile_RefundsNothingIfBookingHasLostItsData(t *testing.T) {
	t.Parallel()
	w := newWorld(t, startBooking(t, ""), "lost")
	for i := range maxRefunds + 1 {
		seat := fmt.Sprint("1-", i)
		w.reserve(t, "ann", seat)
		w.checkout(t, fmt.Sprint("o", i), "ann", seat)
	}
	before := w.states()
	w.booking.Event = "empty"
	w.start(t, nil)
	_, _, err := w.Reconcile(t.Context())
	require.ErrorContains(t, err, "11 paid orders have lost seats")
	require.Equal(t, before, w.states())
}

const told = `Ann, Bob, Cem and Dot hold the seats 1A to 1D of the event gala, and go to the checkout.
1. Ann buys 1A: authorize, buy, capture.
   order-1: paid       charge: captured   sold seats: [1A]
2. Bob buys 1B with a double click. Both clicks have the same order.
   order-2: paid       charge: captured   sold seats: [1B]
   order-2: paid       charge: captured   sold seats: [1B]
3. Dot wants 1D, but her card is declined.
   order-3: canceled   charge: declined   sold seats: []
4. Cem buys 1C. The shop crashes before it captures the money.
   order-4: sold       charge: authorized sold seats: [1C]
   A new shop reads the file of orders, and goes on.
   order-4: paid       charge: captured   sold seats: [1C]
5. Ann wants her money back: return, refund.
   order-1: refunded   charge: refunded   sold seats: []
6. The box office returns 1B by hand, and sells 1D. booking tells the shop, which compares its orders with booking's sales.
   order-2: refunded   charge: refunded   sold seats: []
   Sold, but not by this shop: 1D. It leaves that to a person.
`

func TestStory_IsToldByTheCommand(t *testing.T) {
	t.Parallel()
	getenv := func(name string) string {
		return map[string]string{"SELLER_TOKEN": sellerToken, "SINK_SECRET": sinkSecret}[name]
	}
	listen := "127.0.0.1:" + redistest.FreePort(t)
	url := startBooking(t, "", "SINK_URL=http://"+listen, "SINK_SECRET="+sinkSecret)
	for name, args := range map[string][]string{
		"StartsBooking": nil,
		"URL":           {"-url", startBooking(t, "")},
		"URLAndListen":  {"-url", url, "-listen", listen},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := told
			if name == "URL" {
				want = strings.Replace(told, "booking tells the shop, which", "The shop", 1)
			}
			var out, errs strings.Builder
			require.Zero(t, realMain(t.Context(), append(args, "-event", "gala"), getenv, &out, &errs), errs.String())
			require.Equal(t, want, out.String())
		})
	}
	for args, want := range map[string]struct {
		status int
		text   string
	}{
		"-nothing": {2, "flag provided but not defined"},
		"-help":    {0, "SINK_SECRET"},
		"-url=http://127.0.0.1:" + redistest.FreePort(t): {1, "shop: put the event"},
		"-url=" + url + " -listen=nowhere":               {1, "shop: listen"},
	} {
		var out, errs strings.Builder
		require.Equal(t, want.status, realMain(t.Context(), strings.Fields(args), getenv, &out, &errs), args)
		require.Contains(t, errs.String(), want.text)
	}
}
