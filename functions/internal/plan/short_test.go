package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"booking/functions/internal/plan"
	"booking/seatlock"
)

func parseShort(t testing.TB, text string) *plan.Plan {
	t.Helper()
	p, err := plan.ParseShort(text)
	require.NoError(t, err)
	return p
}

func TestParseShort_ReadsSections(t *testing.T) {
	t.Parallel()
	p := parseShort(t, "1-12:A-H,BOX:1-2,s-t:x")
	rows := p.Rows()
	require.Len(t, rows, 15)
	require.Equal(t, plan.Row{Label: "12", SeatIDs: []string{"12A", "12B", "12C", "12D", "12E", "12F", "12G", "12H"}}, rows[11])
	require.Equal(t, plan.Row{Label: "BOX", SeatIDs: []string{"BOX1", "BOX2"}}, rows[12])
	require.Equal(t, 12*8+4, p.Len())
	require.True(t, p.Has("1A"))
	require.True(t, p.Has("tx"))
	for _, none := range []string{"13A", "1I", "1a", "", "BOX3"} {
		require.False(t, p.Has(none), none)
	}
}

func TestParseShort_ReadsBraces(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]plan.Row{
		"STALLS-{A-B}-{9-11}": {{Label: "STALLS-A", SeatIDs: []string{"STALLS-A-9", "STALLS-A-10", "STALLS-A-11"}},
			{Label: "STALLS-B", SeatIDs: []string{"STALLS-B-9", "STALLS-B-10", "STALLS-B-11"}}},
		"{1-2}:{1-2}":          {{Label: "1", SeatIDs: []string{"1:1", "1:2"}}, {Label: "2", SeatIDs: []string{"2:1", "2:2"}}},
		"BOX{1-2}":             {{Label: "BOX", SeatIDs: []string{"BOX1", "BOX2"}}},
		"{1-3}":                {{Label: "", SeatIDs: []string{"1", "2", "3"}}},
		"{a}.{x-y}":            {{Label: "a", SeatIDs: []string{"a.x", "a.y"}}},
		"R{09-10}-{1-1}":       {{Label: "R09", SeatIDs: []string{"R09-1"}}, {Label: "R10", SeatIDs: []string{"R10-1"}}},
		"{1-2}-{8-010}-left":   {{Label: "1", SeatIDs: []string{"1-008-left", "1-009-left", "1-010-left"}}, {Label: "2", SeatIDs: []string{"2-008-left", "2-009-left", "2-010-left"}}},
		"{A-B}{1-2}-{5-5},1:A": {{Label: "A1", SeatIDs: []string{"A1-5"}}, {Label: "A2", SeatIDs: []string{"A2-5"}}, {Label: "B1", SeatIDs: []string{"B1-5"}}, {Label: "B2", SeatIDs: []string{"B2-5"}}, {Label: "1", SeatIDs: []string{"1A"}}},
	} {
		require.Equal(t, want, parseShort(t, text).Rows(), text)
	}
}

func TestParseShort_PlacesSeatsInAGrid(t *testing.T) {
	t.Parallel()
	seats := slices.Collect(parseShort(t, "1:A-B,BOX-{1-2}").Seats())
	require.Equal(t, []plan.Seat{
		{ID: "1A", Row: "1", Number: "A"},
		{ID: "1B", Row: "1", Number: "B", X: 1},
		{ID: "BOX-1", Row: "BOX", Number: "1", Y: 1},
		{ID: "BOX-2", Row: "BOX", Number: "2", X: 1, Y: 1},
	}, seats)
}

