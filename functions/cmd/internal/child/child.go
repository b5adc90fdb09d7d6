// Package child runs the service for a command that needs one: in a process of its own, with
// the embedded Redis unless the environment names another.
package child

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"booking/functions/cmd/internal/service"
)

// serves is the environment variable that makes a process a child.
const serves = "SERVES_AS_CHILD"

// Child is a process that runs the service.
type Child struct {
	URL   string
	cmd   *exec.Cmd
	stdin io.Closer
}

// Start starts this program again, as a child. env has NAME=value entries, the child's whole
// environment. Its log goes to stderr. The program must call Serve before all else.
func Start(env ...string) (*Child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &Child{cmd: exec.Command(program)}
	c.cmd.Env = append([]string{serves + "=1", "METRICS_PORT=0", "LOG_LEVEL=error", "DRAIN_DELAY=0s"}, env...)
	c.cmd.Stderr = os.Stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the service does not start: %v; see its log above", c.Stop())
	}
	c.URL = strings.TrimSpace(line)
	return c, nil
}

// Stop ends the child. It returns how it ended, and what it used.
func (c *Child) Stop() *os.ProcessState {
	_ = c.stdin.Close()
	_ = c.cmd.Wait()
	return c.cmd.ProcessState
}

// Serve does nothing unless this process is a child. Then it runs the service and exits when
// its stdin ends, so the child never outlives its parent. version names the build.
func Serve(version string) {
	if os.Getenv(serves) == "" {
		return
	}
	signal.Ignore(os.Interrupt, syscall.SIGTERM) // a Ctrl-C reaches both; the parent ends the child
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	os.Exit(service.Run(ctx, version, serve))
}

// serve writes the service's URL to stdout.
func serve(ctx context.Context, s *service.Service) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	return s.Serve(ctx, listener)
}
