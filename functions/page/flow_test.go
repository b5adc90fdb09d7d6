package page_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"booking/functions/internal/catalog"
	"booking/functions/page"
	"booking/seatlock"
)

func TestBest_HoldsSeatsNextToOneAnother(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	b.put(t, "opera", theatre(t), catalog.Area{AreaID: "standing", Capacity: 3})
	ann := b.openEvent(t, "opera", "ann")
	ann.evaluate(t, `document.getElementById('best').open = true; document.getElementById('best-quantity').value = 3
		document.getElementById('best-category').value = 'Stalls'`)
	ann.click(t, "find")
	ann.waitFor(t, `document.querySelectorAll('#held li').length === 3`)
	ann.says(t, "status", "are held for you. Buy before the time is up.")
	require.Equal(t, 3, strings.Count(value[string](t, ann, `document.getElementById('held').innerText`), "Stalls, row "))
	ann.click(t, "release")
	ann.waitFor(t, `document.getElementById('held-part').hidden`)

	// Places of an area have no seats on the map.
	ann.evaluate(t, `const where = document.getElementById('best-where'); where.value = 'area standing'; where.dispatchEvent(new Event('change'))`)
	ann.click(t, "find")
	ann.waitFor(t, `document.getElementById('held').innerText.includes('standing, place 3')`)

	// The form says what to do if there is not enough.
	ann.click(t, "release")
	ann.waitFor(t, `document.getElementById('held-part').hidden`)
	_, err := b.locker.Reserve(t.Context(), "opera", []string{"standing.1", "standing.2", "standing.3"}, "rival")
	require.NoError(t, err)
	ann.evaluate(t, `document.getElementById('best-quantity').value = 1`)
	ann.click(t, "find")
	ann.says(t, "alert", "Nothing is free there now.")
}

func TestBest_OffersTheLargestGroup(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	b.put(t, "gala", `"1-2:A-D"`)
	ann := b.openEvent(t, "gala", "ann")
	_, err := b.locker.Reserve(t.Context(), "gala", []string{"1A", "2C"}, "rival")
	require.NoError(t, err)
	ann.shows(t, "taken", "1A", "2C")
	ann.evaluate(t, `document.getElementById('best').open = true; document.getElementById('best-quantity').value = 4`)
	ann.click(t, "find")
	ann.says(t, "alert", "There are no 4 seats next to one another there. The largest group is 3: find these instead, or look elsewhere.")
	ann.waitFor(t, `document.getElementById('best-quantity').value === '3'`)
	ann.click(t, "find")
	ann.shows(t, "held", "1B", "1C", "1D")
}

func TestBest_HoldsOnceOnDoubleClick(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	b.put(t, "gala", `"1-2:A-D"`)
	ann := b.openEvent(t, "gala", "ann", `{ window.moment = 5000; performance.now = () => window.moment }`)
	ann.evaluate(t, `document.getElementById('best').open = true`)
	ann.click(t, "find")
	ann.waitFor(t, `document.querySelectorAll('#held li').length === 2`)
	ann.run(t, chromedp.Click(chromedp.CSS(`#find`)))
	ann.extend(t)
	require.Equal(t, 2, value[int](t, ann, `document.querySelectorAll('#held li').length`))
	ann.evaluate(t, `window.moment += 1000`)
	ann.click(t, "find")
	ann.waitFor(t, `document.querySelectorAll('#held li').length === 4`)
	ann.hasNoMessages(t)
}

// A reserve-best without an answer is sent again under the same key, so it holds no other seats.
func TestBest_HoldsOnceIfTheAnswerIsLost(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	b.put(t, "gala", `"1-2:A-D"`)
	ann := b.openEvent(t, "gala", "ann")
	var lost atomic.Bool
	b.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/reserve-best" || !lost.CompareAndSwap(false, true) {
			return false
		}
		b.handler.ServeHTTP(httptest.NewRecorder(), r)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusBadGateway)
		return true
	})
	ann.evaluate(t, `document.getElementById('best').open = true`)
	ann.click(t, "find")
	ann.says(t, "status", "are held for you.")
	ann.waitFor(t, `document.getElementById('free').textContent === '6 of 8 free'`)
}

// The buy button leads to the shop, with the hold.
func TestCheckout_LeadsToTheShop(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	b.settings(t, `{"hold":true,"sell":true,"max_seats":10,"checkout_url":"`+b.url+`/pay?event={event_id}&seats={seat_ids}&user={user_id}"}`)
	ann := b.open(t, "ann|1")
	ann.hold(t, "1A", "1B")
	ann.says(t, "status", "Go to the checkout before the time is up.")
	ann.waitFor(t, `document.getElementById('buy').textContent === 'Go to the checkout with 2 seats' && document.getElementById('sale-note').hidden`)
	ann.evaluate(t, `document.getElementById('buy').click()`)
	ann.waitFor(t, `location.pathname === '/pay' && location.search === '?event=default&seats=1A%2C1B&user=ann%7C1'`)
	_, err := b.locker.Reserve(t.Context(), seatlock.DefaultEvent, []string{"1A"}, "rival")
	require.ErrorIs(t, err, seatlock.ErrTaken)
}