func TestParseShort_ReadsRangesToTheirEnds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		seats       int
		first, last string
	}{
		"A-Z:1":          {26, "A1", "Z1"},
		"a-z:1":          {26, "a1", "z1"},
		"0-9:A":          {10, "0A", "9A"},
		"7-7:B-B":        {1, "7B", "7B"},
		"1-100000:A":     {plan.MaxSeats, "1A", "100000A"},
		"{1-10}-{08-11}": {40, "1-08", "10-11"},
	} {
		p := parseShort(t, text)
		require.Equal(t, want.seats, p.Len(), text)
		require.Equal(t, want.first, p.ID(0), text)
		require.Equal(t, want.last, p.ID(p.Len()-1), text)
	}
}

func TestParseShort_EmptyPlanHasEverySeat(t *testing.T) {
	t.Parallel()
	p := parseShort(t, "")
	require.Nil(t, p)
	require.True(t, p.Has("any"))
	require.Empty(t, p.Rows())
}

func TestParseShort_SaysWhatToWrite(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 63)
	for text, want := range map[string]string{
		"1-12":               `at character 1, "1-12": want ROWS:SEATS, like 1-12:A-H, or braces, like STALLS-{A-H}-{1-30}`,
		"1-2:A-B,":           `at character 9, "": want ROWS:SEATS, like 1-12:A-H, or braces, like STALLS-{A-H}-{1-30}`,
		"1-2:A-B,3-1:A":      `at character 9, "3-1:A": rows "3-1": want the lower end first, and at most 100000 names`,
		"1-2:A-3":            `at character 1, "1-2:A-3": seats "A-3": want a range like 1-12 or A-H, or a name`,
		"1-2:A-B,2:B":        `at character 9, "2:B": 2B occurs twice; name each seat once`,
		"1-100001:A":         `at character 1, "1-100001:A": rows "1-100001": want the lower end first, and at most 100000 names`,
		"@-B:1":              `at character 1, "@-B:1": rows "@-B": want a range like 1-12 or A-H, or a name`,
		"Y-[:1":              `at character 1, "Y-[:1": rows "Y-[": want a range like 1-12 or A-H, or a name`,
		"AB-C:1":             `at character 1, "AB-C:1": rows "AB-C": want a range like 1-12 or A-H, or a name`,
		"1-B:1":              `at character 1, "1-B:1": rows "1-B": want a range like 1-12 or A-H, or a name`,
		"1-999999:A":         `at character 1, "1-999999:A": rows "1-999999": want the lower end first, and at most 100000 names`,
		"1-40:1-50":          `at character 1, "1-40:1-50": 111 is both row 1, seat 11 and row 11, seat 1; separate them with braces, like {1-40}-{1-50}`,
		"BO:X1,B:OX1":        `at character 7, "B:OX1": BOX1 occurs twice; name each seat once`,
		"{1-40}{1-50}":       `at character 1, "{1-40}{1-50}": 111 is both row 1, seat 11 and row 11, seat 1; separate them with braces, like {1-40}-{1-50}`,
		"{1-11}1{1-11}":      `at character 1, "{1-11}1{1-11}": 1111 is both row 11, seat 11 and row 111, seat 1; separate them with braces, like {1-11}1-{1-11}`,
		"{1-40}{1-50}-{1-2}": `at character 1, "{1-40}{1-50}-{1-2}": 111-1 occurs twice; separate the ranges, like {1-40}-{1-50}-{1-2}`,
		"A-{1-2},A-{2-3}":    `at character 9, "A-{2-3}": A-2 occurs twice; name each seat once`,
		"A-Z:1-9000":         `at character 1, "A-Z:1-9000": more than 100000 seats; split the plan into several events`,
		"{A-Z}{A-Z}-{1-999}": `at character 1, "{A-Z}{A-Z}-{1-999}": more than 100000 seats; split the plan into several events`,
		"1 2:A":              `at character 1, "1 2:A": rows "1 2": want a range like 1-12 or A-H, or a name`,
		"1-2-3:A":            `at character 1, "1-2-3:A": rows "1-2-3": want a range like 1-12 or A-H, or a name`,
		"é:A":                `at character 1, "é:A": rows "é": want a range like 1-12 or A-H, or a name`,
		"R:x" + long:         `at character 1, "R:x` + long[:61] + `"…: "Rx` + long[:62] + `"… can't be a seat_id; want 1 to 64 characters of A-Z a-z 0-9 . _ : -`,
		"ROW {1-2}":          `at character 1, "ROW {1-2}": "ROW 1" can't be a seat_id; want 1 to 64 characters of A-Z a-z 0-9 . _ : -`,
		"STALLS-{A,B}-{1-3}": `at character 1, "STALLS-{A": a { has no }; want one range in each pair of braces, like STALLS-{A-H}-{1-30}; write {A,B} as two sections`,
		"{{A-B}}-{1-3}":      `at character 1, "{{A-B}}-{1-3}": a { has no }; want one range in each pair of braces, like STALLS-{A-H}-{1-30}; write {A,B} as two sections`,
		"A-H}-{1-3}":         `at character 1, "A-H}-{1-3}": a } has no {; want a pair around each range, like STALLS-{A-H}-{1-30}`,
		"{1-3}}":             `at character 1, "{1-3}}": a } has no {; want a pair around each range, like STALLS-{A-H}-{1-30}`,
		"A-{}":               `at character 1, "A-{}": braces "": want a range like 1-12 or A-H, or a name`,
		"A-{1..30}-{1:3}é":   `at character 1, "A-{1..30}-{1:3}é": "A-1..30-1:3é" can't be a seat_id; want 1 to 64 characters of A-Z a-z 0-9 . _ : -`,
	} {
		p, err := plan.ParseShort(text)
		require.Nil(t, p, text)
		requireFault(t, err, want)
	}
}

// A plan of rows and seats with a separator is never ambiguous.
func TestParseShort_SeparatesRowAndSeat(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows, seats := rapid.IntRange(1, 200).Draw(t, "rows"), rapid.IntRange(1, 200).Draw(t, "seats")
		p, err := plan.ParseShort(fmt.Sprintf("{1-%d}-{1-%d}", rows, seats))
		require.NoError(t, err)
		require.Equal(t, rows*seats, p.Len())
		row, seat := rapid.IntRange(1, rows).Draw(t, "row"), rapid.IntRange(1, seats).Draw(t, "seat")
		require.True(t, p.Has(fmt.Sprintf("%d-%d", row, seat)))
		require.False(t, p.Has(fmt.Sprintf("%d-%d", row, seats+1)))
	})
}

// Each seat of a plan has a valid id, so that clients can reserve it.
func FuzzParseShort(f *testing.F) {
	f.Add("1-12:A-H")
	f.Add("1-2:A-B,BOX:1-4")
	f.Add("STALLS-{A-C}-{01-12},{1-2}{a}.{x-z}-left")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := plan.ParseShort(s)
		if err != nil {
			var fault *plan.Error
			require.ErrorAs(t, err, &fault)
			return
		}
		requireSound(t, p)
	})
}

// requireSound requires that Seats, Rows, Len and Has agree, and that each id is valid and
// unique.
func requireSound(t *testing.T, p *plan.Plan) {
	t.Helper()
	var ids, drawn []string
	for seat := range p.Seats() {
		if !seatlock.ValidID(seat.ID) || !p.Has(seat.ID) { // require.True is slow for 100,000 seats
			require.Fail(t, "the plan does not have its seat "+seat.ID)
		}
		ids = append(ids, seat.ID)
		if seat.Area == "" {
			drawn = append(drawn, seat.ID)
		}
	}
	var inRows []string
	for _, row := range p.Rows() {
		require.NotEmpty(t, row.SeatIDs)
		inRows = append(inRows, row.SeatIDs...)
	}
	require.Equal(t, drawn, inRows)
	require.Len(t, ids, p.Len())
	require.LessOrEqual(t, len(ids), plan.MaxSeats)
	slices.Sort(ids)
	require.Len(t, slices.Compact(ids), p.Len())
}
