package knative_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
)

// startRedis runs redis-server with the configuration files of the StatefulSet, its data in dir and
// further args. It returns the port and a function that kills the server. The variable REDIS_SERVER
// may name another program.
func startRedis(t testing.TB, dir string, args ...string) (port string, stop func()) {
	t.Helper()
	s := rendering(t, redis)
	sets := all[appsv1.StatefulSet](s)
	require.Len(t, sets, 1)
	spec := sets[0].Spec.Template.Spec
	require.Equal(t, []string{"redis-server", "/etc/redis/redis.conf"}, spec.Containers[0].Command)
	mounted := t.TempDir()
	for name, content := range configMap(s, spec.Volumes[0].ConfigMap.Name) {
		require.NoError(t, os.WriteFile(filepath.Join(mounted, name), []byte(content), 0o600))
	}
	port = freePort(t)
	args = slices.Concat([]string{filepath.Join(mounted, "redis.conf"), "--aclfile", filepath.Join(mounted, "users.acl"),
		"--dir", dir, "--bind", "127.0.0.1", "--port", port}, args)
	cmd := exec.Command(cmp.Or(os.Getenv("REDIS_SERVER"), "redis-server"), args...)
	require.NoError(t, cmd.Start())
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(stop)
	return port, stop
}

// probe runs a probe's command of the StatefulSet against a port. It returns the output, and an error
// if the kubelet would count a failure.
func probe(t testing.TB, name, port string) (string, error) {
	t.Helper()
	c := all[appsv1.StatefulSet](rendering(t, redis))[0].Spec.Template.Spec.Containers[0]
	args := c.LivenessProbe.Exec.Command
	if name == "readiness" {
		args = c.ReadinessProbe.Exec.Command
	}
	require.Equal(t, "redis-cli", args[0])
	out, err := exec.Command(args[0], append([]string{"-p", port}, args[1:]...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func awaitReady(t testing.TB, port string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := probe(t, "readiness", port)
		return err == nil
	}, waitLimit, 10*time.Millisecond, "Redis does not become ready")
}

// command runs a Redis command as the service's user.
func command(t testing.TB, port string, args ...string) string {
	t.Helper()
	out, err := exec.Command("redis-cli", append([]string{"-p", port, "--user", "booking", "--pass", "booking-dev", "--no-auth-warning"}, args...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return strings.TrimSpace(string(out))
}

func TestRedisUser_CanSell(t *testing.T) {
	t.Parallel()
	port, _ := startRedis(t, t.TempDir())
	awaitReady(t, port)
	b := start(t, map[string]string{"REDIS_URL": fmt.Sprintf("redis://booking:booking-dev@127.0.0.1:%s/0", port)})
	b.await(t, "/readyz")
	b.sell(t)
}

func TestRedisUser_CanDoNothingElse(t *testing.T) {
	t.Parallel()
	port, _ := startRedis(t, t.TempDir())
	awaitReady(t, port)
	for _, line := range []string{
		"FLUSHALL", "FLUSHDB", "KEYS *", "CONFIG SET appendfsync no", "CONFIG SET maxmemory-policy allkeys-lru", "GETDEL seat:{a}:1",
		"UNLINK other", "HGETALL event:{a}", "HSET other f v", "PEXPIRE seat:{a}:1 1", "GET seat:{a}:1", "SHUTDOWN NOSAVE", "ACL LIST", "CLIENT KILL TYPE normal",
		"REPLICAOF NO ONE", "SCRIPT FLUSH", "FUNCTION FLUSH", "MONITOR", "SAVE", "PTTL other",
	} {
		require.Contains(t, command(t, port, strings.Fields(line)...), "NOPERM", line)
	}
	require.Contains(t, command(t, port, "EVAL", "return redis.call('FLUSHALL')", "0"), "can't run this command or subcommand")
	require.Contains(t, command(t, port, "EVAL", "return redis.call('SET', KEYS[1], 1)", "1", "other"), "NOPERM")
	require.Equal(t, "OK", command(t, port, "EVAL", "return redis.call('SET', KEYS[1], 1)", "1", "seat:{a}:1"))
	out, err := exec.Command("redis-cli", "-p", port, "PING").CombinedOutput()
	require.NoError(t, err)
	require.Contains(t, string(out), "NOAUTH")
}

func TestRedisUser_MayRunEveryScriptCommand(t *testing.T) {
	t.Parallel()
	acl := configMap(rendering(t, redis), all[appsv1.StatefulSet](rendering(t, redis))[0].Spec.Template.Spec.Volumes[0].ConfigMap.Name)["users.acl"]
	scripts, err := filepath.Glob("../seatlock/lua/*.lua")
	require.NoError(t, err)
	require.NotEmpty(t, scripts)
	call := regexp.MustCompile(`redis\.p?call\(\s*'(\w+)'`)
	for _, script := range scripts {
		source, err := os.ReadFile(script)
		require.NoError(t, err)
		for _, m := range call.FindAllStringSubmatch(string(source), -1) {
			require.Contains(t, strings.Fields(acl), "+"+strings.ToLower(m[1]), script)
		}
	}
}

// key-load-delay makes loading longer than the test: Redis pauses after each write of the file. It
// replies to clients once in 1,024 writes.
func TestRedisProbes_TellLoadingFromDead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "appendonlydir"), 0o700))
	manifest := filepath.Join(dir, "appendonlydir", "appendonly.aof.manifest")
	require.NoError(t, os.WriteFile(manifest, []byte("file appendonly.aof.1.incr.aof seq 1 type i\n"), 0o600))
	writes := strings.Repeat("*3\r\n$3\r\nSET\r\n$10\r\nseat:{a}:1\r\n$8\r\nsold:ann\r\n", 200_000)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "appendonlydir", "appendonly.aof.1.incr.aof"), []byte(writes), 0o600))
	port, stop := startRedis(t, dir, "--key-load-delay", "1000")

	require.Eventually(t, func() bool {
		output, err := probe(t, "liveness", port)
		return err == nil && strings.Contains(output, "LOADING")
	}, waitLimit, time.Millisecond, "liveness fails while Redis loads")
	output, err := probe(t, "readiness", port)
	require.Error(t, err, "readiness succeeds while Redis loads")
	require.Contains(t, output, "LOADING")
	stop()
	port, _ = startRedis(t, dir)
	awaitReady(t, port)
	require.Equal(t, "-1", command(t, port, "PTTL", "seat:{a}:1"))
}

func TestRedisProbes_FailWithoutRedis(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"liveness", "readiness"} {
		_, err := probe(t, name, freePort(t))
		require.Error(t, err, name)
	}
}
