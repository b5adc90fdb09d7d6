package hall

import (
	"iter"
	"strconv"
	"testing"
	"time"

	"booking/seatlock"
)

// fullView is a view of a hall whose seats are all held.
type fullView struct {
	View
	ids []string
}

func (v fullView) At() time.Time    { return time.UnixMilli(1_700_000_000_000) }
func (v fullView) Position() string { return "1700000000000000-1700000000000001" }
func (v fullView) Len() int         { return len(v.ids) }
func (v fullView) Lapsed() int      { return 0 }

func (v fullView) Seats() iter.Seq[seatlock.Seat] {
	return func(yield func(seatlock.Seat) bool) {
		for i, id := range v.ids {
			if !yield(seatlock.Seat{ID: id, Status: seatlock.Reserved, ExpiresIn: time.Duration(i) * time.Millisecond}) {
				return
			}
		}
	}
}

// BenchmarkSnapshot encodes and compresses the seat map of 50,000 held seats.
func BenchmarkSnapshot(b *testing.B) {
	v := fullView{ids: make([]string, 50_000)}
	for i := range v.ids {
		v.ids[i] = "S" + strconv.Itoa(i)
	}
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			newSnapshot("gala", time.Time{}, v).Body()
		}
	})
	b.Run("gzip", func(b *testing.B) {
		for b.Loop() {
			newSnapshot("gala", time.Time{}, v).Compressed()
		}
	})
}
