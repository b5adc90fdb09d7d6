// Package redistest gives tests a Redis: miniredis in the test's process, or a real
// server.
//
// The real server is the program that REDIS_SERVER names, or the redis-server on the PATH.
package redistest

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest/freeport"
	"booking/seatlock/redistest/redisserver"
)

// WaitLimit limits how long a test waits for a condition. It is long enough for a slow or
// busy machine.
const WaitLimit = 2 * time.Minute

// Program returns the path of a program that a test needs, see redisserver.Program for
// "redis-server". Without the program the test is skipped. It fails instead if NO_SKIP or,
// for a redis-server, REDIS_SERVER is set.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	required := os.Getenv("NO_SKIP") != ""
	if name == "redis-server" {
		path, err = redisserver.Program()
		required = required || os.Getenv("REDIS_SERVER") != ""
	}
	switch {
	case err != nil && required:
		t.Fatalf("needs %s: %v", name, err)
	case err != nil:
		t.Skipf("needs %s: %v", name, err)
	}
	return path
}

// Redis is a running Redis that stops when its test ends.
type Redis struct {
	Addr   string               // host:port
	Mini   *miniredis.Miniredis // nil for a real server
	server *redisserver.Server  // nil for a miniredis
	// The users that Client and Admin connect as. nil means the default user.
	service, admin *url.Userinfo
}

// Each runs test with an empty miniredis and with an empty Server.
func Each(t *testing.T, test func(t *testing.T, r *Redis)) {
	t.Run("miniredis", func(t *testing.T) {
		t.Parallel()
		test(t, Mini(t))
	})
	t.Run("redis-server", func(t *testing.T) {
		t.Parallel()
		test(t, Server(t))
	})
}

// Mini starts a miniredis. Only Advance moves its clock.
func Mini(t testing.TB) *Redis {
	t.Helper()
	mini := miniredis.RunT(t)
	mini.SetTime(time.Now())
	mini.ClockTTL(true)
	return &Redis{Addr: mini.Addr(), Mini: mini}
}

// Server starts a real redis-server on a free port, with args as further arguments.
// Without a redis-server it does as Program does. URL and Client connect as the user of
// knative/redis/users.acl, which may run only the commands that the service needs.
func Server(t testing.TB, args ...string) *Redis {
	t.Helper()
	users, err := os.ReadFile(filepath.Join(root(t), "knative", "redis", "users.acl"))
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "users.acl")
	require.NoError(t, os.WriteFile(file, append(users, "user admin on nopass allkeys allcommands\n"...), 0o600))
	r := &Redis{service: url.UserPassword("booking", "booking-dev"), admin: url.UserPassword("admin", "any")}
	return r.start(t, append([]string{"--save", "", "--aclfile", file}, args...))
}

// Bare is Server without an ACL: every client may run every command.
func Bare(t testing.TB, args ...string) *Redis {
	t.Helper()
	return (&Redis{}).start(t, append([]string{"--save", ""}, args...))
}

// Sentinel starts a real Redis Sentinel on a free port, with args as further arguments. It watches
// the primary at an address of this machine, by the name seats: quorum Sentinels replace it when it
// has not answered for a second. Without a redis-server it does as Program does.
func Sentinel(t testing.TB, primary string, quorum int, args ...string) *Redis {
	t.Helper()
	_, port, err := net.SplitHostPort(primary)
	require.NoError(t, err)
	conf := filepath.Join(t.TempDir(), "sentinel.conf") // the Sentinel writes to it
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil,
		"sentinel monitor seats 127.0.0.1 %s %d\nsentinel down-after-milliseconds seats 1000\nsentinel failover-timeout seats 5000\n", port, quorum), 0o600))
	return (&Redis{}).start(t, append([]string{conf, "--sentinel"}, args...))
}

func (r *Redis) start(t testing.TB, args []string) *Redis {
	t.Helper()
	Program(t, "redis-server") // skips or fails
	password, _ := r.admin.Password()
	var err error
	r.server, err = redisserver.Start(t.Context(), redisserver.Options{Args: args, Username: r.admin.Username(), Password: password})
	require.NoError(t, err)
	t.Cleanup(r.server.Stop)
	r.Addr = r.server.Addr
	return r
}

// Start starts a real server again after Kill, on the same port and files, and waits
// until it answers.
func (r *Redis) Start(t testing.TB) {
	t.Helper()
	require.NoError(t, r.server.Restart(t.Context()))
}

// Kill ends a real server as a crash does.
func (r *Redis) Kill(t testing.TB) {
	t.Helper()
	r.server.Kill()
}

// Pause stalls a real server until Resume: it keeps its connections and answers nothing.
func (r *Redis) Pause(t testing.TB) {
	t.Helper()
	require.NoError(t, r.server.Pause())
}

// Resume ends a Pause.
func (r *Redis) Resume(t testing.TB) {
	t.Helper()
	require.NoError(t, r.server.Resume())
}

// URL returns the server's address in the form that REDIS_URL takes.
func (r *Redis) URL() string {
	return (&url.URL{Scheme: "redis", User: r.service, Host: r.Addr, Path: "/0"}).String()
}

// Client returns a client with the service's permissions. It does not retry. It connects
// to addr, the address of a Proxy, if that is given.
func (r *Redis) Client(t testing.TB, addr ...string) *redis.Client {
	t.Helper()
	if len(addr) > 0 {
		return newClient(t, addr[0], r.service)
	}
	return newClient(t, r.Addr, r.service)
}

// Admin returns a client that may run every command.
func (r *Redis) Admin(t testing.TB) *redis.Client {
	t.Helper()
	return newClient(t, r.Addr, r.admin)
}

func newClient(t testing.TB, addr string, user *url.Userinfo) *redis.Client {
	t.Helper()
	password, _ := user.Password()
	client := redis.NewClient(&redis.Options{Addr: addr, Username: user.Username(), Password: password,
		MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// FreePort returns a TCP port that is reserved for a server of the test until the test ends.
func FreePort(t testing.TB) string {
	t.Helper()
	port, release, err := freeport.Reserve()
	require.NoError(t, err)
	t.Cleanup(release)
	return port
}

func (r *Redis) port() string {
	_, port, _ := net.SplitHostPort(r.Addr)
	return port
}

// root returns the repository's root directory.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "Dockerfile")); err == nil {
			return dir
		}
		require.NotEqual(t, dir, filepath.Dir(dir), "not within the repository")
		dir = filepath.Dir(dir)
	}
}
