// Package logging sets up the log.
package logging

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
	"github.com/redis/go-redis/v9"
	"golang.org/x/term"

	"booking/functions/internal/tracing"
)

// Setup makes the default logger write to w from level up: text if w is a terminal, else
// JSON. A line about a traced request has the trace_id. go-redis logs its connections at
// level debug, because seatlock and the readiness monitor report outages.
func Setup(w io.Writer, level slog.Level) {
	var handler slog.Handler = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
	if Terminal(w) {
		handler = tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.TimeOnly})
	}
	slog.SetDefault(slog.New(tracing.LogHandler(handler)))
	redis.SetLogger(redisLogger{})
}

// Terminal reports whether w is a terminal.
func Terminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// redisLogger logs for go-redis.
type redisLogger struct{}

func (redisLogger) Printf(ctx context.Context, format string, v ...any) {
	slog.DebugContext(ctx, fmt.Sprintf(format, v...))
}
