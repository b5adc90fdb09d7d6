package page_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
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
	"booking/functions/internal/api"
	"booking/functions/page"
	"booking/functions/release"
	"booking/functions/reserve"
	"booking/functions/seat"
	"booking/functions/seatmap"
	"booking/seatlock"
	"booking/seatlock/redistest"
)

// testBundle is the service that the page needs, and a browser.
type testBundle struct {
	redis   *redistest.Redis
	locker  *seatlock.Locker
	url     string
	browser context.Context
	// before, where it is set, comes before each request; it reports whether it has
	// answered.
	before atomic.Pointer[func(w http.ResponseWriter, r *http.Request) bool]
}

func setup(t *testing.T, opt seatlock.Options) *testBundle {
	t.Helper()
	r := redistest.Mini(t)
	return setupOn(t, r, r.Addr, opt)
}

// setupOn has the calls on r, and the stream of changes on the same by way of streams,
// which is its address or a Proxy's.
func setupOn(t *testing.T, r *redistest.Redis, streams string, opt seatlock.Options) *testBundle {
	t.Helper()
	chromium := redistest.Program(t, "chromium")
	b := &testBundle{redis: r}
	var err error
	b.locker, err = seatlock.New(b.redis.Client(t), opt)
	require.NoError(t, err)
	following, err := seatlock.New(b.redis.Client(t, streams), opt)
	require.NoError(t, err)

	var rows []page.Row
	for n := range 12 {
		row := page.Row{Label: strconv.Itoa(n + 1)}
		for letter := 'A'; letter <= 'H'; letter++ {
			row.SeatIDs = append(row.SeatIDs, row.Label+string(letter))
		}
		rows = append(rows, row)
	}
	rules := api.Rules{MaxSeats: 10}
	stop := make(chan struct{})
	mux := http.NewServeMux()
	mux.Handle("/reserve", reserve.New(b.locker, rules))
	mux.Handle("/buy", buy.New(b.locker, rules))
	mux.Handle("/extend", extend.New(b.locker, rules))
	mux.Handle("/release", release.New(b.locker, rules))
	mux.Handle("/seats/{seat_id}", seat.New(b.locker, rules))
	mux.Handle("/seats", seatmap.New(b.locker))
	mux.Handle("/changes", changes.New(following, changes.Options{Stop: stop}))
	mux.Handle("/{$}", page.New(rows))
	mux.Handle("/page/{file}", page.New(rows))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if before := b.before.Load(); before != nil && (*before)(w, r) {
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
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(redistest.Patience))
	t.Cleanup(cancel)
	b.browser, cancel = chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(b.browser))
	return b
}

// intercept has before come before each request from now on; nil for nothing.
func (b *testBundle) intercept(before func(w http.ResponseWriter, r *http.Request) bool) {
	b.before.Store(&before)
}

// rival holds seats for somebody who has no page open.
func (b *testBundle) rival(t *testing.T, seats ...string) {
	t.Helper()
	_, err := b.locker.Reserve(t.Context(), seatlock.DefaultEvent, seats, "rival")
	require.NoError(t, err)
}

// tab is the page as one user has it open.
type tab struct {
	ctx context.Context
	mu  sync.Mutex
	// complaints is what the browser's console says.
	complaints []string
}

// stillClock makes the clock of a page stand still, as that of a miniredis does, but for
// as little as tells one moment from the next.
const stillClock = `{ let now = 0; performance.now = () => now += 0.001 }`

// open opens the page for user, in a browser context that shares nothing with
// others, and waits until it is live. The scripts come before the page's own.
func (b *testBundle) open(t *testing.T, user string, scripts ...string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 3*redistest.Patience)
	t.Cleanup(cancel)
	p := &tab{ctx: ctx}
	require.NoError(t, chromedp.Listen(ctx, func(event any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			p.complaints = append(p.complaints, e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			p.complaints = append(p.complaints, fmt.Sprintf("console.%s", e.Type))
		case *log.EventEntryAdded:
			p.complaints = append(p.complaints, e.Entry.Text+" "+e.Entry.URL)
		}
	}))
	for _, script := range scripts {
		p.run(t, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: script})
			return err
		}))
	}
	p.run(t, chromedp.Navigate(b.url+"/?user_id="+user))
	p.waitFor(t, `document.querySelector('#connection').dataset.state === 'live'`)
	return p
}

func (p *tab) run(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	require.NoError(t, chromedp.Do(p.ctx, actions...))
}

// evaluate runs a statement of JavaScript.
func (p *tab) evaluate(t *testing.T, statement string) {
	t.Helper()
	_, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](`{`+statement+`}; true`))
	require.NoError(t, err)
}

// waitFor waits until a JavaScript expression is true. It is Go that asks again:
// chromedp.Poll makes a function of text, which the page's policy forbids.
func (p *tab) waitFor(t *testing.T, expression string) {
	t.Helper()
	holds := func() bool {
		is, err := chromedp.Run(p.ctx, chromedp.Evaluate[bool](expression))
		return err == nil && is // a page that is being loaded may lack the element
	}
	if !assert.Eventually(t, holds, redistest.Patience, 20*time.Millisecond, expression) {
		text, _ := chromedp.Run(p.ctx, chromedp.Evaluate[string](`document.querySelector('.basket').innerText`))
		require.FailNow(t, "the basket shows:", text)
	}
}

// shows waits until seats are in a state, as the page marks it.
func (p *tab) shows(t *testing.T, state string, seats ...string) {
	t.Helper()
	for _, id := range seats {
		p.waitFor(t, fmt.Sprintf(`document.getElementById('seat-%s').dataset.state === %q`, id, state))
	}
}

// says waits until the live region of that id has words.
func (p *tab) says(t *testing.T, region, words string) {
	t.Helper()
	p.waitFor(t, fmt.Sprintf(`document.getElementById(%q).textContent.includes(%q)`, region, words))
}

// click clicks buttons, each once the page lets it.
func (p *tab) click(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		p.waitFor(t, fmt.Sprintf(`document.getElementById(%q).ariaDisabled !== 'true'`, id))
		p.run(t, chromedp.Click(chromedp.CSS(`#`+id)))
	}
}

// hold chooses seats and holds them.
func (p *tab) hold(t *testing.T, seats ...string) {
	t.Helper()
	for _, id := range seats {
		p.run(t, chromedp.Click(chromedp.CSS(`[id="seat-`+id+`"]`)))
	}
	p.click(t, "hold")
}

// isQuiet asserts that the browser had nothing to complain of.
func (p *tab) isQuiet(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Empty(t, p.complaints)
}
