// Package functions is the table of the service's functions, and the handler that serves
// them.
package functions

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"slices"

	"booking/functions/block"
	"booking/functions/buy"
	"booking/functions/changes"
	"booking/functions/docs"
	"booking/functions/events"
	"booking/functions/extend"
	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/functions/internal/readiness"
	"booking/functions/page"
	"booking/functions/release"
	"booking/functions/reserve"
	"booking/functions/seat"
	"booking/functions/seatmap"
	"booking/functions/unblock"
)

// Function is one row of the table.
type Function struct {
	Name   string   // the value of FUNCTION_TARGET
	Paths  []string // patterns of http.ServeMux
	Method string   // POST if it changes seats, GET if it reads them; empty if it does neither
	Role   Role     // of its callers
	New    func(Deps) http.Handler
}

// Role says who may call a function.
type Role int

// The roles.
const (
	RoleAnyone Role = iota
	RoleBuyer       // a caller that Deps.Authenticate accepts
)

// Table lists the functions.
var Table = []Function{
	{"reserve", []string{"/reserve"}, http.MethodPost, RoleBuyer, func(d Deps) http.Handler { return reserve.New(d.Locker, d.Catalog, d.Rules) }},
	{"buy", []string{"/buy"}, http.MethodPost, RoleBuyer, func(d Deps) http.Handler { return buy.New(d.Locker, d.Catalog, d.Rules) }},
	{"extend", []string{"/extend"}, http.MethodPost, RoleBuyer, func(d Deps) http.Handler { return extend.New(d.Locker, d.Catalog, d.Rules) }},
	{"release", []string{"/release"}, http.MethodPost, RoleBuyer, func(d Deps) http.Handler { return release.New(d.Locker, d.Catalog, d.Rules) }},
	{"events", []string{"/events", "/events/{event_id}", "/events/{event_id}/plan"}, "", RoleAnyone, func(d Deps) http.Handler { return events.New(d.Locker, d.Catalog, d.Halls) }},
	{"block", []string{"/block"}, http.MethodPost, RoleBuyer, func(d Deps) http.Handler { return block.New(d.Locker, d.Catalog) }},
	{"unblock", []string{"/unblock"}, http.MethodPost, RoleBuyer, func(d Deps) http.Handler { return unblock.New(d.Locker, d.Catalog) }},
	{"seat", []string{"/seats/{seat_id}"}, http.MethodGet, RoleAnyone, func(d Deps) http.Handler { return seat.New(d.Locker, d.Catalog) }},
	{"seatmap", []string{"/seats"}, http.MethodGet, RoleAnyone, func(d Deps) http.Handler { return seatmap.New(d.Catalog, d.Halls) }},
	{"changes", []string{"/changes"}, http.MethodGet, RoleAnyone, func(d Deps) http.Handler { return changes.New(d.Locker, d.Catalog, d.Halls, d.Streams) }},
	{Name: "page", Paths: []string{"/{$}", "/page/{file}"}, Role: RoleAnyone, New: func(d Deps) http.Handler { return page.New(d.Rows) }},
	{Name: "docs", Paths: []string{"/docs", "/docs/{file}", "/openapi.json"}, Role: RoleAnyone, New: func(Deps) http.Handler { return docs.New() }},
}

// Names lists the values of FUNCTION_TARGET.
func Names() []string {
	names := make([]string, len(Table))
	for i, f := range Table {
		names[i] = f.Name
	}
	return names
}

// Deps are the dependencies of the functions.
type Deps struct {
	Locker       Locker
	Catalog      *catalog.Catalog
	Halls        *hall.Halls // the live views that seatmap and changes read
	Rules        api.Rules
	Rows         []page.Row                      // the hall that the page shows
	Streams      changes.Options                 // when the streams of changes end, and how many may be open
	Authenticate func(http.Handler) http.Handler // admits the callers of RoleBuyer; nil admits every caller
	Origins      []string                        // other origins whose scripts may call
}

// Locker is the part of seatlock.Locker that the functions use.
type Locker interface {
	reserve.Locker
	buy.Locker
	extend.Locker
	release.Locker
	seat.Locker
	changes.Locker
	events.Locker
	block.Locker
	unblock.Locker
}

// Middleware wraps the handler of the named function.
type Middleware = func(function string, next http.Handler) http.Handler

// Handler serves the function named target at its own paths and at /. If target is empty,
// it serves every function. It wraps each function in the middleware, the first one
// outermost. It serves the probes of monitor too, and answers 404 for any other path.
func Handler(target string, deps Deps, monitor *readiness.Monitor, middleware ...Middleware) (http.Handler, error) {
	mux := http.NewServeMux()
	mux.Handle("/healthz", monitor.Healthz())
	mux.Handle("/readyz", monitor.Readyz())
	mux.HandleFunc("/", api.NotFound)
	found := target == ""
	for _, f := range Table {
		if target != "" && target != f.Name {
			continue
		}
		found = true
		handler := f.New(deps)
		if f.Role != RoleAnyone && deps.Authenticate != nil {
			handler = deps.Authenticate(handler)
		}
		if f.Method != "" && len(deps.Origins) > 0 {
			handler = withCORS(deps.Origins, f.Method, handler)
		}
		for _, wrap := range slices.Backward(middleware) {
			handler = wrap(f.Name, handler)
		}
		for _, p := range f.Paths {
			mux.Handle(p, handler)
		}
		if target != "" && !slices.Contains(f.Paths, "/{$}") {
			mux.Handle("/{$}", handler)
		}
	}
	if !found {
		return nil, fmt.Errorf("unknown function %q: want one of %v", target, Names())
	}
	return securityHeaders(recoverPanics(rejectUncleanPaths(mux))), nil
}

// rejectUncleanPaths answers 404 for a path like //buy, which the mux would redirect to
// the clean one, and for a target that is not a path, like the * of OPTIONS.
func rejectUncleanPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; path.Clean(p) != p || p[0] != '/' {
			api.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// recoverPanics logs a panic and answers 500.
func recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(v)
				}
				slog.ErrorContext(r.Context(), "panic", "value", v, "stack", string(debug.Stack()))
				api.WriteError(w, r, api.Internal())
			}
		}()
		next.ServeHTTP(w, r)
	})
}
