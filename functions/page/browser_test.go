package page_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"booking/seatlock"
)

func TestTwoUsersInOneHall(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	// By a clock that goes on while Redis's stands still, a second extension would gain
	// what went by since the first.
	ann, ben := b.open(t, "ann", stillClock), b.open(t, "ben")

	ann.hold(t, "3A", "3B")
	ann.shows(t, "held", "3A", "3B")
	ann.says(t, "said", "3A and 3B are held for you.")
	ann.waitFor(t, `document.getElementById('countdown').textContent === '5:00'`)
	ben.shows(t, "taken", "3A", "3B")
	ben.waitFor(t, `document.getElementById('seat-3A').ariaLabel === 'Seat 3A, held by someone else'`)

	// Half of the hold is over when ann extends it.
	b.redis.Advance(t, 3*time.Minute)
	ann.run(t, chromedp.Reload())
	ann.shows(t, "held", "3A", "3B")
	ann.waitFor(t, `document.getElementById('countdown').textContent === '2:00'`)
	ann.click(t, "extend")
	ann.says(t, "said", "The hold is extended.")
	ann.click(t, "extend")
	ann.says(t, "said", "can’t be extended further now")

	ann.run(t, chromedp.Click(chromedp.CSS(`[aria-label="Let go of 3B"]`)))
	ann.says(t, "said", "You have let go of 3B.")
	ann.shows(t, "free", "3B")
	ben.shows(t, "free", "3B")

	// Buy takes no click before it has named its seats for a second.
	ann.evaluate(t, `{ const still = performance.now; performance.now = () => still() + 1000 }`)
	ann.click(t, "buy")
	ann.shows(t, "bought", "3A")
	ben.shows(t, "sold", "3A")
	ann.run(t, chromedp.Reload())
	ann.shows(t, "bought", "3A")

	ben.hold(t, "5C", "5D")
	ann.shows(t, "taken", "5C", "5D")
	ben.click(t, "release")
	ann.shows(t, "free", "5C", "5D")
	ben.says(t, "said", "You have let go of 5C and 5D.")
	ann.isQuiet(t)
	ben.isQuiet(t)
}

// Nobody asks for the seats, and still everybody learns that they are free.
func TestTheHoldEnds(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann, ben := b.open(t, "ann"), b.open(t, "ben")
	ann.hold(t, "1A", "1B")
	ben.shows(t, "taken", "1A", "1B")
	b.redis.Advance(t, 5*time.Minute+time.Millisecond)
	ben.shows(t, "free", "1A", "1B")
	ann.shows(t, "free", "1A", "1B")
	ann.says(t, "warned", "has ended, and nothing was bought")
	ann.waitFor(t, `document.getElementById('held-part').hidden`)
	ann.isQuiet(t)
	ben.isQuiet(t)
}

func TestRefusalsAreSaidInWords(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{MaxSeatsPerUser: 2})
	ann := b.open(t, "ann")

	// Somebody is quicker, though ann's hall still shows the seat free.
	var once atomic.Bool
	b.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/reserve" && once.CompareAndSwap(false, true) {
			b.rival(t, "2B")
		}
		return false
	})
	ann.hold(t, "2A", "2B")
	ann.says(t, "warned", "2B is held by someone else. Nothing was held. 2A stays chosen")
	ann.shows(t, "taken", "2B")
	ann.shows(t, "chosen", "2A")

	// A seat that is lost before it is asked for leaves the choice.
	b.rival(t, "2A")
	ann.says(t, "warned", "2A: just taken by someone else.")
	ann.shows(t, "taken", "2A")

	ann.hold(t, "4A", "4B", "4C")
	ann.says(t, "warned", "You may have 2 seats at this event; 0 are held for you and 0 are bought. Nothing was held: choose 2 at most.")

	ann.mu.Lock()
	defer ann.mu.Unlock()
	for _, complaint := range ann.complaints { // a browser notes each 409
		require.Contains(t, complaint, "/reserve")
	}
}

// The page has no token to send, where the service asks for one.
func TestWhoMustSignInIsTold(t *testing.T) {
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
	ann.says(t, "warned", "Seats can only be looked at here")
	ann.shows(t, "chosen", "1A")
	b.rival(t, "1B")
	ann.shows(t, "taken", "1B")
}

func TestTenSeatsAreTheMost(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	ann.evaluate(t, `for (const s of 'ABCDEFGH') document.getElementById('seat-1' + s).click();
		for (const s of 'ABC') document.getElementById('seat-2' + s).click()`)
	ann.says(t, "said", "up to 10 seats")
	ann.shows(t, "free", "2C")
	ann.click(t, "hold")
	ann.shows(t, "held", "1A", "2B")
	found, err := b.locker.Map(t.Context(), seatlock.DefaultEvent)
	require.NoError(t, err)
	require.Len(t, found.Seats, 10)
	ann.isQuiet(t)
}

func TestTheKeyboardAlone(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	ann := b.open(t, "ann")
	focused := func(id string) {
		t.Helper()
		ann.waitFor(t, `document.activeElement.id === '`+id+`'`)
	}
	ann.run(t, chromedp.KeyEvent(kb.Tab))
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
	ann.isQuiet(t)
}

func TestTheServiceIsLostAndComesBack(t *testing.T) {
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
	state := func(want string) {
		t.Helper()
		ann.waitFor(t, `document.getElementById('connection').dataset.state === '`+want+`'`)
	}

	// Without the stream, the map tells what others do.
	b.intercept(unavailable("/changes"))
	ann.run(t, chromedp.Reload())
	state("polling")
	b.rival(t, "6A")
	ann.shows(t, "taken", "6A")
	ann.hold(t, "6B")
	ann.shows(t, "held", "6B")

	// Without anything, the page says so, and a call waits for the service: here until the
	// page has said that it sends it again.
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
	ann.says(t, "warned", "The connection is lost")
	state("lost")
	ann.click(t, "buy")
	ann.says(t, "warned", "Sending the same request again, ")
	comeBack()
	b.intercept(unavailable())
	ann.shows(t, "bought", "6B")
	state("live")
	b.rival(t, "6C")
	ann.shows(t, "taken", "6C")
}
