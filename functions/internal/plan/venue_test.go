package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/plan"
)

// venue returns a plan in the JSON format: blocks in a circle, each a zone with as many rows
// of as many seats. The first half of a block's rows has another category than the second.
func venue(name string, blocks, rows, seats int) []byte {
	var s strings.Builder
	fmt.Fprintf(&s, `{"name":%q,"categories":[{"name":"Lower","color":"#5b8def"},{"name":"Upper","color":"#d99b2b"}],"size":{"width":4000,"height":4000},"zones":[`, name)
	comma := func(i int) string {
		if i == 0 {
			return ""
		}
		return ","
	}
	for b := range blocks {
		fmt.Fprintf(&s, `%s{"name":"Block %d","zone_id":"%d","position":{"x":%d,"y":%d},"areas":[],"rows":[`, comma(b), b+1, b+1, b%10*400, b/10*300)
		for r := range rows {
			category := "Lower"
			if r >= rows/2 {
				category = "Upper"
			}
			fmt.Fprintf(&s, `%s{"row_number":"%d","row_number_position":"both","position":{"x":10,"y":%d},"seats":[`, comma(r), r+1, r*12)
			for n := range seats {
				fmt.Fprintf(&s, `%s{"seat_guid":"%d-%d-%d","seat_number":"%d","position":{"x":%.1f,"y":0},"category":%q,"radius":5}`,
					comma(n), b+1, r+1, n+1, n+1, float64(n)*12.5, category)
			}
			s.WriteString("]}")
		}
		s.WriteString("]}")
	}
	s.WriteString("]}")
	return []byte(s.String())
}

func arena() []byte   { return venue("Arena", 20, 20, 30) }
func stadium() []byte { return venue("Stadium", 100, 40, 25) }

// parse parses a plan that has no fault.
func parse(t testing.TB, raw string) *plan.Plan {
	t.Helper()
	p, err := plan.Parse([]byte(raw))
	require.NoError(t, err)
	return p
}

// requireFault requires an *plan.Error with that message.
func requireFault(t *testing.T, err error, want string) {
	t.Helper()
	var fault *plan.Error
	require.ErrorAs(t, err, &fault)
	require.EqualError(t, err, want)
}
