package page_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
	"booking/seatlock/redistest"
)

// purchases counts the calls of buy.
func (b *testBundle) purchases() *atomic.Int64 {
	var n atomic.Int64
	b.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/buy" {
			n.Add(1)
		}
		return false
	})
	return &n
}

// extend extends the hold and waits for the response. The page makes its calls in order, so
// all earlier calls have ended, too.
func (p *tab) extend(t *testing.T) {
	t.Helper()
	p.click(t, "extend")
	p.waitFor(t, `/xtended/.test(document.getElementById('status').textContent)`)
}

// hasState waits until the page shows that state of its connection.
func (p *tab) hasState(t *testing.T, want string) {
	t.Helper()
	p.waitFor(t, fmt.Sprintf(`document.getElementById('connection').dataset.state === %q`, want))
}

func TestHold_BuysNothingOnSecondKeyPress(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	purchases := b.purchases()
	ann.choose(t, "2B")
	ann.evaluate(t, `document.getElementById('hold').focus()`)
	ann.run(t, chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Enter))
	ann.waitFor(t, `!document.getElementById('held-part').hidden && document.activeElement.id === 'held-title'`)
	ann.run(t, chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(" "))
	ann.extend(t)
	require.Zero(t, purchases.Load())
	ann.shows(t, "held", "2B")
	ann.hasNoMessages(t)
}

// Buy appears in the place of Hold, so the second click of a double click may hit it.
func TestHold_BuysNothingOnDoubleClick(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	purchases := b.purchases()
	ann.evaluate(t, `window.moment = performance.now(); performance.now = () => window.moment`)
	ann.choose(t, "2B")
	ann.run(t, chromedp.Click(chromedp.CSS("#hold")))
	ann.waitFor(t, `!document.getElementById('held-part').hidden`)
	ann.run(t, chromedp.Click(chromedp.CSS("#buy")))
	ann.extend(t)
	require.Zero(t, purchases.Load())
	ann.shows(t, "held", "2B")

	ann.evaluate(t, `window.moment += 1000`)
	ann.click(t, "buy")
	ann.shows(t, "bought", "2B")
	ann.hasNoMessages(t)
}

// On a phone the basket is below the seat map. The focus moves to the basket.
func TestHold_DoesNotScrollPage(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	ann.run(t, chromedp.EmulateViewport(390, 844))
	ann.evaluate(t, `document.getElementById('seat-1C').click(); const hold = document.getElementById('hold');
		hold.focus({ preventScroll: true }); hold.click()`)
	ann.waitFor(t, `document.activeElement.id === 'held-title'`)
	ann.waitFor(t, `document.documentElement.scrollHeight <= innerHeight && scrollY === 0`)
	ann.waitFor(t, `(r => r.top >= 0 && r.bottom <= innerHeight)(document.activeElement.getBoundingClientRect())`)
	ann.hasNoMessages(t)
}

// While a reserve is in flight, Buy still names only the earlier seats.
func TestBuy_BuysOnlyTheSeatsItNamed(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	ann.hold(t, "1A")
	ann.shows(t, "held", "1A")
	sent, respond := make(chan struct{}), make(chan struct{})
	b.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/reserve" {
			close(sent)
			<-respond
		}
		return false
	})
	ann.hold(t, "1B")
	<-sent
	ann.waitFor(t, `document.getElementById('buy').textContent === 'Buy 1 seat'`)
	ann.evaluate(t, `document.getElementById('buy').click()`)
	close(respond)
	ann.shows(t, "bought", "1A")
	ann.shows(t, "held", "1B")
	ann.hasNoMessages(t)
}

// A second press of the key that removes a seat doesn't remove the next seat.
func TestBasket_KeepsOtherSeatOnSecondKeyPress(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	ann.hold(t, "1A", "1B")
	ann.shows(t, "held", "1A", "1B")
	ann.evaluate(t, `document.querySelector('[aria-label="Release 1A"]').focus()`)
	ann.run(t, chromedp.KeyEvent(kb.Enter))
	ann.shows(t, "free", "1A")
	ann.waitFor(t, `document.activeElement.id === 'held-title'`)
	ann.run(t, chromedp.KeyEvent(kb.Enter))
	ann.extend(t)
	ann.shows(t, "held", "1B")

	ann.choose(t, "2A", "2B")
	ann.evaluate(t, `document.querySelector('[aria-label="Remove 2A"]').focus()`)
	ann.run(t, chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Enter))
	ann.shows(t, "free", "2A")
	ann.shows(t, "chosen", "2B")
	ann.hasNoMessages(t)
}

// No sentence contains a time: it would be wrong while the countdown goes on.
func TestCountdown_IsTheOnlyClock(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	one := func() {
		t.Helper()
		ann.waitFor(t, `(document.querySelector('.basket').innerText.match(/\d+:\d\d|minute|second/g) ?? []).length === 1`)
	}
	ann.hold(t, "1A")
	ann.says(t, "status", "1A is held for you.")
	one()
	ann.extend(t)
	one()
	ann.evaluate(t, `const real = performance.now.bind(performance); performance.now = () => real() + 250000`)
	ann.says(t, "status", "Your hold ends soon. Buy now, or extend it.")
	ann.waitFor(t, `document.getElementById('countdown').parentElement.dataset.soon === 'true'`)
	one()
	ann.hasNoMessages(t)
}

func TestConnection_IsLiveOnlyWhileRedisAnswers(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	b := setupOn(t, r, r.Addr, seatlock.Options{Timeout: time.Second})
	ann := b.open(t, "ann")
	r.Pause(t)
	ann.hasState(t, "lost")
	ann.says(t, "alert", "Connection lost.")
	r.Resume(t)
	ann.hasState(t, "live")
	ann.says(t, "status", "Connected again. The seats are up to date.")
	b.rival(t, "6A")
	ann.shows(t, "taken", "6A")
}

// The stream may come from another process than the seat map. Only that process loses Redis.
func TestConnection_DetectsSilentStream(t *testing.T) {
	t.Parallel()
	r := redistest.Mini(t)
	proxy := redistest.NewProxy(t, r)
	b := setupOn(t, r, proxy.Addr, seatlock.Options{Timeout: time.Second})
	ann := b.open(t, "ann")
	b.rival(t, "6A")
	ann.shows(t, "taken", "6A")
	proxy.Disturb(func(bool) redistest.Fault { return redistest.Fault{Lose: true} })
	changes := 0
	require.Eventually(t, func() bool {
		b.rival(t, fmt.Sprintf("BALCONY-%d", changes)) // not on the page's plan
		changes++
		is, err := chromedp.Run(ann.ctx, chromedp.Evaluate[string](`document.getElementById('connection').dataset.state`))
		return err == nil && is == "polling"
	}, redistest.WaitLimit, 250*time.Millisecond)
	b.rival(t, "7A")
	ann.shows(t, "taken", "7A")
	proxy.Disturb(nil)
	ann.hasState(t, "live")
	b.rival(t, "7B")
	ann.shows(t, "taken", "7B")
}
