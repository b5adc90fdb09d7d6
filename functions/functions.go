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
	"booking/functions/exchange"
	"booking/functions/extend"
	"booking/functions/holdings"
	"booking/functions/internal/api"
	"booking/functions/internal/auth"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
	"booking/functions/internal/readiness"
	"booking/functions/journal"
	"booking/functions/page"
	"booking/functions/release"
	"booking/functions/reserve"
	"booking/functions/reservebest"
	"booking/functions/returns"
	"booking/functions/sales"
	"booking/functions/seat"
	"booking/functions/seatmap"
	"booking/functions/unblock"
)

// Function is one row of the table.
type Function struct {
	Name  string // the value of FUNCTION_TARGET
	Calls []Call
	New   func(Deps) http.Handler // serves all its calls; the paths of target at / are /
	Files bool                    // whether it serves files to a browser: they are no part of the API
}

// Call is a call of a function. The role of its callers is fixed here and nowhere else.
type Call struct {
	Method string // GET includes HEAD
	Path   string // a pattern of http.ServeMux
	Role   Role
}

// Table lists the functions, and their calls by role.
var Table = []Function{
	{Name: "reserve", Calls: []Call{{http.MethodPost, "/reserve", RoleBuyer}},
		New: func(d Deps) http.Handler { return reserve.New(d.Locker, d.Catalog, d.Rules) }},
	{Name: "reserve-best", Calls: []Call{{http.MethodPost, "/reserve-best", RoleBuyer}},
		New: func(d Deps) http.Handler { return reservebest.New(d.Locker, d.Catalog, d.Halls, d.Rules, d.Choice) }},
	{Name: "buy", Calls: []Call{{http.MethodPost, "/buy", RoleSellerIfAny}},
		New: func(d Deps) http.Handler { return buy.New(d.Locker, d.Catalog, d.Rules) }},
	{Name: "extend", Calls: []Call{{http.MethodPost, "/extend", RoleBuyer}},
		New: func(d Deps) http.Handler { return extend.New(d.Locker, d.Catalog, d.Rules) }},
	{Name: "release", Calls: []Call{{http.MethodPost, "/release", RoleBuyer}},
		New: func(d Deps) http.Handler { return release.New(d.Locker, d.Catalog, d.Rules) }},
	{Name: "return", Calls: []Call{{http.MethodPost, "/return", RoleSeller}},
		New: func(d Deps) http.Handler { return returns.New(d.Locker, d.Catalog, d.Rules) }},
	{Name: "exchange", Calls: []Call{{http.MethodPost, "/exchange", RoleSeller}},
		New: func(d Deps) http.Handler { return exchange.New(d.Locker, d.Catalog, d.Rules) }},
	{Name: "holdings", Calls: []Call{{http.MethodGet, "/users/{user_id}/seats", RoleBuyer}},
		New: func(d Deps) http.Handler { return holdings.New(d.Locker, d.Catalog, d.Halls) }},
	{Name: "events", Calls: []Call{
		{http.MethodGet, "/events/{event_id}", RoleAnyone}, {http.MethodPut, "/events/{event_id}", RoleSeller},
		{http.MethodDelete, "/events/{event_id}", RoleSeller}, {http.MethodGet, "/events/{event_id}/plan", RoleAnyone}, {http.MethodGet, "/events", RoleAnyone}},
		New: func(d Deps) http.Handler { return events.New(d.Locker, d.Catalog, d.Halls) }},
	{Name: "block", Calls: []Call{{http.MethodPost, "/block", RoleSeller}},
		New: func(d Deps) http.Handler { return block.New(d.Locker, d.Catalog) }},
	{Name: "unblock", Calls: []Call{{http.MethodPost, "/unblock", RoleSeller}},
		New: func(d Deps) http.Handler { return unblock.New(d.Locker, d.Catalog) }},
	{Name: "seat", Calls: []Call{{http.MethodGet, "/seats/{seat_id}", RoleAnyone}},
		New: func(d Deps) http.Handler { return seat.New(d.Locker, d.Catalog) }},
	{Name: "seatmap", Calls: []Call{{http.MethodGet, "/seats", RoleAnyone}},
		New: func(d Deps) http.Handler { return seatmap.New(d.Catalog, d.Halls) }},
	{Name: "changes", Calls: []Call{{http.MethodGet, "/changes", RoleAnyone}},
		New: func(d Deps) http.Handler { return changes.New(d.Locker, d.Catalog, d.Halls, d.Streams) }},
	{Name: "sales", Calls: []Call{{http.MethodGet, "/sales", RoleSeller}},
		New: func(d Deps) http.Handler { return sales.New(d.Locker, d.Catalog, d.Halls) }},
	{Name: "journal", Calls: []Call{{http.MethodGet, "/journal", RoleSeller}},
		New: func(d Deps) http.Handler { return journal.New(d.Locker, d.Catalog) }},
	{Name: "relay", // sends changes to the sink and has no calls: see package relay
		New: func(Deps) http.Handler { return nil }},
	{Name: "page", Calls: []Call{{http.MethodGet, "/{$}", RoleAnyone}, {http.MethodGet, "/page/{file}", RoleAnyone}}, Files: true,
		New: func(d Deps) http.Handler { return page.New(d.Catalog, d.page()) }},
	{Name: "docs", Calls: []Call{{http.MethodGet, "/docs", RoleAnyone}, {http.MethodGet, "/docs/{file}", RoleAnyone}, {http.MethodGet, "/openapi.json", RoleAnyone}}, Files: true,
		New: func(Deps) http.Handler { return docs.New() }},
}

