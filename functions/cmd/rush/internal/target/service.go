// Package target starts what a storm is loosed on where no service is named: the
// service in a process of its own, so that its CPU can be told from the generator's.
package target

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/sethvargo/go-envconfig"

	"booking/functions/cmd/internal/service"
)

// serveEnv makes a process that has it the service.
const serveEnv = "RUSH_SERVES"

// Serves runs the service, where this process is to be that, until the process that
// started it is gone; false where it is not.
func Serves() bool {
	if os.Getenv(serveEnv) == "" {
		return false
	}
	signal.Ignore(os.Interrupt, syscall.SIGTERM) // Ctrl-C reaches both; the other one ends this one
	if err := serve(); err != nil {
		slog.Error("stopped", "error", err)
		os.Exit(1)
	}
	return true
}

// serve writes its address to stdout, and ends when stdin does.
func serve() error {
	env := envconfig.OsLookuper()
	c, err := service.Configure(context.Background(), nil, env, os.Stderr)
	if err != nil {
		return err
	}
	s, err := service.Open(context.Background(), c, env, "rush")
	if err != nil {
		return err
	}
	defer s.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: s.Handler, ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	go s.Monitor.Run(context.Background())
	fmt.Println("http://" + listener.Addr().String())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Service is the service as a process.
type Service struct {
	URL  string
	cmd  *exec.Cmd
	stop io.Closer
}

// Start starts the service with env, NAME=value each; it logs to stderr.
func Start(env ...string) (*Service, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &Service{cmd: exec.Command(program)}
	s.cmd.Env = append(env, serveEnv+"=1", "METRICS_PORT=0", "LOG_LEVEL=error")
	s.cmd.Stderr = os.Stderr
	if s.stop, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.Stop()
		return nil, fmt.Errorf("the service does not start: %v; its log, above, says why", s.cmd.ProcessState)
	}
	s.URL = strings.TrimSpace(line)
	return s, nil
}

// Stop ends the service and returns the CPU time that it took.
func (s *Service) Stop() time.Duration {
	_ = s.stop.Close()
	_ = s.cmd.Wait()
	return s.cmd.ProcessState.UserTime() + s.cmd.ProcessState.SystemTime()
}
