// Package redistest gives tests a Redis: miniredis in the process, or a real server,
// which is the redis-server on the PATH or the program that REDIS_SERVER names.
package redistest

import (
	"context"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"booking/seatlock/redistest/freeport"
)

// noSkip is the environment variable that, set to anything, turns a test that
// would be skipped for want of a program into a failure.
const noSkip = "NO_SKIP"

// redisServer is the name of the program that REDIS_SERVER, where it is set, stands in
// for.
const redisServer = "redis-server"

// Patience is how long a test waits for what must happen, on a machine that is slow or
// busy with other things.
const Patience = 2 * time.Minute

// Program returns the path of a program that a test needs. The test is skipped if
// there is none on the PATH; it fails if NO_SKIP is set, or REDIS_SERVER for a
// redis-server.
func Program(t testing.TB, name string) string {
	t.Helper()
	chosen := os.Getenv("REDIS_SERVER")
	if name == redisServer && chosen != "" {
		path, err := exec.LookPath(chosen)
		if err != nil {
			t.Fatalf("REDIS_SERVER is %q: give the full path of a redis-server: %v", chosen, err)
		}
		return path
	}
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv(noSkip) != "" {
		t.Fatalf("%s is set, but there is no %s: %v", noSkip, name, err)
	}
	if err != nil {
		t.Skipf("needs %s on the PATH: %v", name, err)
	}
	return path
}

// Redis is a running Redis that ends with its test.
type Redis struct {
	Addr string               // host:port
	Mini *miniredis.Miniredis // nil for a real server
	args []string             // of the real server
	cmd  *exec.Cmd
	done chan struct{} // closed when cmd has ended
	// Whom the service connects as, and whom the tests; nil for the default user.
	service, admin *url.Userinfo
}

// Each runs test against miniredis and against a Server, each empty.
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

// Mini starts a miniredis whose clock stands still until Advance moves it.
func Mini(t testing.TB) *Redis {
	t.Helper()
	mini := miniredis.RunT(t)
	mini.SetTime(time.Now())
	mini.ClockTTL(true)
	return &Redis{Addr: mini.Addr(), Mini: mini}
}

// Server starts a real redis-server, with args after its own, on a free port;
// see Program for where there is none. The service connects to it as the user of
// knative/redis/users.acl, who may do what the service needs and nothing else.
func Server(t testing.TB, args ...string) *Redis {
	t.Helper()
	users, err := os.ReadFile(filepath.Join(root(t), "knative", "redis", "users.acl"))
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "users.acl")
	require.NoError(t, os.WriteFile(file, append(users, "user admin on nopass allkeys allcommands\n"...), 0o600))
	r := &Redis{service: url.UserPassword("booking", "booking-dev"), admin: url.UserPassword("admin", "any")}
	return r.init(t, append([]string{"--save", "", "--aclfile", file}, args...))
}

// Bare is Server without any rules of who may do what.
func Bare(t testing.TB, args ...string) *Redis {
	t.Helper()
	return (&Redis{}).init(t, append([]string{"--save", ""}, args...))
}

// Sentinel starts a real Redis Sentinel with the configuration file conf, and
// args after it, on a free port; see Program for where there is none.
func Sentinel(t testing.TB, conf string, args ...string) *Redis {
	t.Helper()
	return (&Redis{}).init(t, append([]string{conf, "--sentinel"}, args...))
}

// Cluster starts a real Redis Cluster of one node that owns every slot, with
// args after its own; see Program for where there is none.
func Cluster(t testing.TB, args ...string) *Redis {
	t.Helper()
	return Nodes(t, 1, args...)[0]
}

// Nodes starts a real Redis Cluster of n nodes, each with its part of the slots, and
// args after its own; see Program for where there is none.
func Nodes(t testing.TB, n int, args ...string) []*Redis {
	t.Helper()
	nodes := make([]*Redis, n)
	for i := range nodes {
		bus := FreePort(t)
		nodes[i] = Bare(t, append([]string{"--cluster-enabled", "yes", "--cluster-port", bus}, args...)...)
		if i > 0 {
			// Which port the bus has, CLUSTER MEET can't ask.
			require.NoError(t, nodes[0].Admin(t).Do(t.Context(), "cluster", "meet", "127.0.0.1", nodes[i].port(), bus).Err())
		}
	}
	const slots = 16384
	for i, node := range nodes {
		require.NoError(t, node.Admin(t).ClusterAddSlotsRange(t.Context(), i*slots/n, (i+1)*slots/n-1).Err())
	}
	for _, node := range nodes {
		client := node.Admin(t)
		require.Eventually(t, func() bool {
			info, err := client.ClusterInfo(t.Context()).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:"+strconv.Itoa(n))
		}, Patience, 5*time.Millisecond, "the cluster does not come up")
	}
	return nodes
}

func (r *Redis) port() string {
	_, port, _ := net.SplitHostPort(r.Addr)
	return port
}

