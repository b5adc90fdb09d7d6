// Package api is what the calls share: reading requests, and writing responses and
// problems.
package api

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// retryAfter is the Retry-After of status 503, s.
const retryAfter = "1"

// Handler serves a call of one method: POST, or GET with HEAD. If call returns an error,
// Handler answers with it (WriteError); call must not have written anything then.
func Handler(method string, call func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	methods := []string{method}
	if method == http.MethodGet {
		methods = append(methods, http.MethodHead)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(methods, r.Method) {
			MethodNotAllowed(w, r, methods)
			return
		}
		if err := call(w, r); err != nil {
			WriteError(w, r, err)
		}
	})
}

// MethodNotAllowed answers that the path takes only methods.
func MethodNotAllowed(w http.ResponseWriter, r *http.Request, methods []string) {
	allow := strings.Join(methods, ", ")
	w.Header().Set("Allow", allow)
	WriteError(w, r, NewProblem(CodeMethodNotAllowed, r.URL.Path+" takes "+allow+"."))
}

// NotFound answers that the path does not exist.
func NotFound(w http.ResponseWriter, r *http.Request) {
	WriteError(w, r, NewProblem(CodeNotFound, "There is nothing at this path."))
}

// outageLog limits what an outage logs, because it can fail thousands of requests a
// second.
var outageLog = rate.Sometimes{Interval: time.Second}

// WriteError answers with err if that is a *Problem, else with the problem of that error
// of seatlock. It logs the latter if it is a fault: each bug, and one outage a second.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	p, own := errors.AsType[*Problem](err)
	if !own {
		p = problemOf(r.Method, err)
		logFault(r, p.Status, err)
	}
	if c := recorded(r.Context()); c != nil {
		c.Code = p.Code
		if !own {
			c.Outcome = string(p.Code)
		}
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	writeAppended(w, p.Status, problemJSON, p)
}

func logFault(r *http.Request, status int, err error) {
	switch status {
	case http.StatusInternalServerError:
		slog.ErrorContext(r.Context(), "a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	case http.StatusServiceUnavailable:
		outageLog.Do(func() {
			slog.WarnContext(r.Context(), "requests are answered 503; one a second is logged", "method", r.Method, "path", r.URL.Path, "error", err)
		})
	}
}
