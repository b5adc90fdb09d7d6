// Package api holds what the calls have in common: how they read a request, and
// how they write an answer or a problem.
package api

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"encoding/json"
	"golang.org/x/time/rate"
)

// retryAfter is what an answer of status 503 asks its client to wait, s.
const retryAfter = "1"

// Handler serves a call of one method: GET, which HEAD goes with, or POST. What
// the call returns as an error is answered as a problem; before that, it must
// have written nothing.
func Handler(method string, call func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	methods := []string{method}
	if method == http.MethodGet {
		methods = append(methods, http.MethodHead)
	}
	allow := strings.Join(methods, ", ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(methods, r.Method) {
			w.Header().Set("Allow", allow)
			WriteError(w, r, NewProblem(CodeMethodNotAllowed, r.URL.Path+" takes "+allow+"."))
			return
		}
		if err := call(w, r); err != nil {
			WriteError(w, r, err)
		}
	})
}

// NotFound answers that there is nothing at the path.
func NotFound(w http.ResponseWriter, r *http.Request) {
	WriteError(w, r, NewProblem(CodeNotFound, "There is nothing at this path."))
}

// WriteJSON answers with status 200 and v. Nothing may keep it: a seat can
// change hands within a millisecond.
func WriteJSON(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	write(w, http.StatusOK, isJSON, append(body, '\n'))
	return nil
}

// outages keeps an outage, which fails thousands of requests a second, from
// filling the log.
var outages = rate.Sometimes{Interval: time.Second}

// WriteError answers with the problem that err is, or that it stands for. It logs
// the faults among the latter: each defect, and one outage a second.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(r.Method, err)
	if c := noted(r.Context()); c != nil {
		c.code = p.Code
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	switch {
	case err == error(p):
	case p.Status == http.StatusInternalServerError:
		slog.ErrorContext(r.Context(), "a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	case p.Status == http.StatusServiceUnavailable:
		outages.Do(func() {
			slog.WarnContext(r.Context(), "requests are answered 503; one a second is logged", "method", r.Method, "path", r.URL.Path, "error", err)
		})
	}
	writeAppended(w, p.Status, isProblem, p)
}

// Values of headers, which answers share: nothing may change them.
var (
	isJSON    = []string{"application/json"}
	isProblem = []string{"application/problem+json"}
	noStore   = []string{"no-store"}
)

func write(w http.ResponseWriter, status int, contentType []string, body []byte) {
	h := w.Header()
	h["Content-Type"] = contentType
	h["Cache-Control"] = noStore
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}
