package target

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"booking/seatlock/redistest/freeport"
)

// ErrNoRedis means that there is no redis-server to start.
var ErrNoRedis = errors.New("no redis-server: install it or set REDIS_SERVER to its path, or leave -chaos out")

// Redis is a real redis-server that has each write on disk before it answers.
type Redis struct {
	Version string
	program string
	addr    string
	dir     string
	client  *redis.Client

	mu      sync.Mutex // of what follows
	cmd     *exec.Cmd
	stopped bool
}

// running is each Redis from its start until Stop.
var running = struct {
	sync.Mutex
	servers map[*Redis]struct{}
}{servers: map[*Redis]struct{}{}}

// StopAll stops every Redis of this process. Call it before an exit that calls no Stop:
// a redis-server does not end with the process that started it.
func StopAll() {
	running.Lock()
	servers := slices.Collect(maps.Keys(running.servers))
	running.Unlock()
	for _, r := range servers {
		r.Stop()
	}
}

// StartRedis starts the redis-server on the PATH, or the one that REDIS_SERVER names, in
// a directory that Stop removes.
func StartRedis(ctx context.Context) (*Redis, error) {
	program := cmp.Or(os.Getenv("REDIS_SERVER"), "redis-server")
	if _, err := exec.LookPath(program); err != nil {
		return nil, ErrNoRedis
	}
	port, _, err := freeport.Reserve() // until this process ends
	if err != nil {
		return nil, err
	}
	r := &Redis{addr: net.JoinHostPort("127.0.0.1", port), program: program}
	if r.dir, err = os.MkdirTemp("", "rush"); err != nil {
		return nil, err
	}
	r.client = redis.NewClient(&redis.Options{Addr: r.addr, MaxRetries: -1, DialerRetries: 1})
	running.Lock()
	running.servers[r] = struct{}{}
	running.Unlock()
	if err := r.start(ctx); err != nil {
		r.Stop()
		return nil, err
	}
	info, err := r.client.InfoMap(ctx, "server").Result()
	if err != nil {
		r.Stop()
		return nil, err
	}
	r.Version = info["Server"]["redis_version"]
	return r, nil
}

// URL is the address as REDIS_URL has it.
func (r *Redis) URL() string { return "redis://" + r.addr }

// logFile is what the server logs to, in its directory.
const logFile = "redis.log"

// start starts the server, on the files that it left, and waits until it answers.
func (r *Redis) start(ctx context.Context) error {
	if err := r.launch(); err != nil {
		return err
	}
	for range 1000 {
		err := r.client.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("redis-server does not answer at %s: its log ends with %q; run rush again", r.addr, r.lastLine())
}

// launch starts the server's process, unless Stop was called.
func (r *Redis) launch() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return errors.New("redis-server is stopped")
	}
	_, port, err := net.SplitHostPort(r.addr)
	if err != nil {
		return err
	}
	r.cmd = exec.Command(r.program, "--bind", "127.0.0.1", "--port", port, "--dir", r.dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction", "--logfile", logFile)
	shield(r.cmd)
	return r.cmd.Start()
}

// lastLine is what the server logged last.
func (r *Redis) lastLine() []byte {
	text, err := os.ReadFile(filepath.Join(r.dir, logFile))
	if err != nil {
		return nil
	}
	text = bytes.TrimSpace(text)
	return text[bytes.LastIndexByte(text, '\n')+1:]
}

// kill ends the server as a crash would.
func (r *Redis) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.killLocked()
}

func (r *Redis) killLocked() {
	if r.cmd != nil && r.cmd.Process != nil && r.cmd.ProcessState == nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
	}
}

// Stop ends the server and removes its files. It may be called more than once.
func (r *Redis) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	r.killLocked()
	_ = r.client.Close()
	_ = os.RemoveAll(r.dir)
	running.Lock()
	defer running.Unlock()
	delete(running.servers, r)
}
