// Package tracing sends OpenTelemetry traces if the standard OTEL_ variables enable it
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/redis/go-redis/extra/redisotel/v9"
	"github.com/redis/go-redis/v9"
	"github.com/sethvargo/go-envconfig"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"
	"go.opentelemetry.io/otel/trace"
)

// Tracing makes a span for each request and for each round trip to Redis.
type Tracing struct{ provider *sdktrace.TracerProvider }

// Enabled reports whether env enables traces.
func Enabled(env envconfig.Lookuper) bool {
	value := func(name string) string { v, _ := env.Lookup(name); return v }
	if value("OTEL_SDK_DISABLED") == "true" || value("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return value("OTEL_TRACES_EXPORTER") != "" || value("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || value("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// supported are the only values that these variables may have.
var supported = map[string]string{
	"OTEL_TRACES_EXPORTER":               "otlp",
	"OTEL_EXPORTER_OTLP_PROTOCOL":        "http/protobuf",
	"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
}

// Start starts the exporter. The exporter reads its other settings from the process's
// environment. Start fails if env needs an exporter or a protocol that is not supported.
func Start(ctx context.Context, env envconfig.Lookuper, version string) (*Tracing, error) {
	for name, want := range supported {
		if value, _ := env.Lookup(name); value != "" && value != want {
			return nil, fmt.Errorf("%s is %q: want %s", name, value, want)
		}
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	service, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("booking"), semconv.ServiceVersion(version)),
		resource.WithFromEnv(), resource.WithTelemetrySDK())
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { slog.Warn("traces are lost", "error", err) }))
	return &Tracing{sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(service))}, nil
}

// Middleware makes a span for each request of a function. If the request has a
// traceparent (https://www.w3.org/TR/trace-context/), that is the span's parent.
func (t *Tracing) Middleware(function string, next http.Handler) http.Handler {
	return otelhttp.NewHandler(next, function,
		otelhttp.WithTracerProvider(t.provider),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithSpanNameFormatter(func(function string, _ *http.Request) string { return function }))
}

// Redis makes a span for each round trip of client. The span has no parent, because many
// requests can share a round trip.
func (t *Tracing) Redis(client redis.UniversalClient) error {
	return redisotel.InstrumentTracing(client, redisotel.WithTracerProvider(t.provider), redisotel.WithDBStatement(false))
}

// Stop sends the remaining spans, within five seconds.
func (t *Tracing) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		slog.Warn("traces are lost", "error", err)
	}
}

// LogHandler adds the trace_id of a request to its log lines, and passes them to next.
func LogHandler(next slog.Handler) slog.Handler { return logHandler{next} }

type logHandler struct{ slog.Handler }

func (h logHandler) Handle(ctx context.Context, record slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.HasTraceID() {
		record.AddAttrs(slog.String("trace_id", span.TraceID().String()))
	}
	return h.Handler.Handle(ctx, record)
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }
