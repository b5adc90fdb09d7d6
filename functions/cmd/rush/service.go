package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"booking/functions/cmd/internal/service"
	"booking/seatlock/redistest/redisserver"
)

// target is the service that gets the load.
type target struct {
	url, name, redisName string
	redis                *redisserver.Server  // nil unless -chaos is set
	stop                 func() time.Duration // ends the service and returns its CPU time; 0 if rush did not start it
	close                func()               // ends everything that rush started
}

// openTarget returns the service that -url names, or starts one.
func openTarget(ctx context.Context, o *options) (*target, error) {
	if o.url != "" {
		return &target{url: o.url, name: o.url, redisName: "its own", stop: func() time.Duration { return 0 }, close: func() {}}, nil
	}
	t := &target{name: "started by rush, in a process of its own", redisName: "miniredis, inside the service"}
	var env []string
	stopRedis := func() {}
	if len(o.faults) > 0 {
		server, err := redisserver.Start(ctx, redisserver.Options{NewProcessGroup: true, Args: []string{
			"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"}})
		if errors.Is(err, redisserver.ErrNotFound) {
			return nil, usageErrorf("-chaos: %v, or leave -chaos out", err)
		}
		if err != nil {
			return nil, err
		}
		t.redis, stopRedis = server, server.Stop
		t.redisName = fmt.Sprintf("%s %s, appendfsync always", server.Name, server.Version)
		env = append(env, "REDIS_URL="+server.URL(), "REQUEST_TIMEOUT="+(stallTime/2).String())
	}
	child, err := startChild(o.connections, o.watchers, env)
	if err != nil {
		stopRedis()
		return nil, err
	}
	t.url = child.url
	t.stop = sync.OnceValue(child.stop)
	t.close = func() {
		t.stop()
		stopRedis()
	}
	return t, nil
}

// child is a process that runs the service. Its CPU time is measured apart from the
// generator's.
type child struct {
	url   string
	cmd   *exec.Cmd
	stdin io.Closer
}

// childEnv is the environment variable that makes a process a child.
const childEnv = "RUSH_SERVES"

// startChild starts this program again, as a child with the environment env. Its log
// goes to stderr.
func startChild(connections, watchers int, env []string) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(program)}
	c.cmd.Env = append(slices.Clip(env), childEnv+"=1", "METRICS_PORT=0", "LOG_LEVEL=error", "DRAIN_DELAY=0s",
		"MAX_CONNECTIONS="+strconv.Itoa(connections+watchers+1000), "MAX_STREAMS="+strconv.Itoa(watchers+500)) // more than needed
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
		c.stop()
		return nil, fmt.Errorf("the service does not start: %v; see its log above", c.cmd.ProcessState)
	}
	c.url = strings.TrimSpace(line)
	return c, nil
}

// stop ends the child and returns its CPU time.
func (c *child) stop() time.Duration {
	_ = c.stdin.Close()
	_ = c.cmd.Wait()
	return c.cmd.ProcessState.UserTime() + c.cmd.ProcessState.SystemTime()
}

// serveAsChild does nothing unless this process is a child. Then it runs the service and
// exits when its stdin ends, so the child never outlives its parent.
func serveAsChild() {
	if os.Getenv(childEnv) == "" {
		return
	}
	signal.Ignore(os.Interrupt, syscall.SIGTERM) // a Ctrl-C reaches both; the parent ends the child
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	os.Exit(service.Run(ctx, "rush", serve))
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
