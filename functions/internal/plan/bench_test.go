package plan_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/plan"
)

func BenchmarkParse(b *testing.B) {
	for name, raw := range map[string][]byte{"arena": arena(), "stadium": stadium()} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				_, err := plan.Parse(raw)
				require.NoError(b, err)
			}
		})
	}
}

// BenchmarkPlan_Memory reports what a plan of 100,000 seats keeps.
func BenchmarkPlan_Memory(b *testing.B) {
	raw := stadium()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		before := heap()
		p, err := plan.Parse(raw)
		require.NoError(b, err)
		b.ReportMetric(float64(heap()-before)/float64(p.Len()), "B/seat")
		runtime.KeepAlive(p)
	}
	runtime.KeepAlive(raw)
}

func BenchmarkHas(b *testing.B) {
	p := parse(b, string(stadium()))
	ids := make([]string, 1024)
	for i := range ids {
		ids[i] = fmt.Sprintf("%d-%d-%d", i%100+1, i*7%40+1, i*13%50+1) // half of them exist
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p.Has(ids[i%len(ids)])
	}
}

func BenchmarkSeats(b *testing.B) {
	p := parse(b, string(stadium()))
	b.ReportAllocs()
	for b.Loop() {
		for range p.Seats() {
		}
	}
}
