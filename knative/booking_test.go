package knative_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
)

// scratch is the directory for programs that the tests build.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "booking"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}

// waitLimit is how long a test waits for a condition, on a slow machine.
const waitLimit = 2 * time.Minute

// build builds the service on its first call.
var build = sync.OnceValues(func() (string, error) {
	program := filepath.Join(scratch, "booking")
	out, err := exec.Command("go", "build", "-C", "..", "-o", program, "./functions/cmd/booking").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return program, nil
})

// booking is a running service.
type booking struct {
	url, metrics string
	log          *bytes.Buffer // don't read before done is closed
	done         chan struct{}
}

// start runs the service with env, on free ports, until the test ends.
func start(t testing.TB, env map[string]string) *booking {
	t.Helper()
	program, err := build()
	require.NoError(t, err)
	port, metrics := freePort(t), freePort(t)
	b := &booking{
		url: "http://127.0.0.1:" + port, metrics: "http://127.0.0.1:" + metrics + "/metrics",
		log: &bytes.Buffer{}, done: make(chan struct{}),
	}
	cmd := exec.Command(program)
	for name, value := range env {
		if name != "METRICS_PORT" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.Env = append(cmd.Env, "PORT="+port, "METRICS_PORT="+metrics)
	cmd.Stdout, cmd.Stderr = b.log, b.log
	require.NoError(t, cmd.Start())
	go func() {
		defer close(b.done)
		_ = cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-b.done
	})
	return b
}

// await waits until GET path is 200. It fails if the process exits.
func (b *booking) await(t testing.TB, path string) {
	t.Helper()
	require.Eventually(t, func() bool {
		select {
		case <-b.done:
			return true
		default:
		}
		resp, err := http.Get(b.url + path)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, waitLimit, 5*time.Millisecond, "GET %s does not become 200", path)
	select {
	case <-b.done:
		require.Fail(t, "the process exited", b.log.String())
	default:
	}
}

// post sends body to path. It returns the status and the body of the response.
func (b *booking) post(t testing.TB, path, body string) (int, string) {
	t.Helper()
	resp, err := http.Post(b.url+path, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	response, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(response)
}

// sell reserves and buys a seat, and checks that another user is refused.
func (b *booking) sell(t testing.TB) {
	t.Helper()
	status, response := b.post(t, "/reserve", `{"seat_id":"1A","user_id":"ann"}`)
	require.Equal(t, http.StatusOK, status, response)
	status, response = b.post(t, "/reserve", `{"seat_id":"1A","user_id":"bob"}`)
	require.Equal(t, http.StatusConflict, status, response)
	status, response = b.post(t, "/buy", `{"seat_id":"1A","user_id":"bob"}`)
	require.Equal(t, http.StatusBadRequest, status, response)
	status, response = b.post(t, "/buy", `{"seat_id":"1A","user_id":"ann"}`)
	require.Equal(t, http.StatusOK, status, response)
	b.await(t, "/seats/1A")
}

// exposed returns the labels of each metric of a service that has sold a seat.
func exposed(t testing.TB) map[string]map[string]bool {
	t.Helper()
	b := start(t, map[string]string{"SINK_URL": "http://127.0.0.1:1"}) // so that the relay has metrics
	b.await(t, "/readyz")
	b.sell(t)
	resp, err := http.Get(b.metrics)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	decoder := expfmt.NewTextParser(model.UTF8Validation)
	families, err := decoder.TextToMetricFamilies(resp.Body)
	require.NoError(t, err)
	names := map[string]map[string]bool{}
	for name, family := range families {
		labels := map[string]bool{}
		for _, m := range family.Metric {
			for _, l := range m.Label {
				labels[l.GetName()] = true
			}
		}
		if family.GetType() == dto.MetricType_HISTOGRAM {
			names[name+"_sum"], names[name+"_count"] = labels, labels
			labels["le"] = true
			name += "_bucket"
		}
		names[name] = labels
	}
	return names
}

// freePort returns a port that stays bound until the test ends, so the system assigns it to no other
// process. On Linux a server with SO_REUSEADDR can still listen on it. On other systems the port is
// released at once.
func freePort(t testing.TB) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	release := sync.OnceFunc(func() { _ = syscall.Close(fd) })
	t.Cleanup(release)
	syscall.CloseOnExec(fd)
	require.NoError(t, syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{}))
	addr, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	if runtime.GOOS != "linux" {
		release()
	}
	return strconv.Itoa(addr.(*syscall.SockaddrInet4).Port)
}
