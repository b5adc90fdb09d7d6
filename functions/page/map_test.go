package page_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"booking/functions/page"
	"booking/seatlock"
)

// arena is a plan of 20,000 seats in 20 zones.
const arena = `"{A-T}-{1-20}-{1-50}"`

// theatre returns the plan of a theatre with zones, categories and shapes.
func theatre(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("../internal/plan/testdata/theatre.json")
	require.NoError(t, err)
	return string(raw)
}

// display sets the size of the page, and the theme: light or dark.
func (p *tab) display(t *testing.T, width, height int64, theme string) {
	t.Helper()
	p.run(t, chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	}))
}

// value returns the value of a JavaScript expression.
func value[T any](t testing.TB, p *tab, expression string) T {
	t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	require.NoError(t, err)
	return v
}

// spot returns where the whole hall, as the page fits it at first, shows a seat, and a point of the
// seat beside its mark or number.
func (p *tab) spot(t *testing.T, b *testBundle, event, id string) (x, y float64, beside [2]float64) {
	t.Helper()
	var d page.Drawing
	rec := httptest.NewRecorder()
	b.handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/page/plan.json?event_id="+event, nil))
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &d))
	box := value[[]float64](t, p, `(r => [r.left, r.top, r.width, r.height])(document.querySelector('.canvas').getBoundingClientRect())`)
	k := math.Min((box[2]-16)/d.Size[0], (box[3]-16)/d.Size[1])
	for _, z := range d.Zones {
		for _, row := range z.Rows {
			for n := range row.IDs {
				if row.IDs[n] == id {
					x, y = box[0]+(box[2]-k*d.Size[0])/2+k*row.X[n], box[1]+(box[3]-k*d.Size[1])/2+k*row.Y[n]
					return x, y, [2]float64{x - 4.2*k, y + 4.2*k}
				}
			}
		}
	}
	require.Fail(t, "no seat "+id)
	return 0, 0, beside
}

// pixel is a JavaScript expression: red, green, blue and alpha of the seats' drawing at a point of the page.
func pixel(at [2]float64) string {
	return fmt.Sprintf(`(() => {
		const box = document.querySelector('.canvas').getBoundingClientRect()
		const canvas = [...document.querySelectorAll('canvas')].slice(1, 3).find(c => !c.hidden)
		const ratio = canvas.width / box.width
		const copy = new OffscreenCanvas(1, 1).getContext('2d')
		copy.drawImage(canvas, (%f - box.left) * ratio, (%f - box.top) * ratio, 1, 1, 0, 0, 1, 1)
		return [...copy.getImageData(0, 0, 1, 1).data]
	})()`, at[0], at[1])
}

// painted waits until the drawing has the color, as in CSS, at a point of the page.
func (p *tab) painted(t *testing.T, at [2]float64, color string) {
	t.Helper()
	p.waitFor(t, fmt.Sprintf(`(() => {
		const [r, g, b, a] = %s
		const probe = new OffscreenCanvas(1, 1).getContext('2d')
		probe.fillStyle = %q
		probe.fillRect(0, 0, 1, 1)
		const want = probe.getImageData(0, 0, 1, 1).data
		return a > 200 && Math.abs(r - want[0]) + Math.abs(g - want[1]) + Math.abs(b - want[2]) < 30
	})()`, pixel(at), color))
}

func TestMap_ChoosesTheSeatUnderThePointer(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	b.put(t, "opera", theatre(t))
	ann := b.openEvent(t, "opera", "ann")
	ann.display(t, 1280, 900, "light")
	x, y, beside := ann.spot(t, b, "opera", "Stalls-A-3")
	ann.painted(t, beside, "#7f4a91")
	ann.run(t, chromedp.MouseClickXY(x, y))
	ann.waitFor(t, `document.querySelector('#chosen').innerText.includes('Stalls, row A, seat 3')`)
	ann.run(t, chromedp.MouseClickXY(x, y))
	ann.waitFor(t, `document.querySelector('#chosen').children.length === 0`)

	_, err := b.locker.Reserve(t.Context(), "opera", []string{"Stalls-A-3"}, "rival")
	require.NoError(t, err)
	ann.painted(t, beside, "#fff")
	ann.run(t, chromedp.MouseClickXY(x, y))
	ann.says(t, "status", "Stalls A3 is held by someone else.")
	ann.hasNoMessages(t)
}

