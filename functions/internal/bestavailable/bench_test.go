package bestavailable_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/bestavailable"
	"booking/functions/internal/plan"
)

// hallSizes are the halls of the benchmarks.
var hallSizes = []int{20_000, 100_000}

// bigHall returns a plan of zones of 40 rows of 25 seats, in 4 categories, with an aisle in
// each row.
func bigHall(t testing.TB, seats int) *plan.Plan {
	t.Helper()
	var s strings.Builder
	for z := range seats / 1000 {
		fmt.Fprintf(&s, `,{"name":"Block %d","position":{"x":%d},"rows":[`, z, z*400)
		for r := range 40 {
			fmt.Fprintf(&s, `%.*s{"position":{"y":%d},"seats":[`, min(r, 1), ",", r*12)
			for n := range 25 {
				fmt.Fprintf(&s, `%.*s{"seat_guid":"%d-%d-%d","category":"Price %d","position":{"x":%d}}`,
					min(n, 1), ",", z, r, n, r/10, 10*(n+n/10*2))
			}
			s.WriteString("]}")
		}
		s.WriteString("]}")
	}
	p, err := plan.Parse([]byte(`{"zones":[` + s.String()[1:] + `]}`))
	require.NoError(t, err)
	require.Equal(t, seats, p.Len())
	return p
}

// sell takes a part of the seats at random.
func sell(p *plan.Plan, part float64) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		random := rand.New(rand.NewPCG(1, 2))
		for n := range p.Len() {
			if random.Float64() < part && !yield(p.ID(n)) {
				return
			}
		}
	}
}

// eachHall runs a benchmark for each size of hall and part of it that is sold.
func eachHall(b *testing.B, run func(b *testing.B, p *plan.Plan, x *bestavailable.Index)) {
	for _, seats := range hallSizes {
		p := bigHall(b, seats)
		for _, sold := range []float64{0.1, 0.9, 0.99} {
			x := bestavailable.New(p)
			x.Load(sell(p, sold))
			b.Run(fmt.Sprintf("seats=%d/sold=%.0f%%", seats, 100*sold), func(b *testing.B) {
				b.ReportAllocs()
				run(b, p, x)
			})
		}
	}
}

func BenchmarkFind(b *testing.B) {
	for name, r := range map[string]bestavailable.Request{
		"2":             {Quantity: 2},
		"4":             {Quantity: 4},
		"10":            {Quantity: 10},
		"2 of category": {Quantity: 2, Category: "Price 3"},
		"2 of zone":     {Quantity: 2, Zone: "Block 19"},
		"2 of 64":       {Quantity: 2, Spread: 64},
		"4 apart":       {Quantity: 4, Apart: true},
		"10 apart":      {Quantity: 10, Apart: true},
	} {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			eachHall(b, func(b *testing.B, _ *plan.Plan, x *bestavailable.Index) {
				for b.Loop() {
					r.Seed++
					_, _ = x.Find(r)
				}
			})
		})
	}
}

// BenchmarkTake takes a group and sets its seats free.
func BenchmarkTake(b *testing.B) {
	eachHall(b, func(b *testing.B, _ *plan.Plan, x *bestavailable.Index) {
		for b.Loop() {
			if c, err := x.Take(bestavailable.Request{Quantity: 2}); err == nil {
				x.Set(c.SeatIDs, true)
			}
		}
	})
}

func BenchmarkSet(b *testing.B) {
	eachHall(b, func(b *testing.B, p *plan.Plan, x *bestavailable.Index) {
		ids := make([][]string, 4096)
		for i := range ids {
			ids[i] = []string{p.ID(i * 7919 % p.Len())}
		}
		for i := 0; b.Loop(); i++ {
			x.Set(ids[i%len(ids)], i/len(ids)%2 == 0)
		}
	})
}

// BenchmarkFind_WhileSeatsChange reports what a Find takes while a goroutine takes and frees
// seats of the first rows, without a pause.
func BenchmarkFind_WhileSeatsChange(b *testing.B) {
	eachHall(b, func(b *testing.B, p *plan.Plan, x *bestavailable.Index) {
		stop, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			ids := []string{""}
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					ids[0] = p.ID(i / 2 % 64)
					x.Set(ids, i%2 == 1)
				}
			}
		}()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _ = x.Find(bestavailable.Request{Quantity: 2})
			}
		})
		close(stop)
		<-done
	})
}

func BenchmarkNew(b *testing.B) {
	for _, seats := range hallSizes {
		p := bigHall(b, seats)
		b.Run(fmt.Sprintf("seats=%d", seats), func(b *testing.B) {
			heap := func() uint64 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			before := heap()
			x := bestavailable.New(p)
			size := float64(heap()-before) / float64(seats)
			for b.Loop() {
				x = bestavailable.New(p)
			}
			runtime.KeepAlive(x)
			b.ReportMetric(size, "B/seat")
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, seats := range hallSizes {
		p := bigHall(b, seats)
		x := bestavailable.New(p)
		b.Run(fmt.Sprintf("seats=%d", seats), func(b *testing.B) {
			for b.Loop() {
				x.Load(sell(p, 0.9))
			}
		})
	}
}
