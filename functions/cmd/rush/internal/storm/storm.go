// Package storm lets the buyers of a plan loose on a service.
package storm

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"booking/functions/cmd/rush/internal/client"
	"booking/functions/cmd/rush/internal/plan"
)

// Storm is a run.
type Storm struct {
	Client *client.Client
	Hall   *plan.Hall
	Buyers []plan.Buyer
	Zipf   float64
	Hold   time.Duration // how long a hold is thought to last

	inside, come atomic.Int64
	mu           sync.Mutex
	sightings    []Sighting
}

// Sighting is how the hall stood at a moment, as anyone can see it.
type Sighting struct {
	At         time.Duration
	Held, Sold int
}

// watchEvery is how often the hall is looked at for the record.
const watchEvery = 250 * time.Millisecond

// Run has each buyer come when due, however the service does, and returns when all
// have gone. Once open ends nobody comes any more or begins anew; whoever holds seats
// pays all the same. Once ctx ends everybody leaves.
func (s *Storm) Run(ctx, open context.Context) {
	watching, stop := context.WithCancel(context.Background())
	var watcher sync.WaitGroup
	watcher.Go(func() { s.watch(watching) })
	defer watcher.Wait()
	defer stop()

	var buyers sync.WaitGroup
	defer buyers.Wait()
	for i := range s.Buyers {
		b := &visit{Storm: s, Buyer: &s.Buyers[i], open: open}
		if !s.Client.Sleep(open, b.Arrives) {
			return
		}
		s.come.Add(1)
		s.inside.Add(1)
		buyers.Go(func() {
			defer s.inside.Add(-1)
			b.run(ctx)
		})
	}
}

// People is how many have come, and how many of them are still there.
func (s *Storm) People() (come, inside int) { return int(s.come.Load()), int(s.inside.Load()) }

// Sightings returns them in order.
func (s *Storm) Sightings() []Sighting {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sightings
}

// Last is the latest one.
func (s *Storm) Last() Sighting {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sightings) == 0 {
		return Sighting{}
	}
	return s.sightings[len(s.sightings)-1]
}

// watch looks at the hall until ctx ends. What it can't see it leaves out.
func (s *Storm) watch(ctx context.Context) {
	for due := s.Client.Now(); s.Client.Sleep(ctx, due); due += watchEvery {
		if m, err := s.Client.Watch(); err == nil {
			s.mu.Lock()
			s.sightings = append(s.sightings, Sighting{At: s.Client.Now(), Held: len(m.Held), Sold: len(m.Sold)})
			s.mu.Unlock()
		}
	}
}
