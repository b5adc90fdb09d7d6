package page_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"booking/functions/buy"
	"booking/functions/changes"
	"booking/functions/extend"
	"booking/functions/holdings"
	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/functions/page"
	"booking/functions/release"
	"booking/functions/reserve"
	"booking/functions/reservebest"
	"booking/functions/seat"
	"booking/functions/seatmap"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

// testBundle is the functions that the page calls, and a browser.
type testBundle struct {
	redis   *redistest.Redis
	locker  *seatlock.Locker
	handler http.Handler // the functions alone
	url     string
	browser context.Context
	// interceptor sees each request first, if set. It reports whether it has responded.
	interceptor atomic.Pointer[func(w http.ResponseWriter, r *http.Request) bool]
}

func setup(t testing.TB, opt seatlock.Options) *testBundle {
	t.Helper()
	r := redistest.Mini(t)
	return setupOn(t, r, r.Addr, opt)
}

// setupOn connects the functions to r, but /changes to changesAddr: the address of r or of
// a proxy in front of it.
func setupOn(t testing.TB, r *redistest.Redis, changesAddr string, opt seatlock.Options) *testBundle {
	t.Helper()
	chromium := redistest.Program(t, "chromium")
	b := &testBundle{redis: r}
	var err error
	b.locker, err = seatlock.New(b.redis.Client(t), opt)
	require.NoError(t, err)
	changesLocker, err := seatlock.New(b.redis.Client(t, changesAddr), opt)
	require.NoError(t, err)

	rules, events := api.Rules{MaxSeats: 10}, catalog.New(b.locker, catalog.Options{})
	pages := page.New(events, page.Settings{Hold: true, Sell: true, MaxSeats: rules.MaxSeats})
	halls := hall.New(b.locker)
	stop := make(chan struct{})
	mux := http.NewServeMux()
	mux.Handle("/reserve-best", reservebest.New(b.locker, events, halls, rules, reservebest.Options{Timeout: redistest.WaitLimit}))
	mux.Handle("/reserve", reserve.New(b.locker, events, rules))
	mux.Handle("/buy", buy.New(b.locker, events, rules))
	mux.Handle("/extend", extend.New(b.locker, events, rules))
	mux.Handle("/release", release.New(b.locker, events, rules))
	mux.Handle("/users/{user_id}/seats", holdings.New(b.locker, events, halls))
	mux.Handle("/seats/{seat_id}", seat.New(b.locker, events))
	mux.Handle("/seats", seatmap.New(events, halls))
	mux.Handle("/changes", changes.New(changesLocker, events, hall.New(changesLocker), changes.Options{Stop: stop}))
	mux.Handle("/{$}", pages)
	mux.Handle("/page/{file}", pages)
	b.handler = mux
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if intercept := b.interceptor.Load(); intercept != nil && (*intercept)(w, r) {
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(stop) })
	b.url = server.URL

	allocator, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(chromium), chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.NoSandbox,
		chromedp.Headless, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(redistest.WaitLimit))
	t.Cleanup(cancel)
	b.browser, cancel = chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(b.browser))
	return b
}

// intercept sets the interceptor.
func (b *testBundle) intercept(interceptor func(w http.ResponseWriter, r *http.Request) bool) {
	b.interceptor.Store(&interceptor)
}

// settings makes the page find settings.json with this content.
func (b *testBundle) settings(t testing.TB, content string) {
	t.Helper()
	b.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/page/settings.json" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		_, err := io.WriteString(w, content)
		assert.NoError(t, err)
		return true
	})
}

// rival holds seats for a user without a page.
func (b *testBundle) rival(t testing.TB, seats ...string) {
	t.Helper()
	_, err := b.locker.Reserve(t.Context(), seatlock.DefaultEvent, seats, "rival")
	require.NoError(t, err)
}

// tab is the page of one user.
type tab struct {
	ctx context.Context
	mu  sync.Mutex
	// messages is the output of the browser's console.
	messages []string
}

// frozenClock stops the clock of a page, as miniredis stops its own. It still advances by a
// microsecond a call, because the page compares times.
const frozenClock = `{ let now = 0; performance.now = () => now += 0.001 }`

// open opens the page for user, and waits until it is live. The scripts run before the page's scripts.
func (b *testBundle) open(t testing.TB, user string, scripts ...string) *tab {
	t.Helper()
	p := b.visit(t, b.url+"/?user_id="+user, scripts...)
	p.waitFor(t, `document.querySelector('#connection').dataset.state === 'live'`)
	return p
}

