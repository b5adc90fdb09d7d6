// Package events is the function that puts events on sale: their sale windows, hold times,
// limits and plans.
package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/semaphore"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/functions/internal/plan"
	"booking/seatlock"
)

const (
	// listLimit is how many events GET /events returns at a time.
	listLimit = 100
	// countsAge limits the age of the counts.
	countsAge = 250 * time.Millisecond
	// maxArriving is how many bytes the bodies that are read at the same time may have. A body
	// whose length the client does not send counts as maxBody.
	maxArriving = 4 * maxBody
	// maxPuts is how many bodies are checked and written at the same time: each may have a plan
	// of 100,000 seats.
	maxPuts = 4
	// putWait is how long a PUT waits for either.
	putWait = 5 * time.Second
	// maxPutAttempts limits how often a PUT that keeps the plan is tried, because another PUT came
	// between.
	maxPutAttempts = 10
	// deleteTimeout limits a DELETE, which goes on when it is repeated.
	deleteTimeout = 20 * time.Second
)

// Locker is the part of seatlock.Locker that the function uses.
type Locker interface {
	catalog.Locker
	PutEvent(ctx context.Context, event string, put seatlock.Put) (e seatlock.Event, isNew bool, err error)
	DeleteEvent(ctx context.Context, event string, discardSales bool) error
	Events(ctx context.Context, after string, limit int) ([]string, error)
}

type handler struct {
	locker   Locker
	catalog  *catalog.Catalog
	halls    *hall.Halls
	arriving *semaphore.Weighted
	puts     *semaphore.Weighted
}

// New returns the handler of PUT, GET and DELETE /events/{event_id}, GET
// /events/{event_id}/plan, and GET /events. At the function's own URL, whose path has no
// event_id, the query names the event.
func New(locker Locker, c *catalog.Catalog, halls *hall.Halls) http.Handler {
	h := &handler{locker: locker, catalog: c, halls: halls, arriving: semaphore.NewWeighted(maxArriving), puts: semaphore.NewWeighted(maxPuts)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h.serve(w, r); err != nil {
			api.WriteError(w, r, err)
		}
	})
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) error {
	event := r.PathValue("event_id")
	if event == "" { // at the function's own URL
		event = r.URL.Query().Get("event_id")
	}
	named := event != ""
	if named {
		if !seatlock.ValidID(event) {
			return api.Invalid("event_id %s.", api.IDForm)
		}
		api.RecordEvent(r, event)
	}
	switch {
	case !named && r.Method != http.MethodGet && r.Method != http.MethodHead:
		return api.Invalid("event_id is missing; send a path like /events/gala.")
	case !named:
		return h.list(w, r)
	case r.Method == http.MethodPut:
		return h.put(w, r, event)
	case r.Method == http.MethodDelete:
		return h.delete(w, r, event)
	case strings.HasSuffix(r.URL.Path, "/plan"):
		return h.plan(w, r, event)
	}
	return h.get(w, r, event)
}

// list answers {"events":["gala",…],"next":"gala"}. next is there if there are more.
func (h *handler) list(w http.ResponseWriter, r *http.Request) error {
	query, err := api.ParseQuery(r, "after")
	if err != nil {
		return err
	}
	after := query.Get("after")
	if after != "" && !seatlock.ValidID(after) {
		return api.Invalid("after %s.", api.IDForm)
	}
	found, err := h.locker.Events(r.Context(), after, listLimit+1)
	if err != nil {
		return err
	}
	answer := struct {
		Events []string `json:"events"`
		Next   string   `json:"next,omitempty"`
	}{Events: append([]string{}, found[:min(len(found), listLimit)]...)}
	if len(found) > listLimit {
		answer.Next = found[listLimit-1]
	}
	return api.WriteJSON(w, answer)
}

// document is what Redis keeps of an event beside its plan.
type document struct {
	Title           string         `json:"title,omitempty"`
	StartsAt        string         `json:"starts_at,omitempty"`
	OnSaleAt        string         `json:"on_sale_at,omitempty"`
	OffSaleAt       string         `json:"off_sale_at,omitempty"`
	HoldTTL         string         `json:"hold_ttl,omitempty"`
	MaxHold         string         `json:"max_hold,omitempty"`
	MaxSeatsPerUser *int           `json:"max_seats_per_user,omitempty"`
	Areas           []catalog.Area `json:"areas,omitempty"`
}

// response is an event.
type response struct {
	EventID string `json:"event_id"`
	document
	PlanVersion int64   `json:"plan_version,omitempty"` // only with a plan
	Counts      *counts `json:"counts,omitempty"`       // not after PUT
}

