// Package seatmap is the call that tells the state of every seat of an event.
package seatmap

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"booking/functions/internal/api"
	"booking/seatlock"
)

// maxAge is how old an answer may be. Readers within it share one read of Redis.
const maxAge = 250 * time.Millisecond

// Locker is what the call needs of seatlock.Locker.
type Locker interface {
	Map(ctx context.Context, event string) (seatlock.SeatMap, error)
}

// New returns the handler of GET /seats. Its answer has an ETag, and Age-Ms says how
// old it is; expires_in_ms is counted from as_of.
func New(locker Locker) http.Handler {
	snapshots := newCache(locker)
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		event, _, err := api.DecodeQuery(r)
		if err != nil {
			return err
		}
		s, err := snapshots.get(r.Context(), event)
		if err != nil {
			return err
		}
		h := w.Header()
		h.Set("ETag", s.etag)
		h.Set("Age-Ms", strconv.FormatInt(time.Since(s.taken).Milliseconds(), 10))
		h.Set("Cache-Control", "no-cache") // keep it, and ask whether it has changed
		h.Add("Vary", "Accept-Encoding")   // and Origin may stand there
		if names(r.Header.Values("If-None-Match"), s.etag) {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
		body := s.body
		if len(body) > 1<<10 && acceptsGzip(r) {
			h.Set("Content-Encoding", "gzip")
			body = s.compressed()
		}
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body) // a client that is gone needs no answer
		return nil
	})
}

// names reports whether If-None-Match has the tag, or *.
func names(fields []string, etag string) bool {
	for tag := range strings.SplitSeq(strings.Join(fields, ","), ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == etag {
			return true
		}
	}
	return false
}

// acceptsGzip reports whether the client takes gzip, and has not given it weight 0.
func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
			return err != nil || q > 0
		}
	}
	return false
}
