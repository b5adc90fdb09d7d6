package api

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/felixge/httpsnoop"
)

// call is what the log has of a call beside its request line and its status: what it
// names, if that is well-formed, and the code of its problem. No token is among it.
type call struct {
	Seats
	code Code
}

type callKey struct{}

// LogCalls logs a line of level debug for each call to next. If logger leaves that
// level out, it returns next itself, so calls cost nothing more.
func LogCalls(logger *slog.Logger, next http.Handler) http.Handler {
	if !logger.Enabled(context.Background(), slog.LevelDebug) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{}
		r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
		m := httpsnoop.CaptureMetrics(next, w, r)
		line := []slog.Attr{
			slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", m.Code), slog.String("duration", m.Duration.String()),
		}
		for _, text := range []struct{ name, value string }{{"event", c.EventID}, {"user", c.UserID}, {"code", string(c.code)}} {
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

// noted returns what LogCalls logs of the call that ctx is of, or nil.
func noted(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}
