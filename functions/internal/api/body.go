package api

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// requireJSON returns a *Problem unless the body of r is JSON by its Content-Type.
func requireJSON(r *http.Request) error {
	if len(r.Header["Content-Type"]) > 1 {
		return NewProblem(CodeUnsupportedMediaType, "There is more than one Content-Type; send only application/json.")
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return NewProblem(CodeUnsupportedMediaType, "The body must be JSON: set Content-Type to application/json.")
	}
	return nil
}

// readInto reads the body of r into b. The error is a *Problem; hint says what to send.
func readInto(b *bytes.Buffer, w http.ResponseWriter, r *http.Request, limit int64, hint string) error {
	if err := requireJSON(r); err != nil {
		return err
	}
	if _, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, limit)); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return NewProblem(CodeTooLarge, "The body is longer than "+size(limit)+"; "+hint+".")
		}
		return Invalid("The body did not arrive whole; send it again.")
	}
	return nil
}

func size(bytes int64) string {
	if bytes >= 1<<20 {
		return fmt.Sprintf("%d MiB", bytes>>20)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}

// ReadBody returns the body of r, which must be JSON of at most limit bytes. The error is a
// *Problem.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	var b bytes.Buffer
	err := readInto(&b, w, r, limit, "send less")
	return b.Bytes(), err
}

// ParseQuery parses the query of a call that knows parameters. The error is a *Problem.
func ParseQuery(r *http.Request, parameters ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, Invalid("The query can't be parsed: escape each character other than a letter or a digit as %%XX.")
	}
	return query, CheckQuery(query, parameters...)
}

// RecordEvent records the event of a call whose path names it.
func RecordEvent(r *http.Request, event string) {
	if c := recorded(r.Context()); c != nil {
		c.EventID = event
	}
}

// RecordOutcome records what seatlock did for a call that succeeded.
func RecordOutcome(r *http.Request, outcome string) {
	if c := recorded(r.Context()); c != nil {
		c.Outcome = outcome
	}
}

// AcceptsGzip reports whether Accept-Encoding has gzip with a weight above 0.
func AcceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(weight), "q="), 64)
			return err != nil || q > 0
		}
	}
	return false
}

// Tags returns the entity tags of If-Match or If-None-Match.
func Tags(fields []string) []string {
	var all []string
	for tag := range strings.SplitSeq(strings.Join(fields, ","), ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			all = append(all, tag)
		}
	}
	return all
}
