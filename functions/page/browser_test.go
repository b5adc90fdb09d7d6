package page_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
)

func TestPage_ShowsUsersEachOthersSeats(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	// Redis's clock is frozen. With a running clock the page would see a gain in the second
	// extension.
	ann, ben := b.open(t, "ann", frozenClock), b.open(t, "ben")

	ann.hold(t, "3A", "3B")
	ann.shows(t, "held", "3A", "3B")
	ann.says(t, "status", "3A and 3B are held for you.")
	ann.waitFor(t, `document.getElementById('countdown').textContent === '5:00'`)
	ben.shows(t, "taken", "3A", "3B")
	ben.waitFor(t, `document.getElementById('seat-3A').ariaLabel === 'Row 3, seat A, held by someone else'`)

	// Ann extends the hold after three of its five minutes.
	b.redis.Advance(t, 3*time.Minute)
	ann.run(t, chromedp.Reload())
	ann.shows(t, "held", "3A", "3B")
	ann.waitFor(t, `document.getElementById('countdown').textContent === '2:00'`)
	ann.click(t, "extend")
	ann.says(t, "status", "Your hold is extended.")
	ann.click(t, "extend")
	ann.says(t, "status", "can’t be extended further now")

	ann.run(t, chromedp.Click(chromedp.CSS(`[aria-label="Release 3B"]`)))
	ann.says(t, "status", "You released 3B.")
	ann.shows(t, "free", "3B")
	ben.shows(t, "free", "3B")

	// Buy ignores clicks for a second after its text changes.
	ann.evaluate(t, `{ const frozen = performance.now; performance.now = () => frozen() + 1000 }`)
	ann.click(t, "buy")
	ann.shows(t, "bought", "3A")
	ben.shows(t, "sold", "3A")
	ann.run(t, chromedp.Reload())
	ann.shows(t, "bought", "3A")

	ben.hold(t, "5C", "5D")
	ann.shows(t, "taken", "5C", "5D")
	ben.click(t, "release")
	ann.shows(t, "free", "5C", "5D")
	ben.says(t, "status", "You released 5C and 5D.")
	ann.hasNoMessages(t)
	ben.hasNoMessages(t)
}

// A process's seat map may be older than the hold. The page asks for the user's seats.
func TestPage_KeepsAHoldThatTheSeatMapLacks(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	before := httptest.NewRecorder()
	b.handler.ServeHTTP(before, httptest.NewRequest(http.MethodGet, "/seats", nil))
	ann.hold(t, "3A", "3B")
	ann.shows(t, "held", "3A", "3B")

	var lacking atomic.Bool
	lacking.Store(true)
	b.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/seats" || !lacking.CompareAndSwap(true, false) {
			return false
		}
		maps.Copy(w.Header(), before.Header())
		_, err := w.Write(before.Body.Bytes())
		assert.NoError(t, err)
		return true
	})
	ann.run(t, chromedp.Reload())
	ann.shows(t, "held", "3A", "3B")
	require.False(t, lacking.Load())
	ann.waitFor(t, `document.getElementById('alert').textContent === ''`)
}

// The seats become free on every page although no call asks for them.
func TestPage_ShowsExpiry(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann, ben := b.open(t, "ann"), b.open(t, "ben")
	ann.hold(t, "1A", "1B")
	ben.shows(t, "taken", "1A", "1B")
	b.redis.Advance(t, 5*time.Minute+time.Millisecond)
	ben.shows(t, "free", "1A", "1B")
	ann.shows(t, "free", "1A", "1B")
	ann.says(t, "alert", "has ended. Nothing was bought.")
	ann.waitFor(t, `document.getElementById('held-part').hidden`)
	ann.hasNoMessages(t)
	ben.hasNoMessages(t)
}

func TestPage_ShowsBlockedSeats(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	block := func(call func(context.Context, string, []string, string, seatlock.Terms) error, seats ...string) {
		require.NoError(t, call(t.Context(), seatlock.DefaultEvent, seats, "house", seatlock.Terms{}))
	}
	block(b.locker.Block, "1A")
	ann := b.open(t, "ann")
	ann.shows(t, "blocked", "1A")
	block(b.locker.Block, "1B")
	ann.shows(t, "blocked", "1B")
	block(b.locker.Unblock, "1A", "1B")
	ann.shows(t, "free", "1A", "1B")
	_, _, err := b.locker.PutEvent(t.Context(), seatlock.DefaultEvent, seatlock.Put{Settings: seatlock.Settings{OffSale: time.UnixMilli(1)}})
	require.NoError(t, err)
	ann.hold(t, "1A")
	ann.says(t, "alert", "The sale of the event has ended, or is paused. Nothing was reserved.")
}