// openEvent opens the page of an event for user, and waits until it is live.
func (b *testBundle) openEvent(t testing.TB, event, user string, scripts ...string) *tab {
	t.Helper()
	p := b.visit(t, b.url+"/?event_id="+event+"&user_id="+user, scripts...)
	p.waitFor(t, `document.querySelector('#connection').dataset.state === 'live'`)
	return p
}

// put puts an event with a title and a plan, which is JSON, and areas.
func (b *testBundle) put(t testing.TB, event, plan string, areas ...catalog.Area) {
	t.Helper()
	stored, err := catalog.Store([]byte(plan), areas)
	require.NoError(t, err)
	parsed, err := catalog.Parse([]byte(plan), areas)
	require.NoError(t, err)
	_, _, err = b.locker.PutEvent(t.Context(), event, seatlock.Put{Document: []byte(`{"title":"Così fan tutte","starts_at":"2027-03-06T18:30:00Z"}`), Plan: stored, HasSeat: parsed.Has})
	require.NoError(t, err)
}

// visit opens a page in a browser context of its own. The scripts run before the page's scripts.
func (b *testBundle) visit(t testing.TB, address string, scripts ...string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 3*redistest.WaitLimit)
	t.Cleanup(cancel)
	p := &tab{ctx: ctx}
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			p.messages = append(p.messages, e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			p.messages = append(p.messages, fmt.Sprintf("console.%s", e.Type))
		case *log.EventEntryAdded:
			p.messages = append(p.messages, e.Entry.Text+" "+e.Entry.URL)
		}
	}))
	for _, script := range scripts {
		p.run(t, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: script})
			return err
		}))
	}
	p.run(t, chromedp.Navigate(address))
	return p
}

func (p *tab) run(t testing.TB, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	require.NoError(t, chromedp.Do(p.ctx, actions...))
}

// evaluate runs JavaScript statements.
func (p *tab) evaluate(t testing.TB, statement string) {
	t.Helper()
	_, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](`{`+statement+`}; true`))
	require.NoError(t, err)
}

// waitFor waits until a JavaScript expression is true. It polls from Go, because the page's
// policy forbids the eval of chromedp.Poll.
func (p *tab) waitFor(t testing.TB, expression string) {
	t.Helper()
	holds := func() bool {
		is, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](expression))
		return err == nil && is // while the page loads, the element may not exist yet
	}
	if !assert.Eventually(t, holds, redistest.WaitLimit, 20*time.Millisecond, expression) {
		text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.querySelector('.basket').innerText`))
		require.FailNow(t, "the basket shows:", text)
	}
}

// shows waits until the page shows the seats in a state.
func (p *tab) shows(t testing.TB, state string, seats ...string) {
	t.Helper()
	for _, id := range seats {
		p.waitFor(t, fmt.Sprintf(`document.getElementById('seat-%s').dataset.state === %q`, id, state))
	}
}

// says waits until the live region with the id region contains words.
func (p *tab) says(t testing.TB, region, words string) {
	t.Helper()
	p.waitFor(t, fmt.Sprintf(`document.getElementById(%q).textContent.includes(%q)`, region, words))
}

// click clicks buttons, each as soon as it is enabled.
func (p *tab) click(t testing.TB, ids ...string) {
	t.Helper()
	for _, id := range ids {
		p.waitFor(t, fmt.Sprintf(`document.getElementById(%q).ariaDisabled !== 'true'`, id))
		p.run(t, chromedp.Click(chromedp.CSS(`#`+id)))
	}
}

// choose chooses seats in the list.
func (p *tab) choose(t testing.TB, seats ...string) {
	t.Helper()
	for _, id := range seats {
		p.evaluate(t, fmt.Sprintf(`document.getElementById('seat-%s').click()`, id))
	}
}

// hold chooses seats and holds them.
func (p *tab) hold(t testing.TB, seats ...string) {
	t.Helper()
	p.choose(t, seats...)
	p.click(t, "hold")
}

// hasNoMessages asserts that the browser's console is empty.
func (p *tab) hasNoMessages(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Empty(t, p.messages)
}

// hasMessage waits until the browser's console has a message with these words.
func (p *tab) hasMessage(t testing.TB, words string) {
	t.Helper()
	require.Eventually(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.ContainsFunc(p.messages, func(message string) bool { return strings.Contains(message, words) })
	}, redistest.WaitLimit, 20*time.Millisecond)
}