func TestMap_ZoomsAndReturns(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	b.put(t, "opera", theatre(t))
	ann := b.openEvent(t, "opera", "ann")
	ann.display(t, 1280, 900, "light")
	whole := `document.querySelector('.zoom button:last-child').disabled`
	ann.waitFor(t, whole)
	x, y, beside := ann.spot(t, b, "opera", "Stalls-A-3")
	ann.painted(t, beside, "#7f4a91")

	ann.run(t, chromedp.Click(chromedp.CSS(`.zoom button`)))
	ann.waitFor(t, "!"+whole)
	ann.run(t, chromedp.Click(chromedp.CSS(`.zoom button:last-child`)))
	ann.waitFor(t, whole)
	ann.painted(t, beside, "#7f4a91")

	ann.evaluate(t, fmt.Sprintf(`document.querySelector('.canvas').dispatchEvent(new WheelEvent('wheel', { deltaY: -200, clientX: %f, clientY: %f, cancelable: true }))`, x, y))
	ann.waitFor(t, "!"+whole)

	ann.evaluate(t, `document.getElementById('seat-Stalls-A-1').focus()`)
	ann.run(t, chromedp.KeyEvent("0"))
	ann.waitFor(t, whole)
	ann.run(t, chromedp.KeyEvent("+"))
	ann.waitFor(t, "!"+whole)
	ann.hasNoMessages(t)
}

func TestMap_ZoomsIntoAZoneOfALargeHall(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	b.put(t, "arena", arena)
	ann := b.openEvent(t, "arena", "ann")
	ann.display(t, 390, 844, "light")
	x, y, _ := ann.spot(t, b, "arena", "C-10-25")
	ann.run(t, chromedp.MouseClickXY(x, y))
	ann.waitFor(t, `!document.querySelector('.zoom button:last-child').disabled`)
	require.Empty(t, value[string](t, ann, `document.querySelector('#chosen').innerText`), "a seat of two pixels was chosen")
	ann.hasNoMessages(t)
}

func TestMap_FiltersCategories(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	b.put(t, "opera", theatre(t))
	ann := b.openEvent(t, "opera", "ann")
	ann.display(t, 1280, 900, "light")
	_, _, beside := ann.spot(t, b, "opera", "Stalls-A-3")
	ann.painted(t, beside, "#7f4a91")
	ann.evaluate(t, `[...document.querySelectorAll('.filters button')].find(b => b.innerText.includes('Wheelchair')).click()`)
	alpha := pixel(beside) + "[3]"
	ann.waitFor(t, alpha+" < 100")
	ann.evaluate(t, `[...document.querySelectorAll('.filters button')].find(b => b.innerText.includes('Wheelchair')).click()`)
	ann.waitFor(t, alpha+" > 200")
	ann.hasNoMessages(t)
}

// The list is the whole hall for a keyboard, part by part.
func TestMap_ListsALargeHallByParts(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	b.put(t, "arena", arena)
	ann := b.openEvent(t, "arena", "ann")
	require.LessOrEqual(t, value[int](t, ann, `document.querySelectorAll('button.seat').length`), 500)
	ann.evaluate(t, `document.getElementById('seat-A-10-7').focus()`)
	ann.run(t, chromedp.KeyEvent(kb.ArrowDown))
	ann.waitFor(t, `document.activeElement.id === 'seat-A-11-7'`)
	ann.run(t, chromedp.KeyEvent(" "))
	ann.waitFor(t, `document.activeElement.ariaLabel === 'A, row 11, seat 7, chosen'`)
	ann.run(t, chromedp.Click(chromedp.CSS(`.switch button:last-child`)))
	ann.waitFor(t, `document.getElementById('part').checkVisibility()`)
	ann.waitFor(t, `[...document.getElementById('part').options].some(o => o.textContent === 'T, rows 11 to 20 (500 free)')`)
	ann.evaluate(t, `const part = document.getElementById('part')
		part.value = [...part.options].find(o => o.textContent.startsWith('T, rows 11')).value; part.dispatchEvent(new Event('change'))`)
	ann.run(t, chromedp.Click(chromedp.CSS(`[id="seat-T-20-50"]`)))
	ann.waitFor(t, `document.querySelector('#chosen').innerText.includes('T, row 20, seat 50')`)
	ann.hasNoMessages(t)
}