func TestPage_ExplainsRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{MaxSeatsPerUser: 2})
	ann := b.open(t, "ann")

	// The rival holds 2B while Ann's page still shows it as free.
	var once atomic.Bool
	b.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/reserve" && once.CompareAndSwap(false, true) {
			b.rival(t, "2B")
		}
		return false
	})
	ann.hold(t, "2A", "2B")
	ann.says(t, "alert", "2B is held by someone else. Nothing was held. 2A stays chosen")
	ann.shows(t, "taken", "2B")
	ann.shows(t, "chosen", "2A")

	// The rival holds a seat that Ann has chosen.
	b.rival(t, "2A")
	ann.says(t, "alert", "2A was just taken by someone else.")
	ann.shows(t, "taken", "2A")

	ann.hold(t, "4A", "4B", "4C")
	ann.says(t, "alert", "You can have 2 seats at this event. You hold 0 and have bought 0. Nothing was held. You can hold 2 more.")

	// Ann buys 5A in another browser while her page still shows it as free.
	var again atomic.Bool
	b.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/reserve" && again.CompareAndSwap(false, true) {
			_, err := b.locker.Reserve(r.Context(), seatlock.DefaultEvent, []string{"5A"}, "ann")
			assert.NoError(t, err)
			assert.NoError(t, b.locker.Buy(r.Context(), seatlock.DefaultEvent, []string{"5A"}, "ann"))
		}
		return false
	})
	ann.evaluate(t, `for (const s of 'ABC') document.getElementById('seat-4' + s).click()`)
	ann.hold(t, "5A", "5B")
	ann.says(t, "alert", "You have already bought 5A. Nothing was held. 5B stays chosen.")
	ann.shows(t, "bought", "5A")
	ann.shows(t, "chosen", "5B")

	ann.mu.Lock()
	defer ann.mu.Unlock()
	for _, message := range ann.messages { // the browser logs each 409
		require.Contains(t, message, "/reserve")
	}
}

