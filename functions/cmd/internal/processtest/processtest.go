// Package processtest runs a command's main as a child process, so that tests see its
// signals, its exit status and its log as an operator does.
package processtest

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest"
)

const mainEnv = "PROCESSTEST_MAIN"

// Main is for TestMain. It runs main in the processes that Start and Run start, and the
// tests in any other.
func Main(m *testing.M, main func()) {
	if os.Getenv(mainEnv) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Process is a running main. It is killed when its test ends.
type Process struct {
	URL  string // of its server
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	log  *Buffer
}

// Start runs main with env, which has NAME=value entries. Unless env says otherwise, PORT
// is free, metrics are off, and REQUEST_TIMEOUT is long enough for a slow machine.
func Start(t testing.TB, env ...string) *Process {
	t.Helper()
	port := redistest.FreePort(t)
	p := &Process{URL: "http://127.0.0.1:" + port, done: make(chan struct{}), log: &Buffer{}}
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append([]string{mainEnv + "=1", "PORT=" + port, "METRICS_PORT=0", "REQUEST_TIMEOUT=30s"}, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	require.NoError(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

// Await waits until the response to path has status.
func (p *Process) Await(t testing.TB, path string, status int) {
	t.Helper()
	p.await(t, func() bool {
		resp, err := http.Get(p.URL + path)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == status
	}, fmt.Sprintf("%s never has status %d", path, status))
}

// AwaitLog waits until the log contains text.
func (p *Process) AwaitLog(t testing.TB, text string) {
	t.Helper()
	p.await(t, func() bool { return strings.Contains(p.Log(), text) }, "the log never contains "+text)
}

// await waits until condition is true. It fails, and shows the log, if the process ends
// first.
func (p *Process) await(t testing.TB, condition func() bool, never string) {
	t.Helper()
	holds := false
	if !assert.Eventually(t, func() bool {
		ended := p.ended() // before condition, which the last log lines may make true
		holds = condition()
		return holds || ended
	}, redistest.WaitLimit, 2*time.Millisecond) || !holds {
		require.FailNow(t, never, "ended: %t; its log:\n%s", p.ended(), p.Log())
	}
}

func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Signal sends sig.
func (p *Process) Signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(sig))
}

// Pid returns the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Wait waits until the process ends. It returns the exit status.
func (p *Process) Wait() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// Log returns what the process has written so far.
func (p *Process) Log() string { return p.log.String() }

// Run runs main with args and an empty environment until it ends.
func Run(t testing.TB, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = []string{mainEnv + "=1"}
	cmd.Stdout, cmd.Stderr = &out, &err
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}

// Buffer is a bytes.Buffer for concurrent use.
type Buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write appends p.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String returns all that was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
