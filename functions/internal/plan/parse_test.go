package plan_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"booking/functions/internal/plan"
)

func TestParse_ReadsTheShortForm(t *testing.T) {
	t.Parallel()
	require.Equal(t, parseShort(t, "1-12:A-H").Rows(), parse(t, `"1-12:A-H"`).Rows())
	require.True(t, parse(t, ` "STALLS-{A-H}-{1-30}" `).Has("STALLS-H-30"))
}

func TestParse_ReadsATheatre(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/theatre.json")
	require.NoError(t, err)
	p := parse(t, string(raw))
	requireSound(t, p)
	require.Equal(t, 298, p.Len())
	require.Equal(t, []plan.Category{{"Stalls front", "#7f4a91"}, {"Stalls", "#5b8def"}, {"Wheelchair", "#3d9970"},
		{"Balcony", "#d99b2b"}, {"Restricted view", "#b0b0b0"}, {"Box", "#c0392b"}}, p.Categories())

	byID := map[string]plan.Seat{}
	zones := map[string]int{}
	for seat := range p.Seats() {
		byID[seat.ID] = seat
		zones[seat.Zone]++
	}
	require.Equal(t, map[string]int{"Stalls": 190, "First balcony": 42, "Second balcony": 42, "boxes": 24}, zones)
	require.Equal(t, plan.Seat{ID: "Stalls-A-9", Zone: "Stalls", Row: "A", Number: "9", Category: "Stalls front", X: 200 + 0 + 240, Y: 160 + 0 + 6}, byID["Stalls-A-9"])
	require.Equal(t, plan.Seat{ID: "B2-3-8", Zone: "Second balcony", Row: "3", Number: "8", Category: "Restricted view", X: 180 + 260 + 0, Y: 660 + 56 + 0}, byID["B2-3-8"])
	require.Equal(t, "Wheelchair", byID["Stalls-K-1"].Category)

	rows := p.Rows()
	require.Len(t, rows, 10+6+6+6)
	require.Equal(t, plan.Row{Label: "1", SeatIDs: []string{"B1-1-1", "B1-1-2", "B1-1-3", "B1-1-4", "B1-1-5", "B1-1-6", "B1-1-7"}}, rows[10])
	require.Equal(t, "B1-1-8", rows[11].SeatIDs[0], "the row goes on after the aisle")
}

func TestParse_ReadsLargeVenues(t *testing.T) {
	t.Parallel()
	for raw, seats := range map[string]int{string(arena()): 12_000, string(stadium()): plan.MaxSeats} {
		p := parse(t, raw)
		requireSound(t, p)
		require.Equal(t, seats, p.Len())
		require.True(t, p.Has("20-20-25"))
		require.False(t, p.Has("20-20-31"))
	}
}

func TestParse_IgnoresTheOrderOfMembers(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		`{"categories":[{"name":"A"},{"name":"B"}],"zones":[{"position":{"x":100,"y":200},"name":"Z","rows":[{"position":{"x":10,"y":20},"row_number":"R","seats":[{"position":{"x":1,"y":2},"seat_guid":"s","seat_number":"N","category":"B"}]}]}]}`,
		`{"zones":[{"rows":[{"seats":[{"category":"B","seat_number":"N","seat_guid":"s","position":{"y":2,"x":1}}],"row_number":"R","position":{"y":20,"x":10}}],"name":"Z","position":{"y":200,"x":100}}],"categories":[{"name":"A"},{"name":"B"}]}`,
	} {
		p := parse(t, raw)
		require.Equal(t, []plan.Seat{{ID: "s", Zone: "Z", Row: "R", Number: "N", Category: "B", X: 111, Y: 222}}, slices.Collect(p.Seats()))
		require.Equal(t, []plan.Category{{Name: "A"}, {Name: "B"}}, p.Categories())
	}
}

