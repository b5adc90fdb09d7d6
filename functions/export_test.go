package functions

import "net/http"

// Admit is admit, for tests of a role that no call of Table has.
func (d Deps) Admit(role Role, next http.Handler) http.Handler { return d.admit(role, next) }

// Methods is methods.
func (d Deps) Methods(calls []Call, next http.Handler) http.Handler { return d.methods(calls, next) }

// Paths is paths.
func (f Function) Paths(target bool) map[string][]Call { return f.paths(target) }
