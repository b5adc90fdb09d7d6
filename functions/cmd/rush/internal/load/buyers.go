package load

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Options describe the buyers. Shares are of all buyers, from 0 to 1.
type Options struct {
	Seed     uint64
	Users    int
	UserIDs  []string      // of the buyers, at least Users; empty: buyer-1, buyer-2 and so on
	Arrivals time.Duration // from the first arrival to the last
	Peak     float64       // rate of arrivals at the start, as a multiple of the late rate
	Zipf     float64       // exponent of the popularity of seats, over 1
	Think    time.Duration // from hold to payment, on average
	Hold     time.Duration // the hold time that buyers expect

	Groups, Abandon, Dawdle, Twice, Hoard, Cheat, DoublePay, Return, Exchange, Best float64
	Standing                                                                        float64 // want places of the Area
	MaxGroup                                                                        int
}

// Kind is how a buyer behaves.
type Kind string

// The kinds.
const (
	Payer     Kind = "pays"
	Abandoner Kind = "abandons"
	Dawdler   Kind = "pays too late"
	Hoarder   Kind = "hoards"
	Cheat     Kind = "wants what another holds, or what is blocked"
)

// Buyer is one simulated user.
type Buyer struct {
	User    string
	Kind    Kind
	Arrives time.Duration // since the run began
	Seats   int           // how many the buyer wants, next to each other
	Think   time.Duration // from hold to payment
	Twice   bool          // sends each call twice
	Order   string        // of what the buyer buys
	Double  bool          // pays twice at once, the second time under another order
	Returns bool          // returns what they have bought, and later again
	Moves   bool          // exchanges what they have bought for other seats, and later again
	Best    bool          // does not choose seats, but asks for the best available
	Area    string        // whose places the buyer asks for; "": the buyer wants seats
	Tries   int           // before the buyer gives up
	seed    [2]uint64
}

// Rand returns the source of the buyer's later decisions.
func (b *Buyer) Rand() *rand.Rand { return rand.New(rand.NewPCG(b.seed[0], b.seed[1])) }

// NewBuyers returns all buyers in the order of arrival. The same Options give the
// same buyers.
func NewBuyers(o Options) []Buyer {
	r := rand.New(rand.NewPCG(o.Seed, 0))
	best := rand.New(rand.NewPCG(o.Seed, 3)) // so that the other decisions do not depend on Best
	standing := rand.New(rand.NewPCG(o.Seed, 4))
	buyers := make([]Buyer, o.Users)
	for i := range buyers {
		b := &buyers[i]
		b.User = fmt.Sprintf("buyer-%d", i+1)
		if len(o.UserIDs) > 0 {
			b.User = o.UserIDs[i]
		}
		b.Arrives = o.arrival(r)
		b.Kind = o.kind(r)
		b.Seats = 1
		if r.Float64() < o.Groups {
			b.Seats = 2 + r.IntN(o.MaxGroup-1)
		}
		b.Think = time.Duration(float64(o.Think) * min(r.ExpFloat64(), 3))
		if b.Kind == Dawdler {
			b.Think = o.Hold + time.Duration(r.Float64()*float64(o.Hold)/4)
		}
		b.Twice = r.Float64() < o.Twice
		b.Order, b.Double, b.Returns = fmt.Sprintf("order-%d", i+1), r.Float64() < o.DoublePay, r.Float64() < o.Return
		b.Moves = r.Float64() < o.Exchange
		b.Best = best.Float64() < o.Best
		if standing.Float64() < o.Standing {
			b.Best, b.Area = true, Area
		}
		b.Tries = 1 + r.IntN(3)
		b.seed = [2]uint64{r.Uint64(), r.Uint64()}
	}
	slices.SortStableFunc(buyers, func(a, b Buyer) int { return cmp.Compare(a.Arrives, b.Arrives) })
	return buyers
}

// arrival draws from a Poisson process with a given number of arrivals. Its rate
// falls from Peak to 1, with a time constant of a tenth of Arrivals.
func (o Options) arrival(r *rand.Rand) time.Duration {
	for {
		at := r.Float64()
		if rate := 1 + (o.Peak-1)*math.Exp(-at*10); r.Float64()*o.Peak < rate {
			return time.Duration(at * float64(o.Arrivals))
		}
	}
}

func (o Options) kind(r *rand.Rand) Kind {
	at := r.Float64()
	for _, k := range []struct {
		share float64
		kind  Kind
	}{{o.Abandon, Abandoner}, {o.Dawdle, Dawdler}, {o.Hoard, Hoarder}, {o.Cheat, Cheat}} {
		if at < k.share {
			return k.kind
		}
		at -= k.share
	}
	return Payer
}
