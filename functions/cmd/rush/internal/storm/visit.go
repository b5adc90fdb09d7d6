package storm

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"booking/functions/cmd/rush/internal/client"
	"booking/functions/cmd/rush/internal/history"
	"booking/functions/cmd/rush/internal/plan"
	"booking/seatlock/oracle"
)

// How long people take, about; each takes between half and one and a half of it.
const (
	glance = 3 * time.Second / 2 // at the map, before pressing a seat
	sigh   = time.Second         // after a refusal
	wait   = 2 * time.Second     // for a hold of somebody else to end
)

// repeats is how often a request is sent again after a fault; the first time after
// pause, and twice as long each time.
const (
	repeats = 7
	pause   = 100 * time.Millisecond
)

// visit is what one buyer does.
type visit struct {
	*Storm
	*plan.Buyer
	open context.Context
	rand *rand.Rand
}

// in returns a moment about d from now.
func (v *visit) in(d time.Duration) time.Duration {
	return v.Client.Now() + d/2 + time.Duration(v.rand.Float64()*float64(d))
}

// run looks, chooses and presses until the buyer has seats or has had enough.
func (v *visit) run(ctx context.Context) {
	v.rand = v.Rand()
	wish := v.Hall.NewWish(v.rand, v.Zipf)
	due := v.Arrives
	for range v.Tries {
		m, ok := v.Client.Look(v.open, v.User, due)
		switch {
		case v.open.Err() != nil:
			return
		case !ok:
			due = v.in(wait)
			continue
		case len(m.Sold) == len(v.Hall.Seats):
			return
		case v.Kind == plan.Cheat && len(m.Held) > 0:
			v.cheat(ctx, m)
			return
		}
		seats := wish.Choose(v.Seats, m.Taken)
		if seats == nil {
			due = v.in(wait)
			continue
		}
		if v.press(v.open, oracle.Reserve, seats, v.in(glance)).Outcome != oracle.Done {
			due = v.in(sigh)
			continue
		}
		if v.holding(ctx, seats) {
			return
		}
		due = v.in(sigh)
	}
}

// holding is what the buyer does with a hold; it reports whether the buyer is
// content, and does not come back.
func (v *visit) holding(ctx context.Context, seats []string) bool {
	switch v.Kind {
	case plan.Abandoner:
		if v.rand.IntN(2) == 0 {
			v.press(ctx, oracle.Release, seats, v.Client.Now()+v.Think)
		}
		return true
	case plan.Hoarder:
		v.hoard(ctx, seats)
		return true
	}
	bought := v.press(ctx, oracle.Buy, seats, v.Client.Now()+v.Think)
	v.Think = min(v.Think, v.Hold/2) // who was too late is quicker the next time
	return bought.Outcome == oracle.Done || ctx.Err() != nil
}

// hoard takes more groups of seats, keeps them for as long as it can, and lets them go.
func (v *visit) hoard(ctx context.Context, seats []string) {
	held := [][]string{seats}
	wish := v.Hall.NewWish(v.rand, v.Zipf)
	for range 2 {
		m, ok := v.Client.Look(v.open, v.User, v.in(glance))
		if !ok {
			break
		}
		if more := wish.Choose(v.Seats, m.Taken); more != nil && v.press(v.open, oracle.Reserve, more, v.in(glance)).Outcome == oracle.Done {
			held = append(held, more)
		}
	}
	begun := v.Client.Now()
	for _, group := range held {
		v.press(ctx, oracle.Extend, group, max(begun+v.Hold/3, v.Client.Now()))
	}
	for _, group := range held {
		v.press(ctx, oracle.Release, group, max(begun+v.Hold, v.Client.Now()))
	}
}

// cheat pays for a seat that somebody else holds.
func (v *visit) cheat(ctx context.Context, m client.Map) {
	v.press(ctx, oracle.Buy, []string{m.Held[v.rand.IntN(len(m.Held))]}, v.in(glance))
}

// press sends a request, twice at once where the buyer does that, and sends it again
// as long as nobody knows what came of it.
func (v *visit) press(ctx context.Context, op oracle.Op, seats []string, due time.Duration) history.Call {
	var call history.Call
	for n := range repeats {
		again := make(chan history.Call, 1)
		if v.Twice && n == 0 {
			go func() { again <- v.Client.Change(ctx, op, slices.Clone(seats), v.User, due) }()
		} else {
			again <- history.Call{}
		}
		call = v.Client.Change(ctx, op, seats, v.User, due)
		if second := <-again; second.Outcome == oracle.Done {
			call = second
		}
		if call.Op == "" || call.Outcome == oracle.Done || call.Outcome == oracle.Refused || call.Kind() == history.Unexpected {
			return call
		}
		due = v.in(pause << n)
	}
	return call
}
