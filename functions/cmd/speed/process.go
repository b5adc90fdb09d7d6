package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/prometheus/procfs"
	"github.com/redis/go-redis/v9"

	"booking/seatlock/redistest/freeport"
)

// process is a server of its own, with one CPU where it is of Go.
type process struct {
	name, addr string
	cmd        *exec.Cmd
	stdin      io.Closer
	proc       procfs.Proc
	exited     chan struct{}
}

// start starts program with env, NAME=value each, and nothing else of the
// environment; it logs to stderr.
func start(name, addr, program string, args, env []string) (*process, error) {
	p := &process{name: name, addr: addr, cmd: exec.Command(program, args...), exited: make(chan struct{})}
	p.cmd.Env = append(env, "GOMAXPROCS=1")
	p.cmd.Stderr = os.Stderr
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	p.proc, err = procfs.NewProc(p.cmd.Process.Pid)
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	<-p.exited
	_ = p.stdin.Close()
}

// await waits until up returns nil.
func (p *process) await(ctx context.Context, up func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := up()
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended: %v; its log, above, says why", p.name, p.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("%s does not start: %w; its log, above, says why", p.name, err)
		case <-tick.C:
		}
	}
}

// cpu returns the CPU time that p has taken so far, in steps of 10 ms.
func (p *process) cpu() (time.Duration, error) {
	stat, err := p.proc.Stat()
	return time.Duration(stat.CPUTime() * float64(time.Second)), err
}

// memory returns how many bytes of memory p has.
func (p *process) memory() (int, error) {
	stat, err := p.proc.Stat()
	return stat.ResidentMemory(), err
}

// servers are what is loaded, and the Redis behind it.
type servers struct {
	service, noop, redis *process
	client               *redis.Client
	redisVersion         string
	dir                  string
}

// startServers starts them all; close ends them.
func startServers(ctx context.Context) (_ *servers, err error) {
	redisServer := cmp.Or(os.Getenv("REDIS_SERVER"), "redis-server")
	for _, program := range []string{redisServer, "go"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, wrong("%s is needed: it is not on the PATH; install it", program)
		}
	}
	s := &servers{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "speed"); err != nil {
		return nil, err
	}
	program := filepath.Join(s.dir, "booking")
	if output, err := exec.CommandContext(ctx, "go", "build", "-o", program, "booking/functions/cmd/booking").CombinedOutput(); err != nil {
		return nil, wrong("the service can't be built: %s; run speed within the repository", bytes.TrimSpace(output))
	}
	if err := s.startRedis(ctx, redisServer); err != nil {
		return nil, err
	}
	if s.service, err = startHTTP(ctx, "the service", program, "METRICS_PORT=0", "LOG_LEVEL=warn", "HOLD_TTL=24h", "MAX_HOLD=24h", "REDIS_URL=redis://"+s.redis.addr); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s.noop, err = startHTTP(ctx, "the no-op", self)
	return s, err
}

func (s *servers) startRedis(ctx context.Context, program string) (err error) {
	addr, port, err := freePort()
	if err != nil {
		return err
	}
	args := []string{"--bind", "127.0.0.1", "--port", port, "--dir", s.dir, "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"}
	if s.redis, err = start("redis-server", addr, program, args, nil); err != nil {
		return err
	}
	s.client = redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DialerRetries: 1, ReadTimeout: patience})
	if err := s.redis.await(ctx, func() error {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		return conn.Close()
	}); err != nil {
		return err
	}
	info, err := s.client.InfoMap(ctx, "server").Result()
	s.redisVersion = info["Server"]["redis_version"]
	return err
}

// startHTTP starts a server that says at /readyz when it is ready.
func startHTTP(ctx context.Context, name, program string, env ...string) (*process, error) {
	addr, port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := start(name, addr, program, nil, append(env, "PORT="+port, noopEnv+"="+port))
	if err != nil {
		return nil, err
	}
	err = p.await(ctx, func() error {
		resp, err := http.Get("http://" + addr + "/readyz")
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("/readyz is answered %s", resp.Status)
		}
		return nil
	})
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func (s *servers) close() {
	for _, p := range []*process{s.noop, s.service, s.redis} {
		if p != nil {
			p.stop()
		}
	}
	if s.client != nil {
		_ = s.client.Close()
	}
	_ = os.RemoveAll(s.dir)
}

// freePort returns an address of the loopback interface on which nobody else listens
// until this process ends.
func freePort() (addr, port string, err error) {
	port, _, err = freeport.Reserve()
	return net.JoinHostPort("127.0.0.1", port), port, err
}
