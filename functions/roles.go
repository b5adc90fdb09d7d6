package functions

import (
	"net/http"
	"slices"

	"booking/functions/internal/api"
	"booking/functions/page"
)

// Role says who may make a call. The later roles admit fewer callers.
type Role int

// The roles. The settings define buyers and sellers (Deps.Callers).
const (
	RoleAnyone      Role = iota // every caller; its token does not matter
	RoleBuyer                   // a buyer, who acts for itself, or a seller, who acts for any user; without roles, every caller
	RoleSellerIfAny             // a seller; without roles, every caller: the call is older than the roles
	RoleSeller                  // a seller; without roles, every caller, but in a pod no caller
)

// admit passes the calls of the role's callers to next, and answers the others.
func (d Deps) admit(role Role, next http.Handler) http.Handler {
	switch {
	case role == RoleAnyone:
		return next
	case d.Callers == nil && role == RoleSeller && d.InPod:
		return http.HandlerFunc(refuseAll)
	case d.Callers == nil && d.InPod:
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // who names a channel is no seller
			next.ServeHTTP(w, r.WithContext(api.WithCaller(r.Context(), api.Caller{})))
		})
	case d.Callers == nil:
		return next
	case role == RoleBuyer:
		return d.Callers.Buyers(next)
	}
	return d.Callers.Sellers(next)
}

// refuseAll answers a seller's call that no caller may make.
func refuseAll(w http.ResponseWriter, r *http.Request) {
	api.WriteError(w, r, api.NewProblem(api.CodeForbidden,
		"Only a seller may make this call, and the service knows no sellers: set SELLER_TOKEN, SELLER_TOKEN_FILE or AUTH_ISSUER."))
}

// Refused returns the functions that Handler refuses, as a whole or in part, because in a
// pod only sellers may make their calls, and the settings define none. target is as in
// Handler.
func (d Deps) Refused(target string) (names []string) {
	if d.Callers != nil || !d.InPod {
		return nil
	}
	for _, f := range Table {
		seller := slices.ContainsFunc(f.Calls, func(c Call) bool { return c.Role == RoleSeller })
		if seller && (target == "" || target == f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// page returns the settings of the page, which has no token.
func (d Deps) page() page.Settings {
	s := d.Page
	s.Hold, s.Sell, s.MaxSeats = d.Callers == nil || !d.Callers.BuyersNeedToken(), d.Callers == nil, d.Rules.MaxSeats
	return s
}

// methods serves the calls of one path, each by its method, to the callers of its role. It
// answers a method that is not among them 405.
func (d Deps) methods(calls []Call, next http.Handler) http.Handler {
	byMethod := map[string]http.Handler{}
	for _, c := range calls {
		byMethod[c.Method] = d.admit(c.Role, next)
	}
	if get, ok := byMethod[http.MethodGet]; ok {
		byMethod[http.MethodHead] = get
	}
	allow := methodsOf(calls)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if handler, ok := byMethod[r.Method]; ok {
			handler.ServeHTTP(w, r)
			return
		}
		api.MethodNotAllowed(w, r, allow)
	})
}

// methodsOf returns the methods of calls, and HEAD after GET.
func methodsOf(calls []Call) (methods []string) {
	for _, c := range calls {
		methods = append(methods, c.Method)
		if c.Method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	return methods
}
