package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"booking/functions/cmd/rush/internal/client"
	"booking/functions/cmd/rush/internal/load"
	"booking/functions/cmd/rush/internal/report"
	"booking/seatlock"
	"booking/seatlock/oracle"
)

// preparation is what rush does before the on-sale: it puts the event and blocks seats. The
// zero preparation has put none.
type preparation struct {
	client *client.Client
	event  client.Event
	etag   string // of event

	opening               time.Time // by the clock of Redis; the zero Time: the event is on sale at once
	closedUntil, openFrom time.Time // by the clock of rush
}

// prepare checks the service. If rush is to put the event, it puts it and blocks seats.
func prepare(ctx context.Context, address string, o *options) (*preparation, error) {
	p := &preparation{client: client.New(address, o.event, 1, 0)}
	p.client.Tokens = o.tokens
	if err := checkTarget(ctx, p.client, address, o); err != nil || !o.put {
		return p, err
	}
	p.event = client.Event{Title: "on-sale simulation", Plan: o.seatPlan, HoldTTL: o.buyers.Hold.String()}
	if n := len(o.hall.Places); n > 0 {
		p.event.Areas = []client.Area{{ID: load.Area, Capacity: n}}
	}
	var err error
	if p.etag, err = p.client.CreateEvent(ctx, p.event); err != nil {
		return p, usageErrorf("%s does not accept the event: %v; %s", address, err, fixFor(err))
	}
	for seats := range slices.Chunk(o.blockedSeats, seatlock.MaxBlockSeats) {
		if err := p.must(ctx, oracle.Block, seats, load.Channel); err != nil {
			return p, err
		}
	}
	return p, nil
}

// must makes a call that has to be Done.
func (p *preparation) must(ctx context.Context, op oracle.Op, seats []string, user string) error {
	call := p.client.Send(ctx, oracle.Call{Op: op, Seats: slices.Clone(seats), User: user}, p.client.Now())
	switch {
	case call.Op == "":
		return ctx.Err()
	case call.Status == 0:
		return usageErrorf("the %s before the on-sale got no answer; run rush again when the service answers", op)
	case call.Outcome != oracle.Done:
		err := client.StatusError{Method: http.MethodPost, Path: "/" + string(op), Status: call.Status, Code: call.Code}
		return usageErrorf("the %s before the on-sale failed: %v; %s", op, err, fixFor(err))
	}
	return nil
}

// openAfter puts the event again, so that its sale opens that long from now by the clock of
// Redis. It learns that clock from a hold of a seat, which it releases.
func (p *preparation) openAfter(ctx context.Context, seat string, after time.Duration) error {
	if err := p.must(ctx, oracle.Reserve, []string{seat}, load.Auditor); err != nil {
		return err
	}
	calls := p.client.Log.Calls()
	hold := calls[len(calls)-1]
	if err := p.must(ctx, oracle.Release, []string{seat}, load.Auditor); err != nil {
		return err
	}
	now := hold.Deadline.Add(-hold.Hold) // of the hold, by the clock of Redis, rounded down to milliseconds
	wait := after + p.client.Now() - hold.Sent
	p.opening = now.Add(wait).Truncate(time.Millisecond)
	wait = p.opening.Sub(now)
	// The two clocks may drift apart meanwhile.
	drift := 2*time.Millisecond + wait/1000
	p.closedUntil = p.client.Start().Add(hold.Sent + wait - time.Millisecond - drift)
	p.openFrom = p.client.Start().Add(hold.Answered + wait + drift)
	p.event.OnSaleAt = p.opening
	if err := p.client.ReplaceEvent(ctx, p.event, p.etag); err != nil {
		return usageErrorf("the service does not accept when the sale opens: %v; %s", err, fixFor(err))
	}
	return nil
}

// result returns what was put. Its times are by a clock that was 0 at start.
func (p *preparation) result(o *options, start time.Time) load.Event {
	if !o.put {
		return load.Event{}
	}
	e := load.Event{HoldTime: o.buyers.Hold, Blocked: o.blockedSeats}
	if !p.opening.IsZero() {
		e.Opening = oracle.Opening{At: p.opening, ClosedUntil: p.closedUntil.Sub(start), OpenFrom: p.openFrom.Sub(start)}
	}
	earlier := p.client.Start().Sub(start)
	for _, c := range p.client.Log.Calls() {
		if c.Op == oracle.Block {
			c.Sent += earlier
			c.Answered += earlier
			e.Calls = append(e.Calls, c.Call)
		}
	}
	return e
}

// describe returns what was put, for the report; nil if nothing was.
func describe(o *options, e load.Event) *report.Put {
	if !o.put {
		return nil
	}
	put := &report.Put{HoldSeconds: e.HoldTime.Seconds(), Blocked: len(e.Blocked), Places: len(o.hall.Places)}
	if put.Blocked > 0 {
		put.Channel = load.Channel
	}
	if !e.Opening.At.IsZero() {
		put.OnSaleAt, put.OnSaleAfter = &e.Opening.At, ((e.Opening.ClosedUntil + e.Opening.OpenFrom) / 2).Seconds()
	}
	return put
}

// eventText names the event, and says what rush puts of it.
func (o *options) eventText() string {
	var parts []string
	if o.put {
		parts = append(parts, fmt.Sprintf(", put by rush, hold time %v", o.buyers.Hold))
	}
	if o.onSaleAfter > 0 {
		parts = append(parts, fmt.Sprintf(", opens after %v", o.onSaleAfter))
	}
	if n := len(o.blockedSeats); n > 0 {
		parts = append(parts, fmt.Sprintf(", %s seats blocked", report.Count(n)))
	}
	return o.event + strings.Join(parts, "")
}

// deleteEvent deletes the event and its sales. While seats are held, it waits for the end of
// their holds, unless ctx ends.
func (p *preparation) deleteEvent(ctx context.Context, o *options, stderr io.Writer) error {
	begun := p.client.Now()
	for {
		err := p.client.DeleteEvent(ctx)
		if err == nil {
			fmt.Fprintf(stderr, "The event %s and its sales are deleted.\n", o.event)
			return nil
		}
		var status client.StatusError
		again := errors.As(err, &status) && (status.Code == "event_has_holds" || status.Status >= 500)
		if !again || p.client.Now() > begun+o.buyers.Hold+checkTimeout || !p.client.Sleep(ctx, p.client.Now()+time.Second) {
			return fmt.Errorf("the event %s is not deleted: %w; send DELETE /events/%s?sales=discard again", o.event, err, o.event)
		}
	}
}
