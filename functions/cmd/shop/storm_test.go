package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest"
)

// copies are calls that the network delivers a second time, late.
type copies struct {
	mu        sync.Mutex
	random    *rand.Rand
	kept      []*http.Request
	delivered int
}

// sent keeps a copy of every fourth call that changes seats.
func (c *copies) sent(req *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if req.Method != http.MethodPost || c.random.IntN(4) > 0 {
		return
	}
	late, err := http.NewRequest(req.Method, req.URL.String(), nil)
	if err == nil {
		late.Body, err = req.GetBody()
	}
	if err != nil {
		panic(err)
	}
	late.Header = req.Header.Clone()
	c.kept = append(c.kept, late)
}

// deliver delivers a copy. It returns false if there is none.
func (c *copies) deliver(t *testing.T) bool {
	c.mu.Lock()
	if len(c.kept) == 0 {
		c.mu.Unlock()
		return false
	}
	i := c.random.IntN(len(c.kept))
	late := c.kept[i]
	c.kept = append(c.kept[:i], c.kept[i+1:]...)
	c.delivered++
	c.mu.Unlock()
	resp, err := http.DefaultClient.Do(late)
	if err != nil {
		t.Error(err)
		return true
	}
	_ = resp.Body.Close()
	return true
}

// buyer buys, exchanges and returns seats at random, until the shop crashes.
type buyer struct {
	*world
	late   *copies
	name   string
	random *rand.Rand
	byHand bool // the box office has returned a seat of this buyer, in this life of the shop
}

func (b *buyer) act(t *testing.T, order string) {
	seat := func() string { return fmt.Sprintf("%d%c", 1+b.random.IntN(3), 'A'+b.random.IntN(4)) }
	seats := []string{seat()}
	if other := seat(); other != seats[0] && b.random.IntN(2) == 0 {
		seats = append(seats, other)
	}
	b.random.Shuffle(len(seats), func(i, j int) { seats[i], seats[j] = seats[j], seats[i] })
	_ = b.booking.Reserve(t.Context(), b.name, seats...)
	switch b.random.IntN(8) {
	case 0:
		b.provider.Decline("authorize", order)
	case 1:
		b.provider.Decline("capture", order)
	}
	orders := []string{order, order} // a double click
	if b.random.IntN(3) == 0 {
		orders[1] += "-tab"
	}
	var clicks sync.WaitGroup
	var crashed [2]bool
	for i, id := range orders {
		clicks.Go(func() { crashed[i] = crashes(func() { b.checkout(t, id, b.name, seats...) }) })
	}
	clicks.Wait()
	if crashed[0] || crashed[1] {
		panic(errCrashed)
	}
	var paid []Order
	for _, o := range b.Orders.All() {
		if o.User == b.name && o.State == Paid {
			paid = append(paid, o)
		}
	}
	if len(paid) > 0 {
		switch o := paid[b.random.IntN(len(paid))]; b.random.IntN(4) {
		case 0, 1:
			_, _ = b.Refund(t.Context(), o.ID)
		case 2:
			_, _ = b.Exchange(t.Context(), o.ID, []string{seat(), "9A"}[:len(o.Seats)])
		case 3:
			if !b.byHand {
				b.byHand = b.booking.Return(t.Context(), Order{ID: o.ID, User: o.User, Seats: o.Seats[:1]}) == nil
			}
		}
	}
	b.late.deliver(t)
}

// Buyers, the box office and the shop's Receiver act at the same time. Calls and answers are lost,
// calls arrive twice and late, and the shop crashes. It reconciles after a surprise only.
func TestShop_BalancesAfterAStorm(t *testing.T) {
	t.Parallel()
	const seed, lives, buyers, orders, lifetime = 7, 8, 5, 12, 250 // points
	sink := newSink(t)
	w := newWorld(t, startBooking(t, redistest.Server(t).URL(), "SINK_URL="+sink.url, "SINK_SECRET="+sinkSecret), "storm")
	require.NoError(t, w.booking.Create(t.Context(), "1-9:A-D"))
	late := &copies{random: rand.New(rand.NewPCG(seed, 0))}
	users := make([]string, buyers)
	for i := range users {
		users[i] = fmt.Sprint("u", i)
	}
	lost, ended := 0, 0
	for life := range lives {
		random := rand.New(rand.NewPCG(seed, uint64(life)))
		w.start(t, func(point int) fault {
			switch {
			case point == lifetime:
				return crash
			case random.IntN(10) == 0:
				lost++
				return loseIt
			}
			return noFault
		})
		w.network.sent = late.sent
		var all sync.WaitGroup
		for i, name := range users {
			b := &buyer{world: w, late: late, name: name, random: rand.New(rand.NewPCG(seed, uint64(100*life+i)))}
			all.Go(func() {
				crashes(func() {
					for n := range orders {
						b.act(t, fmt.Sprintf("o%d.%s.%d", life, name, n))
					}
				})
			})
		}
		stop := sink.watch(t, w.Shop, func([]Order, []string, error) {}) // an answer may be lost
		all.Wait()
		if w.network.dead {
			ended++
		}
		stop()
	}
	w.start(t, nil)
	last, found := "9D", make(chan struct{})
	stop := sink.watch(t, w.Shop, func(_ []Order, unknown []string, err error) {
		if err == nil && slices.Contains(unknown, last) {
			close(found)
			last = ""
		}
	})
	for late.deliver(t) {
	}
	w.reserve(t, "box", "9D")
	require.NoError(t, w.booking.Buy(t.Context(), Order{ID: "box-last", User: "box", Seats: []string{"9D"}}))
	select {
	case <-found:
	case <-time.After(redistest.WaitLimit):
		require.FailNow(t, "the shop does not learn of the sale")
	}
	stop()
	corrected, _ := w.reconcile(t)
	require.Empty(t, corrected)
	w.requireBalance(t, users...)

	states := strings.Join(w.states(), "\n")
	require.Positive(t, ended, "crashes")
	require.Positive(t, lost, "calls and answers that were lost")
	require.Positive(t, late.delivered, "late copies")
	t.Logf("%d crashes, %d lost, %d late; %d orders, %d paid, %d refunded", ended, lost, late.delivered, len(w.Orders.All()),
		strings.Count(states, " paid"), strings.Count(states, " refunded"))
}
