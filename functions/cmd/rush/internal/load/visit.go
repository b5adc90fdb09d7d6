package load

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"booking/functions/cmd/rush/internal/client"
	"booking/seatlock/oracle"
)

// Mean times between a buyer's actions. Each is drawn from half of it to one and a
// half times it.
const (
	browseDelay  = 3 * time.Second / 2   // from the seat map to the choice of seats
	refusalDelay = time.Second           // from a refusal to the next look at the seat map
	noSeatsDelay = 2 * time.Second       // until the next look, if no seats are free or the map failed
	reloadDelay  = 50 * time.Millisecond // between tries while the sale is about to open
)

// A call whose outcome is not known is sent up to maxAttempts times. The first retry
// comes after retryDelay, each later one after twice the delay before it.
const (
	maxAttempts = 7
	retryDelay  = 100 * time.Millisecond
)

// OtherTab ends the order of a buyer's second payment.
const OtherTab = ":again"

// visit is what one buyer does from arrival to leaving.
type visit struct {
	*Load
	*Buyer
	onSale context.Context
	rand   *rand.Rand
}

// after returns a random time about d from now.
func (v *visit) after(d time.Duration) time.Duration {
	return v.Client.Now() + d/2 + time.Duration(v.rand.Float64()*float64(d))
}

// run looks at the seat map, chooses and reserves, until the buyer is done or gives up.
func (v *visit) run(ctx context.Context) {
	v.rand = v.Rand()
	if v.Best && v.Kind != Cheat && v.Kind != Hoarder {
		if v.Client.Sleep(v.onSale, v.Arrives) {
			v.runBest(ctx)
		}
		return
	}
	chooser := v.Hall.NewChooser(v.rand, v.Zipf)
	due := v.Arrives
	for range v.Tries {
		m, ok := v.Client.SeatMap(v.onSale, v.User, due)
		switch {
		case v.onSale.Err() != nil:
			return
		case !ok:
			due = v.after(noSeatsDelay)
			continue
		case len(m.Sold)+len(m.Blocked) == v.Hall.Size() && !v.Waits:
			return
		case v.Kind == Cheat && len(m.Held)+len(m.Blocked) > 0:
			v.cheat(ctx, m)
			return
		}
		seats := chooser.Choose(v.Seats, m.Taken)
		if seats == nil {
			due = v.after(noSeatsDelay)
			continue
		}
		if v.reserve(seats).Outcome == oracle.Done && v.finish(ctx, chooser, seats) {
			return
		}
		due = v.after(refusalDelay)
	}
}

// reserve tries to reserve seats. A buyer who is too early tries again when the sale opens.
func (v *visit) reserve(seats []string) client.Call {
	call := v.send(v.onSale, oracle.Reserve, seats, v.after(browseDelay))
	for call.NotOnSale && call.Sent < v.Event.Opening.OpenFrom {
		call = v.send(v.onSale, oracle.Reserve, seats, max(v.after(reloadDelay), v.returns()))
	}
	return call
}

// returns returns when a buyer who was too early comes back: every other buyer within 50 ms of
// the opening, the others within the next two seconds.
func (v *visit) returns() time.Duration {
	opens := (v.Event.Opening.ClosedUntil + v.Event.Opening.OpenFrom) / 2
	if v.rand.IntN(2) == 0 {
		return opens + time.Duration((v.rand.Float64()-0.5)*float64(2*reloadDelay))
	}
	return opens + time.Duration(v.rand.Float64()*float64(2*time.Second))
}

// finish does what the buyer does with held seats. It returns false if the buyer was
// too late to buy them and wants to choose again.
func (v *visit) finish(ctx context.Context, chooser *Chooser, seats []string) bool {
	switch v.Kind {
	case Abandoner:
		if v.rand.IntN(2) == 0 {
			v.send(ctx, oracle.Release, seats, v.Client.Now()+v.Think)
		}
		return true
	case Hoarder:
		v.hoard(ctx, seats)
		return true
	}
	order := v.buy(ctx, seats, v.Client.Now()+v.Think)
	v.Think = min(v.Think, v.Hold/2) // a dawdler pays in time on the second try
	if order != "" && v.Moves {
		seats = v.exchange(ctx, chooser, seats, order)
	}
	if order != "" && v.Returns {
		v.giveBack(ctx, seats, order)
	}
	return order != "" || ctx.Err() != nil
}

