// Command shop is an example of a shop's back end: it sells seats of booking for money. It
// prints a short story of purchases, crashes and refunds. Copy from it what you need:
//
//   - orders.go keeps the orders, in a file. A shop has a table for them.
//   - shop.go makes an order's calls, one after another: authorize, buy, capture.
//   - booking.go sends the calls to booking.
//   - reconcile.go compares the orders with booking's sales.
//   - receiver.go receives the changes that booking's relay sends, and reconciles if one of them is
//     a surprise.
//
// A shop that has crashed, at any point, calls Resume: then no seat is sold without a charge, and
// no charge is captured without a seat.
package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Shop sells seats of one event.
type Shop struct {
	Orders   *Orders
	Payments Payments
	Booking  *Booking
	Retry    time.Duration // between repeats of a call
	Timeout  time.Duration // of all calls of an order, and their repeats; later, Resume goes on
}

// Refusal is an answer that says no. Nothing has changed.
type Refusal struct {
	Code      string   // of booking, or of the payment provider
	Conflicts []string // the seats in the way
}

func (r *Refusal) Error() string { return "refused: " + r.Code }

// steps has the call that each state asks for, and the next states: after a yes, and after a no.
// If there is none after a no, a human must look at the order.
var steps = map[State]struct {
	call    func(*Shop, context.Context, *Order) error
	yes, no State
}{
	Open:       {(*Shop).authorize, Authorized, Canceled},
	Authorized: {(*Shop).buy, Sold, Refused},
	Sold:       {(*Shop).capture, Paid, Unpaid},
	Exchanging: {(*Shop).exchange, Paid, Paid},
	Returning:  {(*Shop).returnSeats, Returned, Returning},
	Returned:   {(*Shop).refund, Refunded, ""},
	Unpaid:     {(*Shop).returnSeats, Refused, Unpaid},
	Refused:    {(*Shop).void, Canceled, ""},
}

// Checkout sells the seats that the user holds. The page that shows the button Buy has the id:
// a double click, or a repeat after a lost answer, has the same id and gets the same order. The
// result is Paid, or Canceled with a Reason. An error means: not yet; Resume goes on.
func (s *Shop) Checkout(ctx context.Context, id, user string, seats []string, cents int) (Order, error) {
	return s.update(ctx, id, func(o *Order) bool {
		isNew := o.State == ""
		if isNew {
			*o = Order{ID: id, User: user, Seats: seats, Amount: cents, State: Open}
		}
		return isNew
	})
}

// Refund ends the sale of an order that is paid, and gives the money back.
func (s *Shop) Refund(ctx context.Context, id string) (Order, error) {
	return s.update(ctx, id, func(o *Order) bool {
		paid := o.State == Paid
		if paid {
			o.State = Returning
		}
		return paid
	})
}

// Exchange moves the sale of an order to other seats, at the same price. If booking refuses, the
// order has its seats, and a Reason.
func (s *Shop) Exchange(ctx context.Context, id string, to []string) (Order, error) {
	return s.update(ctx, id, func(o *Order) bool {
		moves := o.State == Paid && !slices.Equal(o.Seats, to)
		if moves {
			o.State, o.To = Exchanging, to
		}
		return moves
	})
}

// Resume goes on with each order that is not final. Call it after a start, and then now and then.
func (s *Shop) Resume(ctx context.Context) error {
	var faults []error
	for _, o := range s.Orders.All() {
		if _, open := steps[o.State]; open {
			_, err := s.update(ctx, o.ID, func(*Order) bool { return false })
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// update makes an order final, changes it, and makes it final again. change reports whether it has
// changed the order; the order is zero if there is none.
func (s *Shop) update(ctx context.Context, id string, change func(*Order) bool) (Order, error) {
	o, unlock := s.Orders.Lock(id)
	defer unlock()
	err := s.advance(ctx, &o)
	if err == nil && change(&o) {
		if err = s.Orders.Put(&o); err == nil { // the intent is on disk before the first call
			err = s.advance(ctx, &o)
		}
	}
	return o, err
}

// advance makes the calls that the order's state asks for, until it is final.
func (s *Shop) advance(ctx context.Context, o *Order) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	for {
		step, open := steps[o.State]
		if !open {
			return nil
		}
		next := step.yes
		err := s.repeat(ctx, func() error { return step.call(s, ctx, o) })
		if refusal := (*Refusal)(nil); errors.As(err, &refusal) && step.no != "" {
			next, o.Reason, err = step.no, refusal.Code, nil
		}
		if err != nil {
			return fmt.Errorf("order %s is %s: %w", o.ID, o.State, err)
		}
		o.State = next
		if err := s.Orders.Put(o); err != nil {
			return err
		}
	}
}

// repeat makes a call until it is answered yes or no. A 503, a lost answer and a timeout are no
// answer: the call may have had its effect.
func (s *Shop) repeat(ctx context.Context, call func() error) error {
	for {
		err := call()
		if refusal := (*Refusal)(nil); err == nil || errors.As(err, &refusal) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(s.Retry):
		}
	}
}

func (s *Shop) authorize(ctx context.Context, o *Order) error {
	return s.Payments.Authorize(ctx, o.ID, o.Amount)
}
func (s *Shop) capture(ctx context.Context, o *Order) error { return s.Payments.Capture(ctx, o.ID) }
func (s *Shop) void(ctx context.Context, o *Order) error    { return s.Payments.Void(ctx, o.ID) }
func (s *Shop) refund(ctx context.Context, o *Order) error  { return s.Payments.Refund(ctx, o.ID) }
func (s *Shop) buy(ctx context.Context, o *Order) error     { return s.Booking.Buy(ctx, *o) }

func (s *Shop) exchange(ctx context.Context, o *Order) error {
	err := s.Booking.Exchange(ctx, *o)
	if err == nil {
		o.Seats = o.To
	}
	return err
}

// returnSeats ends the sale. If it is refused, the seats in conflict are not this order's any
// more; the next call returns the others.
func (s *Shop) returnSeats(ctx context.Context, o *Order) error {
	if len(o.Seats) == 0 {
		return nil
	}
	err := s.Booking.Return(ctx, *o)
	if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
		o.Seats = slices.DeleteFunc(slices.Clone(o.Seats), func(seat string) bool {
			return refusal.Code != "not_returnable" || slices.Contains(refusal.Conflicts, seat)
		})
	}
	return err
}
