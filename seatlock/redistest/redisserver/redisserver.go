// Package redisserver starts a redis-server as a child process.
//
// It imports no testing: tests use it through package redistest, commands directly.
package redisserver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"booking/seatlock/redistest/freeport"
)

// StartTimeout limits how long Start and Restart wait for the server's first answer.
const StartTimeout = 2 * time.Minute

// ErrNotFound means that there is no redis-server to start.
var ErrNotFound = errors.New("no redis-server")

// Options configures a Server. Its zero value starts a Redis with its own defaults.
type Options struct {
	// Args are the command-line arguments: configuration such as "--save", "", or the
	// name of a configuration file and what follows it. Start adds the port, the
	// address and the directory.
	Args []string

	// Username and Password authenticate Client. Empty means the default user.
	Username, Password string

	// NewProcessGroup starts the server in a process group of its own. Then a Ctrl-C in
	// the terminal does not reach it, and the caller must call Stop.
	NewProcessGroup bool
}

// Server is a child process that runs a redis-server. Its methods may be called
// concurrently.
type Server struct {
	Addr    string        // host:port, the same after a Restart
	Name    string        // "Redis" or "Valkey"
	Version string        // for instance "7.0.15"
	Client  *redis.Client // authenticated by Options, without retries; Stop closes it

	command     []string // the program and its arguments
	dir         string
	options     Options
	releasePort func()

	mu      sync.Mutex // guards the fields below
	cmd     *exec.Cmd
	exited  chan struct{} // closed when cmd has exited
	stopped bool
}

// running has every Server from Start until Stop.
var running = struct {
	sync.Mutex
	servers map[*Server]struct{}
}{servers: map[*Server]struct{}{}}

// Program returns the path of the program that REDIS_SERVER names, or of the
// redis-server on the PATH if REDIS_SERVER is unset. Its error wraps ErrNotFound.
func Program() (string, error) {
	chosen := os.Getenv("REDIS_SERVER")
	path, err := exec.LookPath(cmp.Or(chosen, "redis-server"))
	switch {
	case err == nil:
		return path, nil
	case chosen != "":
		return "", fmt.Errorf("%w: REDIS_SERVER is %q: %w; set it to the path of a redis-server", ErrNotFound, chosen, err)
	}
	return "", fmt.Errorf("%w: %w; install it, or set REDIS_SERVER to its path", ErrNotFound, err)
}

// Start starts Program on a free port of 127.0.0.1, in a new directory. It returns when
// the server answers. If ctx ends first, or after StartTimeout, it returns an error that
// ends with the server's log. The caller must call Stop.
func Start(ctx context.Context, o Options) (*Server, error) {
	program, err := Program()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "redis-server-")
	if err != nil {
		return nil, err
	}
	port, release, err := freeport.Reserve()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &Server{
		Addr:        net.JoinHostPort("127.0.0.1", port),
		command:     slices.Concat([]string{program}, o.Args, []string{"--bind", "127.0.0.1", "--port", port, "--dir", dir}),
		dir:         dir,
		options:     o,
		releasePort: release,
	}
	s.Client = redis.NewClient(&redis.Options{Addr: s.Addr, Username: o.Username, Password: o.Password,
		MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, ContextTimeoutEnabled: true})
	running.Lock()
	running.servers[s] = struct{}{}
	running.Unlock()
	if err := s.Restart(ctx); err != nil {
		s.Stop()
		return nil, err
	}
	info, err := s.Client.InfoMap(ctx, "server").Result()
	if err != nil {
		s.Stop()
		return nil, fmt.Errorf("redis-server: version: %w", err)
	}
	server := info["Server"]
	if s.Name, s.Version = "Redis", server["redis_version"]; server["valkey_version"] != "" {
		s.Name, s.Version = "Valkey", server["valkey_version"]
	}
	return s, nil
}

// URL returns the address in the form that REDIS_URL takes, with the user of Options.
func (s *Server) URL() string {
	u := url.URL{Scheme: "redis", Host: s.Addr}
	if s.options.Username != "" || s.options.Password != "" {
		u.User = url.UserPassword(s.options.Username, s.options.Password)
	}
	return u.String()
}

// PID returns the process ID. Restart changes it.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd.Process.Pid
}

// Restart kills the server if it still runs, starts it on the same port and files, and
// returns when it answers. It waits and fails as Start does.
func (s *Server) Restart(ctx context.Context) error {
	exited, err := s.launch()
	if err != nil {
		return fmt.Errorf("redis-server: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, StartTimeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-exited:
			return fmt.Errorf("redis-server exited at once; its log ends with:\n%s", s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("redis-server does not answer at %s: %w (%w); its log ends with:\n%s", s.Addr, ctx.Err(), err, s.logTail())
		case <-tick.C:
		}
	}
}

// ping dials first, without Client: a Client slows down its dials after a few failures.
func (s *Server) ping(ctx context.Context) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return err
	}
	_ = conn.Close()
	return s.Client.Ping(ctx).Err()
}

// launch starts the process and returns a channel that is closed when it exits.
func (s *Server) launch() (exited <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, errors.New("stopped")
	}
	s.killLocked()
	log, err := os.Create(s.logFile())
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the process has its own descriptor
	cmd, done := exec.Command(s.command[0], s.command[1:]...), make(chan struct{})
	cmd.Stdout, cmd.Stderr = log, log
	if s.options.NewProcessGroup {
		newProcessGroup(cmd)
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	s.cmd, s.exited = cmd, done
	return done, nil
}

func (s *Server) logFile() string { return filepath.Join(s.dir, "redis-server.log") }

// logTail returns the last lines that the server logged since it was started.
func (s *Server) logTail() []byte {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return []byte(err.Error())
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-10):], []byte("\n"))
}

// Kill ends the server as a crash does and waits until it has exited.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.killLocked()
}

func (s *Server) killLocked() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
}

// Pause stalls the server until Resume: it keeps its connections and answers nothing.
// Windows can't pause a process; there it returns an error.
func (s *Server) Pause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return pause(s.cmd.Process)
}

// Resume ends a Pause.
func (s *Server) Resume() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return resume(s.cmd.Process)
}

// Stop kills the server, removes its files and closes Client. A second Stop does nothing.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	s.stopped = true
	s.killLocked()
	_ = s.Client.Close()
	_ = os.RemoveAll(s.dir)
	s.releasePort()
	running.Lock()
	defer running.Unlock()
	delete(running.servers, s)
}

// StopAll stops every server that this process started. Call it before os.Exit: a
// redis-server does not exit when its parent does.
func StopAll() {
	running.Lock()
	servers := slices.Collect(maps.Keys(running.servers))
	running.Unlock()
	for _, s := range servers {
		s.Stop()
	}
}
