package target

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"booking/seatlock/redistest/freeport"
)

// Redis is a real redis-server that has each write on disk before it answers.
type Redis struct {
	Version string
	program string
	addr    string
	dir     string
	cmd     *exec.Cmd
	client  *redis.Client
}

// StartRedis starts the redis-server on the PATH, or the one that REDIS_SERVER names, in
// a directory that Stop removes.
func StartRedis(ctx context.Context) (*Redis, error) {
	program := cmp.Or(os.Getenv("REDIS_SERVER"), "redis-server")
	if _, err := exec.LookPath(program); err != nil {
		return nil, fmt.Errorf("there is no %s on the PATH", program)
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

// start starts the server, on the files that it left, and waits until it answers.
func (r *Redis) start(ctx context.Context) error {
	_, port, _ := net.SplitHostPort(r.addr)
	r.cmd = exec.Command(r.program, "--bind", "127.0.0.1", "--port", port, "--dir", r.dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction", "--logfile", "redis.log")
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // out of reach of Ctrl-C
	if err := r.cmd.Start(); err != nil {
		return err
	}
	for range 1000 {
		if r.client.Ping(ctx).Err() == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("redis-server on port %s does not answer", strconv.Quote(port))
}

// kill ends the server as a crash would.
func (r *Redis) kill() {
	if r.cmd != nil && r.cmd.Process != nil && r.cmd.ProcessState == nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
	}
}

// Stop ends the server and removes its files.
func (r *Redis) Stop() {
	r.kill()
	_ = r.client.Close()
	_ = os.RemoveAll(r.dir)
}
