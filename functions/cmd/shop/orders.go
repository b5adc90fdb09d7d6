package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
)

// State says what has happened to an order. steps has the next call of each state.
type State string

// The states of an order. Paid, Refunded and Canceled are final.
const (
	Open       State = "open"       // the buyer has pressed Buy
	Authorized State = "authorized" // the money is set aside
	Sold       State = "sold"       // the seats are the buyer's
	Paid       State = "paid"       // and the money is the shop's
	Exchanging State = "exchanging" // paid; the sale moves to other seats
	Returning  State = "returning"  // paid; the sale ends, and then the money goes back
	Returned   State = "returned"   // paid; the sale has ended
	Refunded   State = "refunded"   // no seats, no money
	Unpaid     State = "unpaid"     // sold, but the money can't be captured: the sale ends
	Refused    State = "refused"    // not sold; the money is still set aside
	Canceled   State = "canceled"   // no seats, no money
)

// Order is a purchase.
type Order struct {
	ID      string   `json:"id"` // the order_id of the sale, and the provider's key of the charge; of up to 50 characters
	User    string   `json:"user"`
	Seats   []string `json:"seats"`        // at most 10, as booking's calls have
	To      []string `json:"to,omitempty"` // the seats of the last exchange
	Amount  int      `json:"amount"`       // cents
	State   State    `json:"state"`
	Reason  string   `json:"reason,omitempty"` // the code of the last refusal
	Version int      `json:"version"`          // counts the states
}

// Key returns the Idempotency-Key of the order's call to booking. It remains the same until the
// answer is stored, also after a crash. The next call has another.
func (o Order) Key() string { return fmt.Sprintf("%s.%d", o.ID, o.Version) }

// Orders is a durable store of orders: a file with one line a version of an order. In a shop it
// is a table in its database, and Lock is SELECT … FOR UPDATE. One process may use the file.
type Orders struct {
	mu    sync.Mutex // guards all below
	file  *os.File
	byID  map[string]*entry
	fault error // the file may end with a part of a line
}

type entry struct {
	lock  sync.Mutex // of the order, while its calls are made
	order Order
}

// OpenOrders opens a file of orders, or creates it.
func OpenOrders(path string) (*Orders, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	s := &Orders{file: file, byID: map[string]*entry{}}
	if err := s.load(); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func (s *Orders) load() error {
	text, err := io.ReadAll(s.file)
	if err != nil {
		return err
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1] // a crash may have left a part of a line
	for line := range bytes.Lines(text) {
		var o Order
		if err := json.Unmarshal(line, &o); err != nil {
			return err
		}
		s.entry(o.ID).order = o
	}
	if err := s.file.Truncate(int64(len(text))); err != nil {
		return err
	}
	_, err = s.file.Seek(0, io.SeekEnd)
	return err
}

func (s *Orders) entry(id string) *entry {
	if s.byID[id] == nil {
		s.byID[id] = &entry{}
	}
	return s.byID[id]
}

// Lock makes others wait who lock the same order, until unlock. It returns the order, the zero
// Order if there is none.
func (s *Orders) Lock(id string) (o Order, unlock func()) {
	s.mu.Lock()
	e := s.entry(id)
	s.mu.Unlock()
	e.lock.Lock()
	return e.order, e.lock.Unlock // others only read it while it is locked
}

// Get returns an order, the zero Order if there is none.
func (s *Orders) Get(id string) Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byID[id]; e != nil {
		return e.order
	}
	return Order{}
}

// Put stores the order, which is locked, as its next version. It is on disk when Put returns.
func (s *Orders) Put(o *Order) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		return s.fault
	}
	o.Version++
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if _, err = s.file.Write(append(line, '\n')); err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		s.fault = fmt.Errorf("%w; orders are not stored until the shop has read the file again", err)
		return s.fault
	}
	s.entry(o.ID).order = *o
	return nil
}

// All returns the orders by their id.
func (s *Orders) All() []Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Order
	for _, e := range s.byID {
		if e.order.State != "" {
			all = append(all, e.order)
		}
	}
	slices.SortFunc(all, func(a, b Order) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// Close closes the file.
func (s *Orders) Close() error { return s.file.Close() }