// counts are the seats by status. Available is there only with a plan.
type counts struct {
	Available *int `json:"available,omitempty"`
	Reserved  int  `json:"reserved"`
	Sold      int  `json:"sold"`
	Blocked   int  `json:"blocked"`
}

// newResponse returns the response of an event that Redis has.
func newResponse(event string, e seatlock.Event, p *plan.Plan) (response, error) {
	r := response{EventID: event}
	if p.Len() > 0 {
		r.PlanVersion = e.PlanVersion
	}
	if err := json.Unmarshal(e.Document, &r.document); err != nil {
		return r, fmt.Errorf("document of %s: %w", event, err)
	}
	return r, nil
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

func (h *handler) get(w http.ResponseWriter, r *http.Request, event string) error {
	if _, err := api.ParseQuery(r); err != nil {
		return err
	}
	e, err := h.locker.Event(r.Context(), event)
	if err != nil {
		return unknownEvent(event, err)
	}
	p, err := h.catalog.Plan(r.Context(), event)
	if err != nil {
		return err
	}
	answer, err := newResponse(event, e, p)
	if err != nil {
		return err
	}
	view, err := h.halls.Hall(event)
	if err != nil {
		return err
	}
	found, err := view.Counts(r.Context(), countsAge)
	if err != nil {
		return unknownEvent(event, err)
	}
	answer.Counts = &counts{Reserved: found.Reserved, Sold: found.Sold, Blocked: found.Blocked}
	if n := p.Len(); n > 0 {
		available := max(0, n-found.Reserved-found.Sold-found.Blocked)
		answer.Counts.Available = &available
	}
	w.Header().Set("ETag", etag(e.Version))
	return api.WriteJSON(w, answer)
}

// unknownEvent replaces seatlock.ErrUnknownEvent by a *Problem.
func unknownEvent(event string, err error) error {
	if errors.Is(err, seatlock.ErrUnknownEvent) {
		return api.NewProblem(api.CodeUnknownEvent, "There is no event "+event+".")
	}
	return err
}

// plan answers with the plan as it was put. With ?version= the answer never changes.
func (h *handler) plan(w http.ResponseWriter, r *http.Request, event string) error {
	query, err := api.ParseQuery(r, "version")
	if err != nil {
		return err
	}
	version, stored, err := h.locker.Plan(r.Context(), event)
	if err != nil {
		return unknownEvent(event, err)
	}
	compressed := catalog.Compressed(stored)
	switch {
	case len(compressed) == 0:
		return api.NewProblem(api.CodeNotFound, "The event "+event+" has no plan.")
	case query.Has("version") && query.Get("version") != strconv.FormatInt(version, 10):
		return api.NewProblem(api.CodeNotFound, "The plan of "+event+" has another version; GET /events/"+event+" has it as plan_version.")
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("ETag", etag(version))
	header.Set("Cache-Control", "no-cache") // store it, but revalidate it
	if query.Has("version") {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	header.Add("Vary", "Accept-Encoding")
	if slices.Contains(api.Tags(r.Header.Values("If-None-Match")), etag(version)) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if api.AcceptsGzip(r) {
		header.Set("Content-Encoding", "gzip")
		header.Set("Content-Length", strconv.Itoa(len(compressed)))
		_, _ = w.Write(compressed) // the client may have left
		return nil
	}
	plain, err := gzip.NewReader(strings.NewReader(string(compressed)))
	if err != nil {
		return err
	}
	_, _ = io.Copy(w, plain) // the client may have left
	return nil
}

func (h *handler) put(w http.ResponseWriter, r *http.Request, event string) error {
	if _, err := api.ParseQuery(r); err != nil {
		return err
	}
	size := r.ContentLength
	if size < 0 || size > maxBody {
		size = maxBody
	}
	if err := acquire(r.Context(), h.arriving, size); err != nil {
		return err
	}
	defer h.arriving.Release(size)
	text, err := api.ReadBody(w, r, maxBody)
	if err != nil {
		return err
	}
	if err := acquire(r.Context(), h.puts, 1); err != nil {
		return err
	}
	defer h.puts.Release(1)
	put, err := decode(text)
	if err != nil {
		return err
	}
	if put.Version, err = h.precondition(r, event); err != nil {
		return err
	}
	e, isNew, err := h.write(r.Context(), event, put)
	if err != nil {
		return err
	}
	answer, err := newResponse(event, e, put.plan)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(e.Version))
	if isNew {
		return api.WriteCreated(w, answer)
	}
	return api.WriteJSON(w, answer)
}

// acquire waits for n of s, for putWait at most.
func acquire(ctx context.Context, s *semaphore.Weighted, n int64) error {
	ctx, cancel := context.WithTimeout(ctx, putWait)
	defer cancel()
	if s.Acquire(ctx, n) != nil {
		return api.NewProblem(api.CodeUnavailable, "Too many events are put here at the same time. Nothing was written; send it again.")
	}
	return nil
}

// write puts an event. If the body has neither a plan nor areas, those of the event stay.
func (h *handler) write(ctx context.Context, event string, put *putRequest) (e seatlock.Event, isNew bool, err error) {
	if put.hasPlan {
		return h.locker.PutEvent(ctx, event, put.Put)
	}
	required := put.Version
	for range maxPutAttempts {
		version, err := h.keepPlan(ctx, event, put)
		if err != nil {
			return e, false, err
		}
		if required == nil { // the event must still have the plan
			put.Version = &version
		}
		e, isNew, err = h.locker.PutEvent(ctx, event, put.Put)
		if required != nil || !errors.Is(err, seatlock.ErrVersion) {
			return e, isNew, err
		}
	}
	return e, false, seatlock.ErrUnavailable
}

// keepPlan completes put by the plan and the areas that the event has, none if it does not exist.
// It returns the version of the event, 0 if it does not exist.
func (h *handler) keepPlan(ctx context.Context, event string, put *putRequest) (int64, error) {
	put.plan, put.Plan, put.HasSeat, put.document.Areas = nil, nil, nil, nil // of an earlier attempt
	e, err := h.locker.Event(ctx, event)
	if errors.Is(err, seatlock.ErrUnknownEvent) {
		put.Document, err = json.Marshal(put.document)
		return 0, err
	}
	if err != nil {
		return 0, err
	}
	_, stored, err := h.locker.Plan(ctx, event)
	if err != nil {
		return 0, err
	}
	if put.plan, err = catalog.Read(stored); err != nil {
		return 0, err
	}
	put.Plan = stored
	if put.plan != nil {
		put.HasSeat = put.plan.Has
	}
	var d document
	if err := json.Unmarshal(e.Document, &d); err != nil {
		return 0, fmt.Errorf("document of %s: %w", event, err)
	}
	put.document.Areas = d.Areas
	put.Document, err = json.Marshal(put.document)
	return e.Version, err
}

// precondition returns the version that the event must have by If-Match or If-None-Match, nil
// without them. It returns a *Problem if the event does not have it.
func (h *handler) precondition(r *http.Request, event string) (*int64, error) {
	ifMatch, ifNoneMatch := api.Tags(r.Header.Values("If-Match")), api.Tags(r.Header.Values("If-None-Match"))
	if len(ifMatch) == 0 && len(ifNoneMatch) == 0 {
		return nil, nil
	}
	for _, tag := range ifMatch {
		if tag != "*" && !strings.HasSuffix(tag, `"`) {
			return nil, api.Invalid("If-Match must be an ETag with its quotes, like \"1795380000000000\", or *.")
		}
	}
	if len(ifNoneMatch) > 0 && !slices.Contains(ifNoneMatch, "*") {
		return nil, api.Invalid("If-None-Match must be *, which requires that the event is new.")
	}
	version := int64(0)
	e, err := h.locker.Event(r.Context(), event)
	switch {
	case err == nil:
		version = e.Version
	case !errors.Is(err, seatlock.ErrUnknownEvent):
		return nil, err
	}
	if len(ifNoneMatch) > 0 && version != 0 {
		return nil, api.NewProblem(api.CodePreconditionFailed, "The event "+event+" exists already.")
	}
	if len(ifMatch) > 0 && (version == 0 || !slices.Contains(ifMatch, "*") && !slices.Contains(ifMatch, etag(version))) {
		return nil, api.NewProblem(api.CodePreconditionFailed, "The event "+event+" does not have the version that If-Match names; GET it, and send its ETag.")
	}
	return &version, nil
}

func (h *handler) delete(w http.ResponseWriter, r *http.Request, event string) error {
	query, err := api.ParseQuery(r, "sales")
	if err != nil {
		return err
	}
	if query.Has("sales") && query.Get("sales") != "discard" {
		return api.Invalid("sales must be discard; omit it to keep an event that has sales.")
	}
	if _, err := h.precondition(r, event); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), deleteTimeout)
	defer cancel()
	if err := h.locker.DeleteEvent(ctx, event, query.Has("sales")); err != nil {
		return unknownEvent(event, err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
