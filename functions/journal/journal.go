// Package journal is the function that lists the changes of an event: who did what, and when.
package journal

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"booking/functions/internal/api"
	"booking/functions/internal/catalog"
	"booking/seatlock"
)

const (
	defaultLimit = 1000
	maxLimit     = 10_000
	// pageSize is how many lines are read and written at a time.
	pageSize = 1000
)

// Locker is the part of seatlock.Locker that the function uses.
type Locker interface {
	Journal(ctx context.Context, event, after string, limit int) ([]seatlock.Entry, error)
}

// New returns the handler of GET /journal.
func New(locker Locker, c *catalog.Catalog) http.Handler {
	return api.Handler(http.MethodGet, func(w http.ResponseWriter, r *http.Request) error {
		event, query, err := api.DecodeQuery(r, "after", "limit")
		if err != nil {
			return err
		}
		after, err := positionOf(query)
		if err != nil {
			return err
		}
		rest, err := limitOf(query)
		if err != nil {
			return err
		}
		if err := c.Check(r.Context(), event); err != nil {
			return err
		}
		return api.WritePages(w, r, "application/x-ndjson", func(page *bytes.Buffer) (more bool, err error) {
			size := min(rest, pageSize)
			entries, err := locker.Journal(r.Context(), event, after, size)
			if err != nil {
				return false, err
			}
			out := json.NewEncoder(page)
			for _, e := range entries {
				if err := out.Encode(api.NewJournalLine(e)); err != nil {
					return false, err
				}
				after = e.ID
			}
			rest -= len(entries)
			return len(entries) == size && rest > 0, nil
		})
	})
}

// positionOf returns the position that the query names. The error is a *Problem.
func positionOf(query url.Values) (string, error) {
	switch after := query.Get("after"); {
	case !query.Has("after"), after == "0":
		return seatlock.NoChange, nil
	case !seatlock.ValidChangeID(after):
		return "", api.Invalid("after must be the id of a line, a last_event_id of /sales or /seats, or 0 for the beginning.")
	default:
		return after, nil
	}
}

// limitOf returns the limit of lines. The error is a *Problem.
func limitOf(query url.Values) (int, error) {
	if !query.Has("limit") {
		return defaultLimit, nil
	}
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 || limit > maxLimit {
		return 0, api.Invalid("limit must be a number from 1 to %d.", maxLimit)
	}
	return limit, nil
}
