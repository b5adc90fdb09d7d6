package seatplan_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"booking/functions/internal/seatplan"
	"booking/seatlock"
)

func TestParse_ReadsSections(t *testing.T) {
	t.Parallel()
	p, err := seatplan.Parse("1-12:A-H,BOX:1-2,s-t:x")
	require.NoError(t, err)
	rows := p.Rows()
	require.Len(t, rows, 15)
	require.Equal(t, seatplan.Row{Label: "12", SeatIDs: []string{"12A", "12B", "12C", "12D", "12E", "12F", "12G", "12H"}}, rows[11])
	require.Equal(t, seatplan.Row{Label: "BOX", SeatIDs: []string{"BOX1", "BOX2"}}, rows[12])
	require.True(t, p.Has("1A"))
	require.True(t, p.Has("tx"))
	for _, none := range []string{"13A", "1I", "1a", "", "BOX3"} {
		require.False(t, p.Has(none), none)
	}
}

func TestParse_EmptyPlanHasEverySeat(t *testing.T) {
	t.Parallel()
	p, err := seatplan.Parse("")
	require.NoError(t, err)
	require.True(t, p.Has("any"))
	require.Empty(t, p.Rows())
}

func TestParse_NamesPositionOfFault(t *testing.T) {
	t.Parallel()
	for plan, want := range map[string]string{
		"1-12":            `at character 1, "1-12": want ROWS:SEATS`,
		"1-2:A-B,":        `at character 9, "": want ROWS:SEATS`,
		"1-2:A-B,3-1:A":   `at character 9, "3-1:A": rows "3-1": want the lower end first`,
		"1-2:A-3":         `at character 1, "1-2:A-3": seats "A-3": want a range`,
		"1-2:A-B,2:B":     `at character 9, "2:B": 2B occurs twice`,
		"1-999999:A":      `want the lower end first, and fewer than 100000 names`,
		"1-400:1-400":     `occurs twice`, // row 1, seat 11 and row 11, seat 1 are both 111
		"A-Z:1-9000":      `more than 100000 seats`,
		"1 2:A":           `rows "1 2": want a range like 1-12 or A-H, or a name`,
		"1-2-3:A":         `want a range`,
		"é:A":             `want a range`,
		"ROW:" + longName: `can't be a seat_id`,
	} {
		_, err := seatplan.Parse(plan)
		require.ErrorContains(t, err, want, plan)
	}
}

const longName = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

// Each seat of a plan has a valid id, so that clients can reserve it.
func FuzzParse(f *testing.F) {
	f.Add("1-12:A-H")
	f.Add("1-2:A-B,BOX:1-4")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := seatplan.Parse(s)
		if err != nil {
			return
		}
		for _, row := range p.Rows() {
			for _, id := range row.SeatIDs {
				require.True(t, seatlock.ValidID(id))
				require.True(t, p.Has(id))
			}
		}
	})
}
