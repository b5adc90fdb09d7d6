// Package plan makes, of a seed, a hall and the people who want to sit in it: when
// each comes, what each wants, and how each behaves.
package plan

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Options say what people are like. Shares are of all users, from 0 to 1.
type Options struct {
	Seed     uint64
	Users    int
	Arrivals time.Duration // from the first to the last
	Peak     float64       // how many times as many come in the first moment as in a late one
	Zipf     float64       // exponent of how much seats are wanted, over 1
	Think    time.Duration // between hold and payment, on average
	Hold     time.Duration // how long a hold is thought to last

	Groups, Abandon, Dawdle, Twice, Hoard, Cheat float64
	MaxGroup                                     int
}

// Kind is what becomes of a buyer's hold.
type Kind string

// The kinds.
const (
	Payer     Kind = "pays"
	Abandoner Kind = "abandons"
	Dawdler   Kind = "pays too late"
	Hoarder   Kind = "hoards"
	Cheat     Kind = "buys what another holds"
)

// Buyer is one person.
type Buyer struct {
	User    string
	Kind    Kind
	Arrives time.Duration // since the doors opened
	Seats   int           // side by side
	Think   time.Duration
	Twice   bool // presses every button twice
	Tries   int  // before going home
	seed    [2]uint64
}

// Rand returns the source of whatever the buyer decides on the way.
func (b *Buyer) Rand() *rand.Rand { return rand.New(rand.NewPCG(b.seed[0], b.seed[1])) }

// Buyers returns everybody who comes, the first first. The same options give the
// same buyers.
func Buyers(o Options) []Buyer {
	r := rand.New(rand.NewPCG(o.Seed, 0))
	buyers := make([]Buyer, o.Users)
	for i := range buyers {
		b := &buyers[i]
		b.User = fmt.Sprintf("buyer-%d", i+1)
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
		b.Tries = 1 + r.IntN(3)
		b.seed = [2]uint64{r.Uint64(), r.Uint64()}
	}
	slices.SortStableFunc(buyers, func(a, b Buyer) int { return cmp.Compare(a.Arrives, b.Arrives) })
	return buyers
}

// arrival draws from a Poisson process, given how many come in all: its rate falls
// from the peak to 1 with a tenth of the time that arrivals last.
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
	for _, share := range []struct {
		of   float64
		kind Kind
	}{{o.Abandon, Abandoner}, {o.Dawdle, Dawdler}, {o.Hoard, Hoarder}, {o.Cheat, Cheat}} {
		if at < share.of {
			return share.kind
		}
		at -= share.of
	}
	return Payer
}
