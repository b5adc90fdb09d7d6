package main

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest"
)

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