// The page has no token. With AUTH_ISSUER its calls are refused.
func TestPage_AsksToSignIn(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	b.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/reserve" {
			return false
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"code":"unauthenticated","detail":"This call needs a token."}`))
		return true
	})
	ann.hold(t, "1A")
	ann.says(t, "alert", "You can only look at seats here.")
	ann.shows(t, "chosen", "1A")
	b.rival(t, "1B")
	ann.shows(t, "taken", "1B")
}

// With a seller's token the page holds seats, and says why it can't sell them.
func TestPage_SaysThatItCannotSell(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	b.settings(t, `{"hold":true,"sell":false,"max_seats":10}`)
	ann := b.open(t, "ann")
	ann.hold(t, "1A")
	ann.shows(t, "held", "1A")
	ann.says(t, "status", "1A is held for you. Pay in the shop before the time is up.")
	ann.says(t, "sale-note", "This page can’t sell seats: a sale needs a seller’s token")
	ann.waitFor(t, `document.getElementById('sale-note').checkVisibility() && !document.getElementById('buy').checkVisibility()`)
	require.NoError(t, b.locker.Buy(t.Context(), seatlock.DefaultEvent, []string{"1A"}, "ann"))
	ann.shows(t, "bought", "1A")
	ann.hasNoMessages(t)
}

// With an issuer of tokens the page only shows the seats.
func TestPage_SaysThatItCannotHold(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	b.settings(t, `{"hold":false,"sell":false,"max_seats":10}`)
	ann := b.open(t, "ann")
	ann.says(t, "hint", "You can only look at seats here.")
	ann.choose(t, "1A")
	ann.says(t, "status", "You can only look at seats here.")
	ann.shows(t, "free", "1A")
	ann.waitFor(t, `document.getElementById('hint').checkVisibility() && !document.getElementById('hold').checkVisibility() && !document.getElementById('best').checkVisibility()`)
	b.rival(t, "1A")
	ann.shows(t, "taken", "1A")
	ann.hasNoMessages(t)
}

// The page's process may lack the settings that the other functions have.
func TestPage_ExplainsRefusedSale(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	for _, answer := range []struct {
		seat   string
		status int
		code   string
	}{{"1A", http.StatusUnauthorized, "unauthenticated"}, {"1B", http.StatusForbidden, "forbidden"}} {
		b.intercept(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/buy" {
				return false
			}
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(answer.status)
			_, _ = fmt.Fprintf(w, `{"code":%q,"detail":"No."}`, answer.code)
			return true
		})
		ann.hold(t, answer.seat)
		ann.says(t, "status", answer.seat+" is held for you.")
		ann.click(t, "buy")
		ann.says(t, "alert", "This page can’t sell seats")
	}
	ann.shows(t, "held", "1A", "1B")
}

func TestPage_LimitsChoiceToTenSeats(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	ann.evaluate(t, `for (const s of 'ABCDEFGH') document.getElementById('seat-1' + s).click();
		for (const s of 'ABC') document.getElementById('seat-2' + s).click()`)
	ann.says(t, "status", "up to 10 seats")
	ann.shows(t, "free", "2C")
	ann.click(t, "hold")
	ann.shows(t, "held", "1A", "2B")
	found, err := b.locker.Map(t.Context(), seatlock.DefaultEvent)
	require.NoError(t, err)
	require.Len(t, found.Seats, 10)
	ann.hasNoMessages(t)
}

func TestPage_WorksByKeyboard(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	focused := func(id string) {
		t.Helper()
		ann.waitFor(t, `document.activeElement.id === '`+id+`'`)
	}
	ann.run(t, chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab)) // Map and List are before
	focused("seat-1A")
	ann.run(t, chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(" "))
	focused("seat-2B")
	ann.waitFor(t, `document.activeElement.ariaPressed === 'true'`)
	ann.run(t, chromedp.KeyEvent(kb.End), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.Enter))
	focused("seat-2H")
	ann.shows(t, "chosen", "2B", "2H")
	ann.run(t, chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab))
	focused("hold")
	ann.run(t, chromedp.KeyEvent(kb.Enter))
	ann.shows(t, "held", "2B", "2H")
	focused("held-title")
	ann.run(t, chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab))
	focused("buy")
	ann.run(t, chromedp.KeyEvent(kb.Enter))
	ann.shows(t, "bought", "2B", "2H")
	focused("seat-2H")
	ann.hasNoMessages(t)
}

func TestPage_RecoversFromOutage(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	unavailable := func(paths ...string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			for _, path := range paths {
				if strings.HasPrefix(r.URL.Path, path) {
					w.Header().Set("Retry-After", "1")
					w.Header().Set("Content-Type", "application/problem+json")
					w.WriteHeader(http.StatusServiceUnavailable)
					_, _ = w.Write([]byte(`{"code":"unavailable","detail":"Not now."}`))
					return true
				}
			}
			return false
		}
	}

	// Without the stream, the page polls the seat map.
	b.intercept(unavailable("/changes"))
	ann.run(t, chromedp.Reload())
	ann.hasState(t, "polling")
	b.rival(t, "6A")
	ann.shows(t, "taken", "6A")
	ann.hold(t, "6B")
	ann.shows(t, "held", "6B")

	// Without the service, the page says so and retries its call. The service comes back
	// after the page has announced a retry.
	var calls atomic.Int64
	back := make(chan struct{})
	comeBack := sync.OnceFunc(func() { close(back) })
	t.Cleanup(comeBack)
	b.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/buy" && calls.Add(1) > 1 {
			<-back
			return false
		}
		return unavailable("/changes", "/seats", "/buy")(w, r)
	})
	ann.says(t, "alert", "Connection lost.")
	ann.hasState(t, "lost")
	ann.click(t, "buy")
	ann.says(t, "alert", "Trying again (")
	comeBack()
	b.intercept(unavailable())
	ann.shows(t, "bought", "6B")
	ann.hasState(t, "live")
	b.rival(t, "6C")
	ann.shows(t, "taken", "6C")
}
