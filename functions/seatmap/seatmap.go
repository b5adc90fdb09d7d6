// Package seatmap is the function that returns the seats of an event that are not
// available.
package seatmap

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/functions/internal/hall"
)

// maxAge limits the age of a response. Readers share it for that long.
const maxAge = 250 * time.Millisecond

// New returns the handler of GET /seats. The response has an ETag, and Age-Ms is its age;
// expires_in_ms counts from as_of.
func New(c *catalog.Catalog, halls *hall.Halls) http.Handler {
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		event, _, err := api.DecodeQuery(r)
		if err != nil {
			return err
		}
		if err := c.Check(r.Context(), event); err != nil {
			return err
		}
		view, err := halls.Hall(event)
		if err != nil {
			return err
		}
		known := func(etag string) bool { return matches(r.Header.Values("If-None-Match"), etag) }
		s, err := view.SeatMap(r.Context(), maxAge, known)
		if err != nil {
			return err
		}
		h := w.Header()
		h.Set("ETag", s.ETag)
		h.Set("Cache-Control", "no-cache") // store it, but revalidate it
		h.Add("Vary", "Accept-Encoding")   // CORS may have added Origin
		if known(s.ETag) {
			h.Set("Age-Ms", ageOf(s))
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
		var body []byte
		if api.AcceptsGzip(r) {
			h.Set("Content-Encoding", "gzip")
			body = s.Compressed()
		} else {
			body = s.Body()
		}
		h.Set("Age-Ms", ageOf(s))
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body) // the client may have left
		return nil
	})
}

// ageOf returns the age of a snapshot in milliseconds.
func ageOf(s *hall.Snapshot) string {
	return strconv.FormatInt(time.Since(s.Taken).Milliseconds(), 10)
}

// matches reports whether If-None-Match has the tag, or *.
func matches(fields []string, tag string) bool {
	tags := api.Tags(fields)
	return slices.Contains(tags, tag) || slices.Contains(tags, "*")
}