// What tools write, and what the published schema does not know.
func TestParse_Accepts(t *testing.T) {
	t.Parallel()
	seat := func(members string) string {
		return `{"zones":[{"rows":[{"seats":[{"seat_guid":"s"` + members + `}]}]}]}`
	}
	for name, test := range map[string]struct {
		raw  string
		want []plan.Seat
	}{
		"missing labels and positions": {seat(""), []plan.Seat{{ID: "s"}}},
		"null for what is optional":    {seat(`,"position":null,"seat_number":null,"category":null`), []plan.Seat{{ID: "s"}}},
		"null for a coordinate":        {seat(`,"position":{"x":null,"y":3}`), []plan.Seat{{ID: "s", Y: 3}}},
		"numbers as labels":            {seat(`,"seat_number":12,"category":1.5`), []plan.Seat{{ID: "s", Number: "12", Category: "1.5"}}},
		"negative and fractional":      {seat(`,"position":{"x":-1.5,"y":2e2}`), []plan.Seat{{ID: "s", X: -1.5, Y: 200}}},
		"the editor's empty category":  {seat(`,"category":""`), []plan.Seat{{ID: "s"}}},
		"any text as a label":          {seat(`,"seat_number":"Nº 1 \"a\"","uuid":"","rotation":[{"seat_guid":"s"}]`), []plan.Seat{{ID: "s", Number: `Nº 1 "a"`}}},
		"escapes in names and ids":     {`{"zones":[{"rows":[{"seats":[{"seat\u005fguid":"\u0041-1"}]}]}]}`, []plan.Seat{{ID: "A-1"}}},
		"a zone of drawings alone":     {`{"zones":[{"areas":[{"text":"Bar","seats":1}]},{"rows":[]},{"rows":null}]}`, nil},
		"a row without seats":          {`{"zones":[{"rows":[{"row_number":"1","seats":[]},{"row_number":"2","seats":[{"seat_guid":"s"}]}]}]}`, []plan.Seat{{ID: "s", Row: "2"}}},
		"a zone_id instead of a name":  {`{"zones":[{"zone_id":7,"name":"","rows":[{"seats":[{"seat_guid":"s"}]}]}]}`, []plan.Seat{{ID: "s", Zone: "7"}}},
		"unknown members":              {`{"$schema":"x","categories":[{"uuid":"u"},null],"backgroundImage":{"seats":[]},"zones":[{"rows":[{"skew":1,"position":{"z":1},"seats":[{"seat_guid":"s","wheelchair":true}]}]}]}`, []plan.Seat{{ID: "s"}}},
		"deep unknown members":         {`{"zones":[],"x":` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + `}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, slices.Collect(parse(t, test.raw).Seats()))
		})
	}
}

func TestParse_NoPlanHasEverySeat(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", " ", "null", " null "} {
		p := parse(t, raw)
		require.Nil(t, p)
		require.True(t, p.Has("any"))
	}
}

func TestParse_CountsUnlistedCategoriesAsListed(t *testing.T) {
	t.Parallel()
	p := parse(t, `{"zones":[{"rows":[{"seats":[{"seat_guid":"1","category":"Box"},{"seat_guid":"2","category":"Stalls"},{"seat_guid":"3","category":""},
		{"seat_guid":"4","category":"Box"}]}]}],"categories":[{"name":"Stalls","color":"red"},{"name":"Stalls","color":"blue"},{"color":"green"},{"name":"Standing"}]}`)
	require.Equal(t, []plan.Category{{"Stalls", "red"}, {Name: "Standing"}, {Name: "Box"}}, p.Categories())
}

// guids returns a plan of one row with these seat_guids.
func guids(ids ...string) string {
	seats := make([]string, len(ids))
	for i, id := range ids {
		quoted, _ := json.Marshal(id)
		seats[i] = `{"seat_guid":` + string(quoted) + `}`
	}
	return `{"zones":[{"rows":[{"seats":[` + strings.Join(seats, ",") + `]}]}]}`
}

const wantID = "; want a seat_guid for each seat, used once, of 1 to 64 characters of A-Z a-z 0-9 . _ : -"

func TestParse_RefusesASeatTwice(t *testing.T) {
	t.Parallel()
	_, err := plan.Parse([]byte(guids("A-1", "A-2", "A-1")))
	requireFault(t, err, `plan.zones[0].rows[0].seats[2].seat_guid: "A-1" occurs twice`+wantID)
	_, err = plan.Parse([]byte(`{"zones":[{"rows":[]},{"rows":[{"seats":[]},{"seats":[{"seat_guid":"A-1"}]}]},{"rows":[{"seats":[{"seat_guid":"A-1"}]}]}]}`))
	requireFault(t, err, `plan.zones[2].rows[0].seats[0].seat_guid: "A-1" occurs twice`+wantID)
}

func TestParse_RefusesWhatIsNoID(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 65)
	for id, want := range map[string]string{
		"": "is missing or empty", " ": `" " is not an id`, "A 1": `"A 1" is not an id`, "А-1": `"А-1" is not an id`, // a Cyrillic А
		"{A}": `"{A}" is not an id`, "A\n1": `"A\n1" is not an id`, long: `"` + long[:64] + `"… is not an id`,
	} {
		_, err := plan.Parse([]byte(guids("ok", id)))
		requireFault(t, err, "plan.zones[0].rows[0].seats[1].seat_guid: "+want+wantID)
	}
	_, err := plan.Parse([]byte(`{"zones":[{"rows":[{"seats":[{},null,{"seat_guid":null}]}]}]}`))
	requireFault(t, err, "plan.zones[0].rows[0].seats[0].seat_guid: is missing or empty; plan.zones[0].rows[0].seats[1].seat_guid: is missing or empty; "+
		"plan.zones[0].rows[0].seats[2].seat_guid: is missing or empty"+wantID)
}

func TestParse_ShowsFiveFaultsAndTheNumberOfOthers(t *testing.T) {
	t.Parallel()
	_, err := plan.Parse([]byte(guids("A", "A", "", "B C", "A", "ok", "A", "A", "", "A")))
	at := func(n int) string { return fmt.Sprintf("plan.zones[0].rows[0].seats[%d].seat_guid: ", n) }
	requireFault(t, err, at(1)+`"A" occurs twice; `+at(2)+`is missing or empty; `+at(3)+`"B C" is not an id; `+
		at(4)+`"A" occurs twice; `+at(6)+`"A" occurs twice; and 3 more`+wantID)
}

func TestParse_NamesThePlaceOfAFault(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`5`:                        `plan: is a number; want a string like "1-12:A-H", or an object with zones`,
		`[]`:                       `plan: is an array; want a string like "1-12:A-H", or an object with zones`,
		`true`:                     `plan: is true; want a string like "1-12:A-H", or an object with zones`,
		`""`:                       `plan: is empty; want seats like 1-12:A-H, or no plan if every seat id can be booked`,
		`"1-40:1-50"`:              `plan: at character 1, "1-40:1-50": 111 is both row 1, seat 11 and row 11, seat 1; separate them with braces, like {1-40}-{1-50}`,
		`{}`:                       `plan.zones: is missing; want an array of zones`,
		`{"zones":{}}`:             `plan.zones: is an object; want an array of zones`,
		`{"zones":["A"]}`:          `plan.zones[0]: is a string; want an object with rows`,
		`{"zones":[{"row":[]}]}`:   `plan.zones[0].rows: is missing; want an array of rows`,
		`{"zones":[{"rows":"1"}]}`: `plan.zones[0].rows: is a string; want an array of rows`,
		`{"zones":[{"rows":[{"seats":[]},{"seat":[]}]}]}`:                               `plan.zones[0].rows[1].seats: is missing; want an array of seats`,
		`{"zones":[{"rows":[null]}]}`:                                                   `plan.zones[0].rows[0].seats: is missing; want an array of seats`,
		`{"zones":[{"rows":[{"seats":[1]}]}]}`:                                          `plan.zones[0].rows[0].seats[0]: is a number; want an object with a seat_guid`,
		`{"zones":[{"rows":[{"seats":[{"seat_guid":17}]}]}]}`:                           `plan.zones[0].rows[0].seats[0].seat_guid: is a number; want a string`,
		`{"zones":[{"rows":[{"seats":[{"seat_guid":["a"]}]}]}]}`:                        `plan.zones[0].rows[0].seats[0].seat_guid: is an array; want a string`,
		`{"zones":[{"rows":[{"seats":[{"seat_guid":"a","category":{}}]}]}]}`:            `plan.zones[0].rows[0].seats[0].category: is an object; want a string`,
		`{"zones":[{"rows":[{"row_number":false}]}]}`:                                   `plan.zones[0].rows[0].row_number: is false; want a string`,
		`{"zones":[{"position":[1,2]}]}`:                                                `plan.zones[0].position: is an array; want an object like {"x":30,"y":60}`,
		`{"zones":[{"position":{"x":"1"}}]}`:                                            `plan.zones[0].position.x: is a string; want a number from -1000000000 to 1000000000`,
		`{"zones":[{"position":{"x":1e999}}]}`:                                          `plan.zones[0].position.x: is 1e999; want a number from -1000000000 to 1000000000`,
		`{"zones":[{"position":{"y":-1000000001}}]}`:                                    `plan.zones[0].position.y: is -1000000001; want a number from -1000000000 to 1000000000`,
		`{"categories":["A"],"zones":[]}`:                                               `plan.categories[0]: is a string; want an object like {"name":"Stalls","color":"#7f4a91"}`,
		`{"zones":[],"zones":[]}`:                                                       `plan.zones: is there twice; want each member once`,
		`{"zones":[{"rows":[{"seats":[{"seat_guid":"a","seat_guid":"b"}]}]}]}`:          `plan.zones[0].rows[0].seats[0].seat_guid: is there twice; want each member once`,
		`{"zones":[]} {}`:                                                               `plan: has more than one JSON value; want one`,
		`{"zones":[{"rows":[{"seats":[` + strings.Repeat(" ", plan.MaxBytes) + `]}]}]}`: `plan: has 16777251 bytes; want at most 16777216`,
		string(venue("Too large", 1, 1, 100_001)):                                       `plan: has more than 100000 seats; split the plan into several events`,
	} {
		p, err := plan.Parse([]byte(raw))
		require.Nil(t, p)
		requireFault(t, err, want)
	}
}

func TestParse_RefusesInvalidJSON(t *testing.T) {
	t.Parallel()
	for raw, place := range map[string]string{
		`{`: "plan", `x`: "plan", `"1-2`: "plan", `{"zones":[{"rows":[}`: "plan.zones[0].rows[0]", `{"zones":[1,`: "plan.zones[0]", `{"zones":[]`: "plan",
		`{1:2}`: "plan", `{"zones":[],"a":{"b":[tru]}}`: "plan.a.b[0]", "{\"zones\":[],\"a\":\"\xff\"}": "plan.a", `{"zones":[]}]`: "plan",
	} {
		p, err := plan.Parse([]byte(raw))
		require.Nil(t, p)
		var fault *plan.Error
		require.ErrorAs(t, err, &fault)
		require.Equal(t, place, fault.Place, raw)
	}
}

func TestParse_RefusesDeepNesting(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`[`, 1_000_000)
	objects := strings.Repeat(`{"a":`, 1_000_000)
	for _, raw := range []string{
		deep, objects, `{"a":` + deep, `{"zones":` + deep, `{"zones":[{"rows":[{"seats":[{"seat_guid":"a","x":` + objects, `{"zones":[{"areas":` + deep, `{"zones":[{"position":` + deep,
	} {
		_, err := plan.Parse([]byte(raw))
		var fault *plan.Error
		require.ErrorAs(t, err, &fault)
		require.Contains(t, fault.Text, "exceeded max depth")
		require.Less(t, len(err.Error()), 500)
	}
}

// A long text in a plan does not make a long error, because answers and logs show it.
func TestParse_ShortensLongTexts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x ", 1_000_000)
	for _, raw := range []string{
		guids(long, long, long, long, long, long), `"` + long + `"`, `{"zones":[{"position":{"x":1` + strings.Repeat("0", 1_000_000) + `}}]}`, `{"` + long + `":1,"` + long + `":2}`,
	} {
		_, err := plan.Parse([]byte(raw))
		var fault *plan.Error
		require.ErrorAs(t, err, &fault)
		require.Less(t, len(err.Error()), 1_000)
	}
}

