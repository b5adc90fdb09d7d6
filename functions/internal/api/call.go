package api

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/felixge/httpsnoop"
)

// Call records what the log and the metrics need of a call. It has no token.
type Call struct {
	Seats          // what the call names, if that is well-formed
	Code    Code   // of its problem, if it was answered with one
	Outcome string // what seatlock did: the success, or the code of its error; empty if it was not asked
}

type callKey struct{}

// Record returns the Call of r, which has the answer's facts once r is answered, and the
// request to pass on in place of r.
func Record(r *http.Request) (*Call, *http.Request) {
	if c := recorded(r.Context()); c != nil {
		return c, r
	}
	c := &Call{}
	return c, r.WithContext(context.WithValue(r.Context(), callKey{}, c))
}

// RecordSeats records what a call names, or what it got.
func RecordSeats(r *http.Request, seats Seats) {
	if c := recorded(r.Context()); c != nil {
		c.Seats = seats
	}
}

// recorded returns the Call of ctx, or nil if nothing records the call.
func recorded(ctx context.Context) *Call {
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}

// LogCalls logs each call to next at level debug. If logger leaves that level out, it
// returns next itself, so calls cost nothing more.
func LogCalls(logger *slog.Logger, next http.Handler) http.Handler {
	if !logger.Enabled(context.Background(), slog.LevelDebug) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, r := Record(r)
		m := httpsnoop.CaptureMetrics(next, w, r)
		line := []slog.Attr{
			slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", m.Code), slog.String("duration", m.Duration.String()),
		}
		for _, text := range []struct{ name, value string }{{"event", c.EventID}, {"user", c.UserID}, {"code", string(c.Code)}} {
			if text.value != "" {
				line = append(line, slog.String(text.name, text.value))
			}
		}
		if len(c.SeatIDs) > 0 {
			line = append(line, slog.Any("seats", c.SeatIDs))
		}
		logger.LogAttrs(r.Context(), slog.LevelDebug, "call", line...)
	})
}
