// Package bestavailable ranks the free seats of a plan. It finds the best group of seats for a
// buyer who doesn't choose them, in microseconds, also in a hall of 100,000 seats that is
// almost sold.
//
// An Index knows which seats are free: neither held, sold nor blocked. Its owner keeps it up to
// date with Index.Load and Index.Set, from a seatlock.View. Index.Find returns groups as
// candidates, the best first. It reserves nothing: another buyer may get a candidate's seats
// first. The next candidate has no seat in common with it. Index.Take also marks the seats of the
// best candidate as taken, so other calls of the process don't choose them.
//
// # Order
//
// Groups are ranked by the plan's order of zones, then of rows, then by how far their middle is
// from the middle of the row. Of two at the same distance, the one that begins earlier is better.
// Within a category, groups that leave fewer single seats come before all others.
//
// # Adjacent seats
//
// Two seats are adjacent if they are next to one another in a row, and no aisle is between
// them. A row is read by its positions: an aisle is a gap of more than 1.75 times the row's usual
// spacing, the median; the zone's if the row has at most three seats. The row's middle is
// halfway from its first seat to its last. A row without positions, and each row of the short
// form, has no aisles.
//
// # Categories
//
// A request that names a category gets seats of that category. One that names none gets any
// seats but accessible ones. The seats of an adjacent group are then of one category, which is
// one price, unless only mixed groups are free. A category is accessible if its name says so, like
// "Wheelchair". See Accessible.
//
// # Single seats
//
// A group leaves a single seat if a free seat loses its last free neighbor: the seats beside it
// are then taken, or it is at an aisle or at the row's end. Few buyers want a single seat.
// A candidate of two or more seats leaves no more single seats if other candidates are taken, too.
//
// # General admission
//
// The places of an area are all the same. Its candidates begin at a random place, which
// Request.Seed chooses.
package bestavailable

import (
	"errors"
	"fmt"
)

const (
	// MaxQuantity limits the seats of a request.
	MaxQuantity = 10
	// MaxCandidates is how many candidates Find returns at most.
	MaxCandidates = 8
	// MaxSpread is the largest Request.Spread that has an effect.
	MaxSpread = 64
)

// Request says which seats a buyer wants.
type Request struct {
	Quantity int    // 1 to MaxQuantity
	Category string // empty: any category that is not accessible
	Zone     string // the zone's name, as in plan.Seat; empty: any
	Area     string // an area's ID: its places instead of drawn seats. Then leave Zone empty
	Apart    bool   // seats that are not adjacent are better than none

	// Spread is among how many of the best groups Seed chooses; 0 and 1 mean the best one
	// always. Calls at the same time want the same seats, and all but one of them fail. So let
	// their Seeds differ, and their Spread grow with their number: with Take, with the number
	// of processes. A group that is chosen is at most Spread-1 ranks below the best.
	Spread int
	Seed   uint64
}

// Candidate is a group of free seats.
type Candidate struct {
	SeatIDs  []string // Request.Quantity seats, in the order of their row
	Adjacent bool     // false for the places of an area
}

// ErrQuantity is the error of a Request.Quantity that is not from 1 to MaxQuantity.
var ErrQuantity = errors.New("bestavailable: quantity out of range; want 1 to 10")

// ErrNoRows is the error if the plan has no drawn seats, and the request names no area.
var ErrNoRows = errors.New("bestavailable: the plan has no rows of seats; name an area")

// ErrSoldOut is the error if fewer seats are free than the request wants, in its category and
// zone or area.
var ErrSoldOut = errors.New("bestavailable: fewer seats are free than requested")

// NotAdjacentError is the error if enough seats are free, but too few next to one another.
type NotAdjacentError struct {
	LargestBlock int // how many adjacent seats are free at most, from 1
}

// Error implements error.
func (e *NotAdjacentError) Error() string {
	return "bestavailable: no adjacent seats; ask for fewer, or for seats apart"
}

// UnknownError is the error if a request names a category, zone or area that the plan's rows do
// not have, or a zone or another category with an area.
type UnknownError struct {
	Member string // category, zone or area
	Name   string
}

// Error implements error.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("bestavailable: there are no seats of %s %q", e.Member, e.Name)
}