func TestParse_DoesNotChangeItsInput(t *testing.T) {
	t.Parallel()
	raw := arena()
	before := bytes.Clone(raw)
	parse(t, string(raw))
	_, err := plan.Parse(raw)
	require.NoError(t, err)
	require.Equal(t, before, raw)
}

// document is a plan that encoding/json writes.
type document struct {
	Name       string          `json:"name"`
	Categories []plan.Category `json:"categories"`
	Zones      []zone          `json:"zones"`
}

type (
	zone struct {
		Name     string `json:"name"`
		Position point  `json:"position"`
		Rows     []row  `json:"rows"`
	}
	row struct {
		Number   string `json:"row_number"`
		Position *point `json:"position,omitempty"`
		Seats    []seat `json:"seats"`
	}
	seat struct {
		GUID     string `json:"seat_guid"`
		Number   string `json:"seat_number"`
		Position point  `json:"position"`
		Category string `json:"category"`
	}
	point struct {
		X int `json:"x"`
		Y int `json:"y"`
	}
)

// Any plan has the seats that were written, in the order in which they were written.
func TestParse_ReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	points := rapid.Custom(func(t *rapid.T) point {
		return point{rapid.IntRange(-5_000, 5_000).Draw(t, "x"), rapid.IntRange(-5_000, 5_000).Draw(t, "y")}
	})
	rapid.Check(t, func(t *rapid.T) {
		labels := rapid.SampledFrom([]string{"", "A", "10", "Loge 3", "Ä \"x\"", "\u2028"})
		d := document{Name: labels.Draw(t, "name")}
		var want []plan.Seat
		for range rapid.IntRange(0, 4).Draw(t, "zones") {
			z := zone{Name: labels.Draw(t, "zone"), Position: points.Draw(t, "position"), Rows: []row{}}
			for range rapid.IntRange(0, 4).Draw(t, "rows") {
				r := row{Number: labels.Draw(t, "row"), Seats: []seat{}}
				offset := z.Position
				if rapid.Bool().Draw(t, "row has position") {
					at := points.Draw(t, "position")
					r.Position = &at
					offset.X, offset.Y = offset.X+at.X, offset.Y+at.Y
				}
				for range rapid.IntRange(0, 5).Draw(t, "seats") {
					s := seat{GUID: fmt.Sprintf("s%d", len(want)), Number: labels.Draw(t, "number"), Position: points.Draw(t, "position"), Category: labels.Draw(t, "category")}
					r.Seats = append(r.Seats, s)
					want = append(want, plan.Seat{ID: s.GUID, Zone: z.Name, Row: r.Number, Number: s.Number, Category: s.Category,
						X: float64(offset.X + s.Position.X), Y: float64(offset.Y + s.Position.Y)})
				}
				z.Rows = append(z.Rows, r)
			}
			d.Zones = append(d.Zones, z)
		}
		raw, err := json.Marshal(d)
		require.NoError(t, err)
		if d.Zones == nil {
			return
		}
		p, err := plan.Parse(raw)
		require.NoError(t, err)
		require.Equal(t, want, slices.Collect(p.Seats()))
		require.Equal(t, len(want), p.Len())
	})
}

func FuzzParse(f *testing.F) {
	for _, raw := range []string{
		`"1-2:A-B"`, `null`, guids("A-1", "A-2"), guids("A", "A"), string(venue("Small", 2, 2, 2)),
		`{"categories":[{"name":"A"}],"zones":[{"zone_id":1,"areas":[],"rows":[{"row_number":1,"seats":[{"seat_guid":"\u0041","category":"B","position":{"x":1e9}}]}]}]}`,
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := plan.Parse(raw)
		if err != nil {
			var fault *plan.Error
			require.ErrorAs(t, err, &fault)
			require.NotEmpty(t, fault.Text)
			require.Nil(t, p)
			return
		}
		if p == nil {
			return
		}
		requireSound(t, p)
		for seat := range p.Seats() {
			require.False(t, math.IsInf(seat.X, 0) || math.IsNaN(seat.X))
		}
	})
}
