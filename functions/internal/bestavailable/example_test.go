package bestavailable_test

import (
	"fmt"
	"slices"

	"booking/functions/internal/bestavailable"
	"booking/functions/internal/plan"
)

func ExampleIndex_Find() {
	p, _ := plan.ParseShort("1-2:A-G")
	x := bestavailable.New(p)
	x.Load(slices.Values([]string{"1D", "1E"})) // the view's seats that are not Available

	found, _ := x.Find(bestavailable.Request{Quantity: 2})
	for _, candidate := range found {
		fmt.Println(candidate.SeatIDs)
	}

	x.Set([]string{"1F", "1G"}, false) // a change of the view
	found, _ = x.Find(bestavailable.Request{Quantity: 2})
	fmt.Println("then", found[0].SeatIDs)

	_, err := x.Find(bestavailable.Request{Quantity: 8})
	fmt.Println(err)
	// Output:
	// [1F 1G]
	// [2C 2D]
	// [2A 2B]
	// then [2C 2D]
	// bestavailable: no adjacent seats; ask for fewer, or for seats apart
}
