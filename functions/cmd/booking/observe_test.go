package main

import (
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"booking/functions/cmd/internal/processtest"
	"booking/seatlock/redistest"
)

func TestBooking_ExportsMetrics(t *testing.T) {
	t.Parallel()
	port := redistest.FreePort(t)
	p := processtest.Start(t, "METRICS_PORT="+port)
	p.Await(t, "/readyz", http.StatusOK)
	post(t, p.URL+"/reserve", `{"seat_ids":["1A","1B"],"user_id":"ann"}`)
	post(t, p.URL+"/reserve", `{"seat_id":"1A","user_id":"bob"}`)
	post(t, p.URL+"/buy", ann1A)
	post(t, p.URL+"/buy", `{"seat_id":"2A","user_id":"ann"}`)
	get(t, p.URL+"/seats/1A")
	get(t, p.URL+"/nothing")

	status, metrics := get(t, "http://127.0.0.1:"+port+"/metrics")
	require.Equal(t, http.StatusOK, status)
	for _, want := range []string{
		`booking_seats_total{call="reserve",outcome="reserved"} 2`,
		`booking_seats_total{call="reserve",outcome="seat_unavailable"} 1`,
		`booking_seats_total{call="buy",outcome="sold"} 1`,
		`booking_seats_total{call="buy",outcome="hold_expired"} 1`,
		`booking_request_duration_seconds_count{code="200",function="reserve"} 1`,
		`booking_request_duration_seconds_count{code="409",function="reserve"} 1`,
		`booking_request_duration_seconds_count{code="400",function="buy"} 1`,
		`booking_request_duration_seconds_count{code="200",function="seat"} 1`,
		`booking_requests_in_flight{function="reserve"} 0`,
		`booking_ready 1`,
		`booking_build_info{version="`,
		`booking_redis_queued_calls 0`,
		`booking_redis_queue_limit 10000`,
		`booking_stream_limit 5000`,
		`booking_redis_round_trip_seconds_count{result="ok"}`,
		`booking_redis_batch_calls_count`,
		`booking_redis_pool_conn_total_current `,
		`go_goroutines`,
		`process_resident_memory_bytes`,
	} {
		require.Contains(t, metrics, want)
	}
	require.NotContains(t, metrics, "nothing", "a label has the path of a call")
	status, _ = get(t, p.URL+"/metrics")
	require.Equal(t, http.StatusNotFound, status, "PORT serves metrics")
}

func TestBooking_SellsSeatsIfMetricsPortIsInUse(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	defer func() { _ = other.Close() }()
	_, port, err := net.SplitHostPort(other.Addr().String())
	require.NoError(t, err)
	p := processtest.Start(t, "METRICS_PORT="+port)
	p.Await(t, "/readyz", http.StatusOK)
	p.AwaitLog(t, "metrics disabled: port "+port+" is in use; set METRICS_PORT to a free port, or to 0 to turn metrics off")
	status, _ := post(t, p.URL+"/reserve", ann1A)
	require.Equal(t, http.StatusOK, status)
}

func TestBooking_LogsEachCallAtDebug(t *testing.T) {
	t.Parallel()
	for level, lines := range map[string]int{"debug": 1, "info": 0} {
		p := processtest.Start(t, "LOG_LEVEL="+level)
		p.Await(t, "/readyz", http.StatusOK)
		post(t, p.URL+"/buy", ann1A)
		p.Signal(t, syscall.SIGTERM)
		require.Zero(t, p.Wait())
		require.Equal(t, lines, strings.Count(p.Log(), `"event":"default","user":"ann","code":"hold_expired","seats":["1A"]`), p.Log())
	}
}

// otlp is an OpenTelemetry collector.
type otlp struct {
	mu    sync.Mutex
	spans []*tracepb.Span
}

func (c *otlp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var sent collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &sent); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range sent.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
}

func (c *otlp) find(match func(*tracepb.Span) bool) *tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, span := range c.spans {
		if match(span) {
			return span
		}
	}
	return nil
}

const (
	traceID  = "0af7651916cd43dd8448eb211c80319c"
	parentID = "b7ad6b7169203331"
)

func postTraced(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(ann1A))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("traceparent", "00-"+traceID+"-"+parentID+"-01")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	status, _ := read(t, resp)
	return status
}

func TestBooking_SendsTraces(t *testing.T) {
	t.Parallel()
	traces := &otlp{}
	server := httptest.NewServer(traces)
	t.Cleanup(server.Close)
	env := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_BSP_SCHEDULE_DELAY=20"}
	t.Run("CallIsSpanOfCaller", func(t *testing.T) {
		t.Parallel()
		p := processtest.Start(t, env...)
		p.Await(t, "/readyz", http.StatusOK)
		require.Equal(t, http.StatusOK, postTraced(t, p.URL+"/reserve"))
		require.Eventually(t, func() bool {
			return traces.find(func(s *tracepb.Span) bool {
				return s.Name == "reserve" && hex.EncodeToString(s.TraceId) == traceID && hex.EncodeToString(s.ParentSpanId) == parentID
			}) != nil
		}, redistest.WaitLimit, 10*time.Millisecond, "no span of the call")
		require.Eventually(t, func() bool {
			return traces.find(func(s *tracepb.Span) bool { return strings.Contains(s.Name, "evalsha") }) != nil
		}, redistest.WaitLimit, 10*time.Millisecond, "no span of the round trip")
		require.Nil(t, traces.find(func(s *tracepb.Span) bool { return strings.Contains(s.String(), "ann") }), "a span names a user")
	})
	t.Run("LogsOutageWithTrace", func(t *testing.T) {
		t.Parallel()
		p := processtest.Start(t, append(env, "REDIS_URL=redis://127.0.0.1:1")...)
		p.Await(t, "/healthz", http.StatusOK)
		require.Equal(t, http.StatusServiceUnavailable, postTraced(t, p.URL+"/reserve"))
		p.AwaitLog(t, `"trace_id":"`+traceID+`"`)
	})
	t.Run("RefusesUnsupportedProtocol", func(t *testing.T) {
		t.Parallel()
		p := processtest.Start(t, append(env, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc")...)
		require.Equal(t, 1, p.Wait())
		require.Contains(t, p.Log(), `OTEL_EXPORTER_OTLP_PROTOCOL is \"grpc\": want http/protobuf`)
	})
}