func TestMap_FitsEveryScreen(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	b.put(t, "opera", theatre(t))
	ann := b.openEvent(t, "opera", "ann")
	ann.hold(t, "Stalls-A-3", "Stalls-A-4")
	ann.shows(t, "held", "Stalls-A-3")
	ann.waitFor(t, `document.getElementById('title').textContent === 'Così fan tutte'`)
	for _, screen := range [][2]int64{{390, 844}, {1280, 800}, {2560, 1440}} {
		for theme, held := range map[string]string{"light": "#8a4600", "dark": "#f0b072"} {
			ann.display(t, screen[0], screen[1], theme)
			ann.waitFor(t, fmt.Sprintf(`innerWidth === %d && document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight`, screen[0]))
			for _, id := range []string{"title", "connection", "countdown", "buy", "release"} {
				ann.waitFor(t, fmt.Sprintf(`(r => r.width > 0 && r.left >= 0 && r.right <= innerWidth && r.top >= 0)(document.getElementById(%q).getBoundingClientRect())`, id))
			}
			_, _, beside := ann.spot(t, b, "opera", "Stalls-A-3")
			ann.painted(t, beside, held)
		}
	}
	ann.hasNoMessages(t)
}

// Many changes of a large hall arrive on the page of each buyer, and no buyer gets another's seat.
func TestMap_ShowsTwoBuyersALargeHall(t *testing.T) {
	t.Parallel()
	b := setup(t, seatlock.Options{})
	b.put(t, "arena", arena)
	ann, ben := b.openEvent(t, "arena", "ann"), b.openEvent(t, "arena", "ben")
	for row := range 20 {
		for seat := 1; seat <= 50; seat += 10 {
			group := make([]string, 10)
			for n := range group {
				group[n] = fmt.Sprintf("B-%d-%d", row+1, seat+n)
			}
			_, err := b.locker.Reserve(t.Context(), "arena", group, fmt.Sprintf("rival-%d-%d", row, seat))
			require.NoError(t, err)
		}
	}
	ann.hold(t, "A-1-1")
	ann.shows(t, "held", "A-1-1")
	ben.shows(t, "taken", "A-1-1")
	ben.hold(t, "A-1-2")
	ann.shows(t, "taken", "A-1-2")
	for _, p := range []*tab{ann, ben} {
		p.waitFor(t, `document.getElementById('free').textContent === '18,998 of 20,000 free'`)
		p.hasNoMessages(t)
	}
}

// BenchmarkMap prints how long a hall takes until it is drawn and live, and the longest task, as the browser
// reports it, while 500 seats a second change for five seconds: 0 if none took 50 ms.
func BenchmarkMap(b *testing.B) {
	for name, plan := range map[string]string{"seats=20000": arena, "seats=100000": `"{A-T}-{1-50}-{1-100}"`} {
		b.Run(name, func(b *testing.B) {
			bundle := setup(b, seatlock.Options{})
			bundle.put(b, "arena", plan)
			began := time.Now()
			ann := bundle.openEvent(b, "arena", "ann", `window.longest = 0
				new PerformanceObserver(list => list.getEntries().forEach(e => longest = Math.max(longest, e.duration))).observe({ type: 'longtask', buffered: true })`)
			ann.waitFor(b, `[...document.querySelectorAll('canvas')].slice(1, 3).some(c => !c.hidden)`)
			b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms-until-live")
			b.ReportMetric(value[float64](b, ann, `longest`), "ms-longest-task-of-load")
			ann.evaluate(b, `longest = 0`)
			ticker := time.NewTicker(2 * time.Millisecond)
			defer ticker.Stop()
			for n := range 2500 {
				<-ticker.C
				_, err := bundle.locker.Reserve(b.Context(), "arena", []string{fmt.Sprintf("%c-%d-%d", 'A'+n%20, n/20%20+1, n/400+1)}, "rival")
				require.NoError(b, err)
			}
			ann.waitFor(b, fmt.Sprintf(`document.getElementById('free').textContent.startsWith((Number(document.querySelector('.canvas').dataset.seats) - %d).toLocaleString())`, 2500))
			b.ReportMetric(value[float64](b, ann, `longest`), "ms-longest-task-of-changes")
			b.ReportMetric(0, "ns/op")
		})
	}
}