// A shop shows the page in a frame, and learns what its user holds.
func TestEmbed_TellsTheShop(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	var framed atomic.Pointer[http.Handler]
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, `<iframe src="`+b.url+`/?user_id=ann" width="900" height="700"></iframe>
			<script>window.told = []; addEventListener('message', e => told.push([e.origin, e.data]))</script>`)
		assert.NoError(t, err)
	}))
	t.Cleanup(shop.Close)
	handler := page.New(catalog.New(b.locker, catalog.Options{}), page.Settings{Hold: true, Sell: true, MaxSeats: 10, FrameAncestors: []string{shop.URL}})
	b.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/" && !strings.HasPrefix(r.URL.Path, "/page/") || framed.Load() == nil {
			return false
		}
		(*framed.Load()).ServeHTTP(w, r)
		return true
	})

	refused := b.visit(t, shop.URL)
	refused.waitFor(t, `document.readyState === 'complete'`)
	refused.hasMessage(t, "frame-ancestors")

	framed.Store(&handler)
	ann := b.visit(t, shop.URL)
	ann.waitFor(t, `told.length === 1 && told[0][0] === '`+b.url+`' && told[0][1].held.length === 0`)
	b.rival(t, "2A")
	_, err := b.locker.Reserve(t.Context(), seatlock.DefaultEvent, []string{"1A"}, "ann")
	require.NoError(t, err)
	ann.evaluate(t, `document.querySelector('iframe').src += ''`)
	ann.waitFor(t, `(({ type, event_id, user_id, held, bought, expires_in_ms }) => type === 'booking.seats' && event_id === 'default' && user_id === 'ann' &&
		held.join() === '1A' && bought.length === 0 && expires_in_ms > 0)(told.at(-1)[1])`)
}

func TestPage_SaysThatTheEventIsUnknown(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.visit(t, b.url+"/?event_id=no+such")
	ann.waitFor(t, `document.querySelector('.loading').textContent === 'There is no event “no such”. Look for a typing error in the address of this page, or ask the shop for the right link.'`)
	ann.waitFor(t, `!document.getElementById('basket').checkVisibility()`)
}

func TestPage_WaitsUntilTheSaleOpens(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	now, err := b.redis.Admin(t).Time(t.Context()).Result()
	require.NoError(t, err)
	opens := now.Add(90 * time.Second).UTC().Truncate(time.Millisecond)
	_, _, err = b.locker.PutEvent(t.Context(), "gala", seatlock.Put{Settings: seatlock.Settings{OnSale: opens},
		Document: fmt.Appendf(nil, `{"title":"Gala","on_sale_at":%q}`, opens.Format(time.RFC3339Nano))})
	require.NoError(t, err)
	ann := b.openEvent(t, "gala", "ann", `{ const real = performance.now.bind(performance); window.ahead = 0; performance.now = () => real() + window.ahead }`)
	ann.waitFor(t, `/^The sale opens on .* in 1:[0-3][0-9]. Stay on this page.$/.test(document.getElementById('opening').textContent)`)
	ann.choose(t, "1A")
	ann.waitFor(t, `document.getElementById('hold').ariaDisabled === 'true'`)
	b.redis.Advance(t, 91*time.Second)
	ann.evaluate(t, `window.ahead = 91000`)
	ann.says(t, "status", "The sale is open. Choose your seats.")
	ann.click(t, "hold")
	ann.shows(t, "held", "1A")
}

// A call that takes longer than a moment shows that it is under way.
func TestPage_ShowsThatACallIsUnderWay(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	respond := make(chan struct{})
	b.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/reserve" {
			<-respond
		}
		return false
	})
	ann.hold(t, "1A")
	ann.waitFor(t, `document.getElementById('hold').ariaBusy === 'true' && getComputedStyle(document.getElementById('hold'), '::after').opacity === '1'`)
	close(respond)
	ann.shows(t, "held", "1A")
	ann.waitFor(t, `document.getElementById('hold').ariaBusy === null`)
	ann.hasNoMessages(t)
}

// axe-core finds no violation. AXE_CORE is the path of its axe.min.js: .github/CONTRIBUTING.md says how to get it.
func TestPage_IsAccessible(t *testing.T) {
	t.Parallel()
	path := os.Getenv("AXE_CORE")
	if path == "" {
		if os.Getenv("NO_SKIP") != "" {
			t.Fatal("needs axe-core: set AXE_CORE to its axe.min.js")
		}
		t.Skip("needs axe-core: set AXE_CORE to its axe.min.js")
	}
	axe, err := os.ReadFile(path)
	require.NoError(t, err)
	b := setup(t, seatlock.Options{})
	b.put(t, "opera", theatre(t), catalog.Area{AreaID: "standing", Capacity: 30})
	ann := b.openEvent(t, "opera", "ann")
	_, err = chromedp.Run(ann.ctx, chromedp.Evaluate[bool](string(axe)+"; true"))
	require.NoError(t, err)
	check := func(state string) {
		for _, theme := range []string{"light", "dark"} {
			for _, width := range []int64{390, 1280} {
				ann.display(t, width, 844, theme)
				found, err := chromedp.Run(ann.ctx, chromedp.Evaluate[[]string](
					`axe.run().then(r => r.violations.map(v => v.id + ': ' + v.help + ' ' + v.nodes.map(n => n.html).slice(0, 3).join(' ')))`, chromedp.EvalAwaitPromise))
				require.NoError(t, err)
				require.Empty(t, found, "%s, %s, %d", state, theme, width)
			}
		}
	}
	check("empty")
	ann.evaluate(t, `document.getElementById('best').open = true`)
	ann.choose(t, "Stalls-A-1")
	check("chosen")
	ann.click(t, "hold")
	ann.shows(t, "held", "Stalls-A-1")
	check("held")
	ann.evaluate(t, `document.querySelector('.switch button:last-child').click()`)
	check("list")
	ann.click(t, "buy")
	ann.shows(t, "bought", "Stalls-A-1")
	check("bought")
}