// buy buys seats. A buyer who pays twice does so in two tabs at once, each with its own order. It
// returns the order that the seats are sold under, "" for none.
func (v *visit) buy(ctx context.Context, seats []string, due time.Duration) (order string) {
	call := oracle.Call{Op: oracle.Buy, Seats: seats, User: v.User, Order: v.Order}
	second := make(chan client.Call, 1)
	if v.Double {
		other := *v // with its own source of decisions
		other.rand = rand.New(rand.NewPCG(v.rand.Uint64(), v.rand.Uint64()))
		again := call
		again.Seats, again.Order = slices.Clone(seats), v.Order+OtherTab
		go func() { second <- other.sendCall(ctx, again, due) }()
	} else {
		second <- client.Call{}
	}
	first, other := v.sendCall(ctx, call, due), <-second
	for _, bought := range []client.Call{first, other} {
		if bought.Outcome == oracle.Done {
			order = bought.Order
		}
	}
	return order
}

// exchange exchanges the seats that the buyer has bought for free ones, and later makes the same
// call again. It returns the seats that the buyer then has.
func (v *visit) exchange(ctx context.Context, chooser *Chooser, seats []string, order string) []string {
	m, ok := v.Client.SeatMap(v.onSale, v.User, v.after(v.Hold/2))
	if !ok {
		return seats
	}
	to := chooser.Choose(len(seats), m.Taken)
	if to == nil || slices.ContainsFunc(to, func(seat string) bool { return slices.Contains(seats, seat) }) {
		return seats // the map may be older than the sale
	}
	call := oracle.Call{Op: oracle.Exchange, Seats: seats, To: to, User: v.User, Order: order}
	if v.sendCall(v.onSale, call, v.after(browseDelay)).Outcome != oracle.Done {
		return seats
	}
	v.sendCall(ctx, call, v.after(v.Hold/2))
	return to
}

// giveBack returns all seats that the buyer has bought, or some of them, and later the same again.
// By then others may have bought them. After the on-sale it does nothing, because there is
// no time left to sell the seats.
func (v *visit) giveBack(ctx context.Context, seats []string, order string) {
	call := oracle.Call{Op: oracle.Return, Seats: seats[v.rand.IntN(len(seats)):], User: v.User, Order: order}
	if v.sendCall(v.onSale, call, v.after(v.Hold/2)).Outcome == oracle.Done {
		v.sendCall(ctx, call, v.after(v.Hold/2))
	}
}

// hoard holds up to two more groups of seats, extends all holds once, and releases
// them at the end.
func (v *visit) hoard(ctx context.Context, seats []string) {
	held := [][]string{seats}
	chooser := v.Hall.NewChooser(v.rand, v.Zipf)
	for range 2 {
		m, ok := v.Client.SeatMap(v.onSale, v.User, v.after(browseDelay))
		if !ok {
			break
		}
		if more := chooser.Choose(v.Seats, m.Taken); more != nil && v.send(v.onSale, oracle.Reserve, more, v.after(browseDelay)).Outcome == oracle.Done {
			held = append(held, more)
		}
	}
	begun := v.Client.Now()
	for _, group := range held {
		v.send(ctx, oracle.Extend, group, max(begun+v.Hold/3, v.Client.Now()))
	}
	for _, group := range held {
		v.send(ctx, oracle.Release, group, max(begun+v.Hold, v.Client.Now()))
	}
}

// cheat tries to buy a seat that another user holds, or to reserve one that is blocked.
func (v *visit) cheat(ctx context.Context, m client.Map) {
	if n := v.rand.IntN(len(m.Held) + len(m.Blocked)); n < len(m.Held) {
		v.send(ctx, oracle.Buy, []string{m.Held[n]}, v.after(browseDelay))
	} else {
		v.send(v.onSale, oracle.Reserve, []string{m.Blocked[n-len(m.Held)]}, v.after(browseDelay))
	}
}

// send makes a call without an order, see sendCall.
func (v *visit) send(ctx context.Context, op oracle.Op, seats []string, due time.Duration) client.Call {
	return v.sendCall(ctx, oracle.Call{Op: op, Seats: seats, User: v.User}, due)
}

// sendCall makes a call; a buyer who sends everything twice makes it twice at once. It repeats
// the call while its outcome is unknown.
func (v *visit) sendCall(ctx context.Context, want oracle.Call, due time.Duration) client.Call {
	return v.attempt(due, func(due time.Duration) client.Call {
		own := want
		own.Seats = slices.Clone(want.Seats)
		return v.Client.Send(ctx, own, due)
	})
}

// attempt is sendCall for any call.
func (v *visit) attempt(due time.Duration, send func(due time.Duration) client.Call) client.Call {
	var call client.Call
	for n := range maxAttempts {
		second := make(chan client.Call, 1)
		if v.Twice && n == 0 {
			go func() { second <- send(due) }()
		} else {
			second <- client.Call{}
		}
		call = send(due)
		if other := <-second; other.Outcome == oracle.Done {
			call = other
		}
		if call.Op == "" || call.Outcome == oracle.Done || call.Outcome == oracle.Refused || call.Answer() == client.Unexpected {
			return call
		}
		due = v.after(retryDelay << n)
	}
	return call
}
