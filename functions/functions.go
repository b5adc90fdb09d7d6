// Package functions is the table of the service's functions, and the way to them.
package functions

import (
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"slices"

	"booking/functions/buy"
	"booking/functions/changes"
	"booking/functions/docs"
	"booking/functions/extend"
	"booking/functions/internal/api"
	"booking/functions/internal/readiness"
	"booking/functions/page"
	"booking/functions/release"
	"booking/functions/reserve"
	"booking/functions/seat"
	"booking/functions/seatmap"
)

// Locker is what all functions together need of seatlock.Locker.
type Locker interface {
	reserve.Locker
	buy.Locker
	extend.Locker
	release.Locker
	seat.Locker
	seatmap.Locker
	changes.Locker
}

// Needs is what functions are built from.
type Needs struct {
	Locker  Locker
	Rules   api.Rules
	Rows    []page.Row                      // that the page shows
	Streams changes.Options                 // when the streams of changes end, and how many there may be
	Prove   func(http.Handler) http.Handler // who asks for a change; nil where whoever asks is trusted
	Origins []string                        // whose scripts may call, beside the service's own
}

// Middleware wraps the handler of a function, by its name.
type Middleware = func(function string, next http.Handler) http.Handler

// Function is one call of the service.
type Function struct {
	Name   string   // what FUNCTION_TARGET calls it
	Paths  []string // where it is served, as patterns of http.ServeMux
	Method string   // POST where it changes seats, GET where it tells of them; empty where it does neither
	New    func(Needs) http.Handler
}

// Table lists the functions.
var Table = []Function{
	{"reserve", []string{"/reserve"}, http.MethodPost, func(n Needs) http.Handler { return reserve.New(n.Locker, n.Rules) }},
	{"buy", []string{"/buy"}, http.MethodPost, func(n Needs) http.Handler { return buy.New(n.Locker, n.Rules) }},
	{"extend", []string{"/extend"}, http.MethodPost, func(n Needs) http.Handler { return extend.New(n.Locker, n.Rules) }},
	{"release", []string{"/release"}, http.MethodPost, func(n Needs) http.Handler { return release.New(n.Locker, n.Rules) }},
	{"seat", []string{"/seats/{seat_id}"}, http.MethodGet, func(n Needs) http.Handler { return seat.New(n.Locker, n.Rules) }},
	{"seatmap", []string{"/seats"}, http.MethodGet, func(n Needs) http.Handler { return seatmap.New(n.Locker) }},
	{"changes", []string{"/changes"}, http.MethodGet, func(n Needs) http.Handler { return changes.New(n.Locker, n.Streams) }},
	{Name: "page", Paths: []string{"/{$}", "/page/{file}"}, New: func(n Needs) http.Handler { return page.New(n.Rows) }},
	{Name: "docs", Paths: []string{"/docs", "/docs/{file}", "/openapi.json"}, New: func(Needs) http.Handler { return docs.New() }},
}

// Names lists what FUNCTION_TARGET may be.
func Names() []string {
	names := make([]string, len(Table))
	for i, f := range Table {
		names[i] = f.Name
	}
	return names
}

// Handler serves the function that target names at its own paths and at /, or
// every function where target is empty, each within the middleware, first one
// outermost; and the probes of monitor either way. Any other path is answered as
// not found.
func Handler(target string, needs Needs, monitor *readiness.Monitor, middleware ...Middleware) (http.Handler, error) {
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
		handler := f.New(needs)
		if f.Method == http.MethodPost && needs.Prove != nil {
			handler = needs.Prove(handler)
		}
		if f.Method != "" && len(needs.Origins) > 0 {
			handler = allowing(needs.Origins, f.Method, handler)
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
		return nil, fmt.Errorf("no function %q: want one of %v", target, Names())
	}
	return securing(recovering(onlyCleanPaths(mux))), nil
}

// onlyCleanPaths answers a path like //buy as not found, where the mux would
// redirect to the clean one; and so the targets that are no paths, like OPTIONS' *.
func onlyCleanPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; path.Clean(p) != p || p[0] != '/' {
			api.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// recovering turns a panic into an answer and a line in the log.
func recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if v == http.ErrAbortHandler {
					panic(v)
				}
				slog.ErrorContext(r.Context(), "panic", "value", v, "stack", string(debug.Stack()))
				api.WriteError(w, r, api.NewProblem(api.CodeInternal, "Something is wrong on our side, and it has been logged."))
			}
		}()
		next.ServeHTTP(w, r)
	})
}
