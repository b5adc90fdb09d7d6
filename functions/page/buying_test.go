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

// extended extends the hold. Calls are made in order, so none that was asked for before
// is still to be made.
func (p *tab) extended(t *testing.T) {
	t.Helper()
	p.click(t, "extend")
	p.waitFor(t, `/xtended/.test(document.getElementById('said').textContent)`)
}

// state waits until the page shows the connection so.
func (p *tab) state(t *testing.T, want string) {
	t.Helper()
	p.waitFor(t, fmt.Sprintf(`document.getElementById('connection').dataset.state === %q`, want))
}

func TestHold_TwiceByKeyBuysNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	purchases := b.purchases()
	ann.run(t, chromedp.Click(chromedp.CSS(`[id="seat-2B"]`)))
	ann.evaluate(t, `document.getElementById('hold').focus()`)
	ann.run(t, chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Enter))
	ann.waitFor(t, `!document.getElementById('held-part').hidden && document.activeElement.id === 'held-title'`)
	ann.run(t, chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(" "))
	ann.extended(t)
	require.Zero(t, purchases.Load())
	ann.shows(t, "held", "2B")
	ann.isQuiet(t)
}

// Buy appears where Hold was, so the second of two clicks may land on it.
func TestHold_TwiceByMouseBuysNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	purchases := b.purchases()
	ann.evaluate(t, `window.moment = performance.now(); performance.now = () => window.moment`)
	ann.run(t, chromedp.Click(chromedp.CSS(`[id="seat-2B"]`)))
	ann.run(t, chromedp.Click(chromedp.CSS("#hold")))
	ann.waitFor(t, `!document.getElementById('held-part').hidden`)
	ann.run(t, chromedp.Click(chromedp.CSS("#buy")))
	ann.extended(t)
	require.Zero(t, purchases.Load())
	ann.shows(t, "held", "2B")

	ann.evaluate(t, `window.moment += 1000`)
	ann.click(t, "buy")
	ann.shows(t, "bought", "2B")
	ann.isQuiet(t)
}

// On a telephone the basket lies over the hall: the focus moves there, the hall does not.
func TestHold_KeepsTheHallInPlace(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	ann.run(t, chromedp.EmulateViewport(390, 844))
	ann.evaluate(t, `document.getElementById('seat-1C').click(); const hold = document.getElementById('hold');
		hold.focus({ preventScroll: true }); hold.click()`)
	ann.waitFor(t, `document.activeElement.id === 'held-title'`)
	ann.waitFor(t, `document.documentElement.scrollHeight > innerHeight && scrollY === 0`)
	ann.waitFor(t, `(r => r.top >= 0 && r.bottom <= innerHeight)(document.activeElement.getBoundingClientRect())`)
	ann.isQuiet(t)
}

// While seats are being held, Buy still names those from before.
func TestBuy_TakesTheSeatsThatItNamed(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	ann.hold(t, "1A")
	ann.shows(t, "held", "1A")
	held, goOn := make(chan struct{}), make(chan struct{})
	b.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/reserve" {
			close(held)
			<-goOn
		}
		return false
	})
	ann.hold(t, "1B")
	<-held
	ann.waitFor(t, `document.getElementById('buy').textContent === 'Buy 1 seat'`)
	ann.evaluate(t, `document.getElementById('buy').click()`)
	close(goOn)
	ann.shows(t, "bought", "1A")
	ann.shows(t, "held", "1B")
	ann.isQuiet(t)
}

// The key that takes a seat out of a list, pressed twice, does not take out the next one.
func TestBasket_TwiceByKeyKeepsTheOtherSeat(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	ann.hold(t, "1A", "1B")
	ann.shows(t, "held", "1A", "1B")
	ann.evaluate(t, `document.querySelector('[aria-label="Let go of 1A"]').focus()`)
	ann.run(t, chromedp.KeyEvent(kb.Enter))
	ann.shows(t, "free", "1A")
	ann.waitFor(t, `document.activeElement.id === 'held-title'`)
	ann.run(t, chromedp.KeyEvent(kb.Enter))
	ann.extended(t)
	ann.shows(t, "held", "1B")

	ann.run(t, chromedp.Click(chromedp.CSS(`[id="seat-2A"]`)), chromedp.Click(chromedp.CSS(`[id="seat-2B"]`)))
	ann.evaluate(t, `document.querySelector('[aria-label="Do not choose 2A"]').focus()`)
	ann.run(t, chromedp.KeyEvent(kb.Enter), chromedp.KeyEvent(kb.Enter))
	ann.shows(t, "free", "2A")
	ann.shows(t, "chosen", "2B")
	ann.isQuiet(t)
}

// The countdown is the only clock: no sentence names a time that passes.
func TestCountdown_IsTheOnlyClock(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	one := func() {
		t.Helper()
		ann.waitFor(t, `(document.querySelector('.basket').innerText.match(/\d+:\d\d|minute|second/g) ?? []).length === 1`)
	}
	ann.hold(t, "1A")
	ann.says(t, "said", "1A is held for you.")
	one()
	ann.extended(t)
	one()
	ann.evaluate(t, `const real = performance.now.bind(performance); performance.now = () => real() + 250000`)
	ann.says(t, "said", "Little time is left: buy, or extend the hold.")
	ann.waitFor(t, `document.getElementById('countdown').dataset.soon === 'true'`)
	one()
	ann.isQuiet(t)
}

func TestConnection_IsLiveOnlyWhileRedisAnswers(t *testing.T) {
	t.Parallel()
	r := redistest.Server(t)
	b := setupOn(t, r, r.Addr, seatlock.Options{Timeout: time.Second})
	ann := b.open(t, "ann")
	r.Pause(t)
	ann.state(t, "lost")
	ann.says(t, "warned", "The connection is lost")
	r.Resume(t)
	ann.state(t, "live")
	ann.says(t, "said", "Connected again; the hall is up to date.")
	b.rival(t, "6A")
	ann.shows(t, "taken", "6A")
}

// The stream may be another process's than the map, and cut off alone.
func TestConnection_IsNotLiveOverASilentStream(t *testing.T) {
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
		b.rival(t, fmt.Sprintf("BALCONY-%d", changes)) // which the page does not draw
		changes++
		is, err := chromedp.Run(ann.ctx, chromedp.Evaluate[string](`document.getElementById('connection').dataset.state`))
		return err == nil && is == "polling"
	}, redistest.Patience, 250*time.Millisecond)
	b.rival(t, "7A")
	ann.shows(t, "taken", "7A")
	proxy.Disturb(nil)
	ann.state(t, "live")
	b.rival(t, "7B")
	ann.shows(t, "taken", "7B")
}