// init gives r an address and args, and starts it.
func (r *Redis) init(t testing.TB, args []string) *Redis {
	t.Helper()
	program := Program(t, redisServer)
	port := FreePort(t)
	r.Addr = net.JoinHostPort("127.0.0.1", port)
	r.args = slices.Concat([]string{program}, args, []string{"--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir()})
	t.Cleanup(func() {
		if r.cmd != nil {
			r.Kill(t)
		}
	})
	r.Start(t)
	return r
}

// Start starts a server that was killed, with the same arguments and files, and
// waits until it answers.
func (r *Redis) Start(t testing.TB) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "redis.log"))
	require.NoError(t, err)
	defer func() { _ = log.Close() }() // of which the server has its own
	cmd, done := exec.Command(r.args[0], r.args[1:]...), make(chan struct{})
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	r.cmd, r.done = cmd, done
	client := r.Admin(t)
	answers := false
	require.Eventually(t, func() bool {
		select {
		case <-done:
			return true
		default:
		}
		answers = client.Ping(context.Background()).Err() == nil
		return answers
	}, Patience, 5*time.Millisecond, "%s does not answer", cmd)
	if !answers {
		said, err := os.ReadFile(log.Name())
		require.NoError(t, err)
		require.FailNow(t, "the server ends at once", "%s\n%s", cmd, said)
	}
}

// Kill ends a real server as a crash would.
func (r *Redis) Kill(t testing.TB) {
	t.Helper()
	_ = r.cmd.Process.Kill()
	<-r.done
}

// Signal sends sig to a real server: SIGSTOP stalls it, SIGCONT wakes it.
func (r *Redis) Signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, r.cmd.Process.Signal(sig))
}

// URL is the server's address as REDIS_URL takes it.
func (r *Redis) URL() string {
	return (&url.URL{Scheme: "redis", User: r.service, Host: r.Addr, Path: "/0"}).String()
}

// Client returns a client of r, as the service has it, that does not retry. addr
// may stand in for the server's own, where a Proxy is between.
func (r *Redis) Client(t testing.TB, addr ...string) *redis.Client {
	t.Helper()
	if len(addr) > 0 {
		return newClient(t, addr[0], r.service)
	}
	return newClient(t, r.Addr, r.service)
}

// Admin returns a client of r that may do everything.
func (r *Redis) Admin(t testing.TB) *redis.Client {
	t.Helper()
	return newClient(t, r.Addr, r.admin)
}

// ClusterClient returns a client of the cluster that r is a node of.
func ClusterClient(t testing.TB, r *Redis) *redis.ClusterClient {
	t.Helper()
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{r.Addr}, DialerRetries: 1, DialTimeout: time.Second,
		ReadTimeout: time.Minute, WriteTimeout: time.Minute, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func newClient(t testing.TB, addr string, user *url.Userinfo) *redis.Client {
	t.Helper()
	password, _ := user.Password()
	client := redis.NewClient(&redis.Options{Addr: addr, Username: user.Username(), Password: password,
		MaxRetries: -1, DialerRetries: 1, DialTimeout: time.Second, ReadTimeout: time.Minute, WriteTimeout: time.Minute, ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// times are those of a hold, in the value of its key.
var times = regexp.MustCompile(`\b\d{13}\b`)

// Advance lets d go by for every hold. miniredis moves its clock; a real server
// can't, so there the times of each hold come nearer by d.
func (r *Redis) Advance(t testing.TB, d time.Duration) {
	t.Helper()
	if r.Mini != nil {
		now, err := r.Admin(t).Time(t.Context()).Result()
		require.NoError(t, err)
		r.Mini.SetTime(now.Add(d))
		return
	}
	client := r.Admin(t)
	for keys := client.Scan(t.Context(), 0, "", 0).Iterator(); keys.Next(t.Context()); {
		expires, err := client.PExpireTime(t.Context(), keys.Val()).Result()
		require.NoError(t, err)
		if expires <= 0 {
			continue
		}
		at := time.UnixMilli(expires.Milliseconds()).Add(-d)
		kind, err := client.Type(t.Context(), keys.Val()).Result()
		require.NoError(t, err)
		if kind != "string" {
			require.NoError(t, client.PExpireAt(t.Context(), keys.Val(), at).Err())
			continue
		}
		value, err := client.Get(t.Context(), keys.Val()).Result()
		require.NoError(t, err)
		value = times.ReplaceAllStringFunc(value, func(ms string) string {
			at, _ := strconv.ParseInt(ms, 10, 64) // 13 digits
			return strconv.FormatInt(at-d.Milliseconds(), 10)
		})
		require.NoError(t, client.SetArgs(t.Context(), keys.Val(), value, redis.SetArgs{ExpireAt: at}).Err())
	}
}

// root returns the folder of the repository.
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

// FreePort returns a port that a server may listen on at any time until the test ends,
// and that the system gives to nobody else.
func FreePort(t testing.TB) string {
	t.Helper()
	port, release, err := freeport.Reserve()
	require.NoError(t, err)
	t.Cleanup(release)
	return port
}
