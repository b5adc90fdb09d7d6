package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/procfs"

	"booking/seatlock/redistest/freeport"
	"booking/seatlock/redistest/redisserver"
)

// servers are the processes that speed starts.
type servers struct {
	service, noop *process
	plain         *process // the plain handler
	redis         []*node  // one, or those of a cluster
	dir           string   // has the service's program
}

// startServers builds the service and starts everything, with a Redis Cluster if nodes is positive. The
// caller must call close.
func startServers(ctx context.Context, nodes int) (_ *servers, err error) {
	if _, err := redisserver.Program(); err != nil {
		return nil, usageErrorf("%v", err)
	}
	if _, err := exec.LookPath("go"); err != nil {
		return nil, usageErrorf("%v; install Go", err)
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
		return nil, usageErrorf("can't build the service: %s; run speed in the repository", bytes.TrimSpace(output))
	}
	if err = s.startRedis(ctx, nodes); err != nil {
		return nil, err
	}
	mode := "single"
	if nodes > 0 {
		mode = "cluster"
	}
	if s.service, err = start(ctx, "the service", program, "METRICS_PORT=0", "LOG_LEVEL=warn", "HOLD_TTL=24h", "MAX_HOLD=24h", "REDIS_MODE="+mode, "REDIS_URL="+s.redis[0].URL()); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if s.noop, err = start(ctx, "the no-op", self); err != nil {
		return nil, err
	}
	if nodes == 0 {
		s.plain, err = s.startPlain(ctx, self)
	}
	return s, err
}

func (s *servers) close() {
	for _, p := range []*process{s.noop, s.plain, s.service} {
		if p != nil {
			p.stop()
		}
	}
	for _, member := range s.redis {
		member.Stop()
	}
	_ = os.RemoveAll(s.dir)
}

// process is an HTTP server with one CPU.
type process struct {
	name, addr string
	cmd        *exec.Cmd
	stdin      io.Closer
	proc       procfs.Proc
	exited     chan struct{}
}

// start starts program on a free port with the environment env, and returns when its
// /readyz returns 200. Its log goes to stderr.
func start(ctx context.Context, name, program string, env ...string) (_ *process, err error) {
	port, _, err := freeport.Reserve() // until this process ends
	if err != nil {
		return nil, err
	}
	p := &process{name: name, addr: net.JoinHostPort("127.0.0.1", port), cmd: exec.Command(program), exited: make(chan struct{})}
	p.cmd.Env = append(slices.Clip(env), "GOMAXPROCS=1", "PORT="+port, noopEnv+"="+port)
	p.cmd.Stderr = os.Stderr
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
	if p.proc, err = procfs.NewProc(p.cmd.Process.Pid); err == nil {
		err = p.awaitReady(ctx)
	}
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("%s does not start: %w; see its log above", name, err)
	}
	return p, nil
}

func (p *process) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		resp, err := http.Get("http://" + p.addr + "/readyz")
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("/readyz returns %s", resp.Status)
		}
		select {
		case <-p.exited:
			return errors.New(p.cmd.ProcessState.String())
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	<-p.exited
	_ = p.stdin.Close()
}

// cpuTime returns the CPU time of a process so far, in steps of 10 ms.
func cpuTime(p procfs.Proc) (time.Duration, error) {
	stat, err := p.Stat()
	return time.Duration(stat.CPUTime() * float64(time.Second)), err
}

// memory returns the resident memory of p in bytes.
func (p *process) memory() (int, error) {
	stat, err := p.proc.Stat()
	return stat.ResidentMemory(), err
}
