// Package load puts the load of an on-sale on a service: it creates the buyers, makes
// their calls, and audits the result.
package load

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"booking/functions/cmd/rush/internal/client"
	"booking/seatlock/oracle"
)

// Load is a run.
type Load struct {
	Client *client.Client
	Hall   *Hall
	Buyers []Buyer       // in the order of arrival
	Zipf   float64       // exponent of the popularity of seats
	Hold   time.Duration // the hold time that buyers expect
	Event  Event         // what was put

	// Waits means that buyers look again if all seats are sold, because others return or exchange some.
	Waits bool

	arrived, active atomic.Int64
	mu              sync.Mutex
	samples         []Sample
}

// Event is an event that was put before the run. The zero Event was not put.
type Event struct {
	HoldTime time.Duration  // 0 if it is not known
	Opening  oracle.Opening // zero: it is on sale from the start
	Blocked  []string       // seats that are blocked for Channel
	Calls    []oracle.Call  // the blocks
}

// Channel is the channel of blocked seats.
const Channel = "house"

// Sample is the number of held, sold and blocked seats at a time, as the seat map shows them.
type Sample struct {
	At                  time.Duration
	Held, Sold, Blocked int
}

// sampleInterval is how often the seat map is sampled.
const sampleInterval = 250 * time.Millisecond

// Run starts each buyer at its arrival, even if earlier calls are still unanswered. It
// returns when all buyers have left. After onSale ends, no buyer arrives or chooses
// seats, but those with a hold still pay. After ctx ends, all leave.
func (l *Load) Run(ctx, onSale context.Context) {
	sampling, stop := context.WithCancel(context.Background())
	var sampler sync.WaitGroup
	sampler.Go(func() { l.sample(sampling) })
	defer sampler.Wait()
	defer stop()

	var buyers sync.WaitGroup
	defer buyers.Wait()
	for i := range l.Buyers {
		v := &visit{Load: l, Buyer: &l.Buyers[i], onSale: onSale}
		if !l.Client.Sleep(onSale, v.Arrives) {
			return
		}
		l.arrived.Add(1)
		l.active.Add(1)
		buyers.Go(func() {
			defer l.active.Add(-1)
			v.run(ctx)
		})
	}
}

// Counts returns how many buyers have arrived, and how many of them have not left.
func (l *Load) Counts() (arrived, active int) { return int(l.arrived.Load()), int(l.active.Load()) }

// Samples returns the samples so far, in order.
func (l *Load) Samples() []Sample {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.samples
}

// LastSample returns the latest sample; the zero Sample if there is none yet.
func (l *Load) LastSample() Sample {
	samples := l.Samples()
	if len(samples) == 0 {
		return Sample{}
	}
	return samples[len(samples)-1]
}

// sample takes samples until ctx ends. It skips a sample if the call fails.
func (l *Load) sample(ctx context.Context) {
	for due := l.Client.Now(); l.Client.Sleep(ctx, due); due += sampleInterval {
		if m, err := l.Client.Observe(); err == nil {
			l.mu.Lock()
			l.samples = append(l.samples, Sample{At: l.Client.Now(), Held: len(m.Held), Sold: len(m.Sold), Blocked: len(m.Blocked)})
			l.mu.Unlock()
		}
	}
}