// root is the path of a function at the URL of its own, which FUNCTION_TARGET gives it.
const root = "/{$}"

// paths returns the calls by path. If the function is the target, root has all of its
// methods: each in the strictest of its roles.
func (f Function) paths(target bool) map[string][]Call {
	paths := map[string][]Call{}
	for _, c := range f.Calls {
		paths[c.Path] = append(paths[c.Path], c)
	}
	if _, has := paths[root]; has || !target {
		return paths
	}
	for _, c := range f.Calls {
		same := func(at Call) bool { return at.Method == c.Method }
		if i := slices.IndexFunc(paths[root], same); i >= 0 {
			paths[root][i].Role = max(paths[root][i].Role, c.Role)
		} else {
			paths[root] = append(paths[root], Call{c.Method, root, c.Role})
		}
	}
	return paths
}

// Names lists the values of FUNCTION_TARGET.
func Names() []string {
	names := make([]string, len(Table))
	for i, f := range Table {
		names[i] = f.Name
	}
	return names
}

// NeedsRedis reports whether the functions that target names, as in Handler, need Redis to be ready.
// One that serves files does not, though the page asks Redis for the plan of an event.
func NeedsRedis(target string) bool {
	return !slices.ContainsFunc(Table, func(f Function) bool { return f.Name == target && f.Files })
}

// Deps are the dependencies of the functions.
type Deps struct {
	Locker  Locker
	Catalog *catalog.Catalog
	Halls   *hall.Halls // the live views that seatmap, changes and sales read
	Rules   api.Rules
	Choice  reservebest.Options
	Streams changes.Options // when the streams of changes end, and how many may be open
	Callers *auth.Callers   // tells buyers and sellers; nil: there are no roles, and every caller is both
	InPod   bool            // without roles, refuses the calls of RoleSeller
	Origins []string        // other origins whose scripts may call
	Page    page.Settings   // of the page: its CheckoutURL and FrameAncestors
}

// Locker is the part of seatlock.Locker that the functions use.
type Locker interface {
	reserve.Locker
	reservebest.Locker
	buy.Locker
	extend.Locker
	release.Locker
	seat.Locker
	changes.Locker
	events.Locker
	block.Locker
	unblock.Locker
	returns.Locker
	exchange.Locker
	holdings.Locker
	sales.Locker
	journal.Locker
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
		function := f.New(deps)
		for path, calls := range f.paths(target != "") {
			handler := deps.methods(calls, function)
			if !f.Files && len(deps.Origins) > 0 {
				handler = withCORS(deps.Origins, methodsOf(calls), handler)
			}
			for _, wrap := range slices.Backward(middleware) {
				handler = wrap(f.Name, handler)
			}
			mux.Handle(path, handler)
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
		if p := r.URL.EscapedPath(); path.Clean(p) != p || p[0] != '/' {
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
