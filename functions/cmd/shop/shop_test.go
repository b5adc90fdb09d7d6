package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
func startBooking(t *testing.T, redisURL string) string {
	t.Helper()
	service, err := child.Start("REDIS_URL="+redisURL, "SELLER_TOKEN="+sellerToken, "REQUEST_TIMEOUT=30s")
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

// A scenario is what buyers, the box office and the shop do. prepare meets no fault.
type scenario struct {
	prepare func(t *testing.T, w *world)
	act     func(t *testing.T, w *world)
	want    []string // the states at the end, if the shop does not crash
}

var scenarios = map[string]scenario{
	"Purchase": {
		func(t *testing.T, w *world) { w.reserve(t, "ann", "1A", "1B") },
		func(t *testing.T, w *world) { w.checkout(t, "o1", "ann", "1A", "1B") },
		[]string{"o1 paid 1A 1B"},
	},
	"DoubleClick": {
		func(t *testing.T, w *world) { w.reserve(t, "ann", "1A") },
		func(t *testing.T, w *world) {
			var clicks sync.WaitGroup
			crashed := make([]bool, 2)
			for i := range crashed {
				clicks.Go(func() { crashed[i] = crashes(func() { w.checkout(t, "o1", "ann", "1A") }) })
			}
			clicks.Wait()
			if crashed[0] || crashed[1] {
				panic(errCrashed)
			}
		},
		[]string{"o1 paid 1A"},
	},
	"TwoTabs": {
		func(t *testing.T, w *world) { w.reserve(t, "ann", "1A") },
		func(t *testing.T, w *world) {
			w.checkout(t, "o1", "ann", "1A")
			w.checkout(t, "o2", "ann", "1A")
		},
		[]string{"o1 paid 1A", "o2 canceled seat_sold"},
	},
	"HoldExpired": {
		func(*testing.T, *world) {},
		func(t *testing.T, w *world) {
			w.checkout(t, "o1", "ann", "1A")
			w.reserve(t, "ann", "1A")
			w.checkout(t, "o1", "ann", "1A") // an order that is canceled stays so
		},
		[]string{"o1 canceled hold_expired"},
	},
	"HeldByAnother": {
		func(t *testing.T, w *world) { w.reserve(t, "bob", "1A") },
		func(t *testing.T, w *world) { w.checkout(t, "o1", "ann", "1A") },
		[]string{"o1 canceled held_by_other"},
	},
	"CardDeclined": {
		func(t *testing.T, w *world) {
			w.reserve(t, "ann", "1A")
			w.provider.Decline("authorize", "o1")
		},
		func(t *testing.T, w *world) {
			w.checkout(t, "o1", "ann", "1A")
			w.checkout(t, "o2", "ann", "1A") // with another card
		},
		[]string{"o1 canceled card_declined", "o2 paid 1A"},
	},
	"CaptureRefused": {
		func(t *testing.T, w *world) {
			w.reserve(t, "ann", "1A")
			w.provider.Decline("capture", "o1")
		},
		func(t *testing.T, w *world) { w.checkout(t, "o1", "ann", "1A") },
		[]string{"o1 canceled authorization_expired"},
	},
	"Refund": {
		func(t *testing.T, w *world) { w.reserve(t, "ann", "1A") },
		func(t *testing.T, w *world) {
			w.checkout(t, "o1", "ann", "1A")
			_, _ = w.Refund(t.Context(), "o1")
			_, _ = w.Refund(t.Context(), "o1")
		},
		[]string{"o1 refunded 1A"},
	},
	"RefundOfASeatThatAnotherBuyerHas": {
		func(t *testing.T, w *world) {
			w.reserve(t, "ann", "1A", "1B")
			w.checkout(t, "o1", "ann", "1A", "1B")
			require.NoError(t, w.booking.Return(t.Context(), Order{ID: "o1", User: "ann", Seats: []string{"1A"}}))
			w.reserve(t, "bob", "1A")
			w.checkout(t, "o2", "bob", "1A")
		},
		func(t *testing.T, w *world) { _, _ = w.Refund(t.Context(), "o1") },
		[]string{"o1 refunded 1B", "o2 paid 1A"},
	},
	"Exchange": {
		func(t *testing.T, w *world) { w.reserve(t, "ann", "1A", "1B") },
		func(t *testing.T, w *world) {
			w.checkout(t, "o1", "ann", "1A", "1B")
			_, _ = w.Exchange(t.Context(), "o1", []string{"2A", "2B"})
			_, _ = w.Exchange(t.Context(), "o1", []string{"2A", "2B"})
		},
		[]string{"o1 paid 2A 2B"},
	},
	"ExchangeRefused": {
		func(t *testing.T, w *world) { w.reserve(t, "bob", "2A") },
		func(t *testing.T, w *world) {
			w.reserve(t, "ann", "1A")
			w.checkout(t, "o1", "ann", "1A")
			_, _ = w.Exchange(t.Context(), "o1", []string{"2A"})
		},
		[]string{"o1 paid 1A"},
	},
	"ExchangeIsNotValid": {
		func(t *testing.T, w *world) {
			w.reserve(t, "ann", "1A", "1B")
			w.checkout(t, "o1", "ann", "1A", "1B")
		},
		func(t *testing.T, w *world) { _, _ = w.Exchange(t.Context(), "o1", []string{"1B", "2A"}) },
		[]string{"o1 paid 1A 1B"},
	},
	"ReturnedByHand": {
		func(t *testing.T, w *world) {
			w.reserve(t, "ann", "1A", "1B")
			w.checkout(t, "o1", "ann", "1A", "1B")
			require.NoError(t, w.booking.Return(t.Context(), Order{ID: "o1", User: "ann", Seats: []string{"1A"}}))
		},
		func(t *testing.T, w *world) { w.reconcile(t) },
		[]string{"o1 refunded 1B"},
	},
	"ExchangedByHand": {
		func(t *testing.T, w *world) {
			w.reserve(t, "ann", "1A")
			w.checkout(t, "o1", "ann", "1A")
			require.NoError(t, w.booking.Exchange(t.Context(), Order{ID: "o1", User: "ann", Seats: []string{"1A"}, To: []string{"2A"}}))
		},
		func(t *testing.T, w *world) { w.reconcile(t) },
		[]string{"o1 paid 2A"},
	},
	"BuyArrivesAfterItsOrderIsCanceled": {
		func(t *testing.T, w *world) {
			w.checkout(t, "o1", "ann", "1A")
			w.reserve(t, "ann", "1A")
			require.NoError(t, w.booking.Buy(t.Context(), Order{ID: "o1", User: "ann", Seats: []string{"1A"}, Version: 2}))
		},
		func(t *testing.T, w *world) { w.reconcile(t) },
		[]string{"o1 canceled hold_expired"},
	},
}

// Each scenario meets each fault at each of its points. A shop that has crashed meets another crash
// in its recovery: with a redis-server, at each point.
func TestShop_HasNoChargeWithoutASeatNorASeatWithoutACharge(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, url string, crashesAgain bool) {
		for name, sc := range scenarios {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				worlds := 0
				prepare := func() *world {
					worlds++
					w := newWorld(t, url, fmt.Sprintf("%s-%d", name, worlds))
					sc.prepare(t, w)
					return w
				}
				check := func(w *world) {
					t.Helper()
					w.start(t, nil)
					corrected, _ := w.reconcile(t)
					require.Empty(t, corrected, "all has been corrected before")
					w.requireBalance(t, "ann", "bob")
				}
				at := func(k int, f fault) func(int) fault {
					return func(point int) fault {
						if point == k {
							return f
						}
						return noFault
					}
				}
				run := func(k int, f fault) (w *world, points int, crashed bool) {
					w = prepare()
					w.start(t, at(k, f))
					crashed = crashes(func() { sc.act(t, w) })
					return w, w.network.points, crashed
				}

				w, points, _ := run(0, noFault)
				require.Equal(t, sc.want, w.states())
				check(w)
				for k := 1; k <= points; k++ {
					w, _, _ := run(k, loseIt)
					require.Equal(t, sc.want, w.states(), "without an answer at point %d", k)
					check(w)

					for second, again := 1, true; again; second++ {
						w, _, crashed := run(k, crash)
						require.True(t, crashed, "at point %d of %d", k, points)
						w.start(t, at(second, crash))
						again = crashes(func() { w.reconcile(t) }) && crashesAgain
						w.start(t, nil)
						w.reconcile(t)
						check(w)
					}
				}
			})
		}
	}
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		test(t, startBooking(t, ""), false) // this Redis is slow
	})
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		test(t, startBooking(t, redistest.Server(t).URL()), true)
	})
}

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
6. The box office returns 1B by hand, and sells 1D. The shop compares its orders with booking's sales.
   order-2: refunded   charge: refunded   sold seats: []
   Sold, but not by this shop: 1D. It leaves that to a person.
`

func TestStory_IsToldByTheCommand(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"StartsBooking": nil, "URL": {"-url", startBooking(t, "")}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs strings.Builder
			require.Zero(t, realMain(t.Context(), append(args, "-event", "gala"), sellerToken, &out, &errs), errs.String())
			require.Equal(t, told, out.String())
		})
	}
	var out, errs strings.Builder
	require.Equal(t, 2, realMain(t.Context(), []string{"-nothing"}, "", &out, &errs))
	require.Equal(t, 0, realMain(t.Context(), []string{"-help"}, "", &out, &errs))
	require.Equal(t, 1, realMain(t.Context(), []string{"-url", "http://127.0.0.1:" + redistest.FreePort(t)}, "", &out, &errs))
	require.Contains(t, errs.String(), "shop: reserve")
}
