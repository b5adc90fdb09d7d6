//go:build e2e

package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var manifests = flag.String("manifests", "..", "the folder with the manifests")

const (
	namespace   = "booking-e2e"
	sellerToken = "a-token-of-a-seller-with-32-characters"
	// patience limits each wait: a small node is slow while everything starts.
	patience = 3 * time.Minute
)

// cluster is the one that kubectl talks to.
type cluster struct {
	t    *testing.T
	rows []string // of the table that is printed at the end
}

// kubectl runs kubectl in the namespace, and returns its output. It fails the test if kubectl fails.
func (c *cluster) kubectl(args ...string) string {
	c.t.Helper()
	out, err := c.try("", args...)
	require.NoError(c.t, err, "kubectl %s: %s", strings.Join(args, " "), out)
	return out
}

// try runs kubectl in the namespace, with an input.
func (c *cluster) try(input string, args ...string) (string, error) {
	// A clean-up runs after the end of the test's context.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.t.Context()), patience+10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "kubectl", append([]string{"--namespace", namespace}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// apply applies a kustomization of this folder.
func (c *cluster) apply(dir string) {
	c.t.Helper()
	c.kubectl("apply", "-k", filepath.Join(*manifests, "e2e", dir))
}

// wait waits for a rollout, like deploy/booking.
func (c *cluster) rollout(what string) {
	c.t.Helper()
	c.kubectl("rollout", "status", what, "--timeout="+patience.String())
}

// step runs a step, and notes how long it took and what it returns.
func (c *cluster) step(name string, run func() string) {
	c.t.Helper()
	began := time.Now()
	detail := run()
	c.rows = append(c.rows, fmt.Sprintf("| %s | %.0f s | %s |", name, time.Since(began).Seconds(), detail))
	c.t.Log(c.rows[len(c.rows)-1])
}

// forward calls do with the URL of the Service booking, from this machine.
func (c *cluster) forward(do func(url string)) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, "kubectl", "--namespace", namespace, "port-forward", "service/booking", ":80")
	out, err := cmd.StdoutPipe()
	require.NoError(c.t, err)
	require.NoError(c.t, cmd.Start())
	defer func() { cancel(); _ = cmd.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(c.t, err, "kubectl port-forward printed nothing")
	port := regexp.MustCompile(`127\.0\.0\.1:(\d+)`).FindStringSubmatch(line)
	require.Len(c.t, port, 2, line)
	do("http://127.0.0.1:" + port[1])
}

// answer is the answer to a call.
type answer struct {
	status int
	header http.Header
	body   map[string]any
}

// call makes a call as the seller.
func (c *cluster) call(method, url, body string) answer {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewBufferString(body))
	require.NoError(c.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+sellerToken)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	a := answer{resp.StatusCode, resp.Header, map[string]any{}}
	if len(text) > 0 {
		require.NoError(c.t, json.Unmarshal(text, &a.body), "%s", text)
	}
	return a
}

// firstChange returns the type of the first change of an event.
func (c *cluster) firstChange(url string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	require.NoError(c.t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	defer func() { _ = resp.Body.Close() }()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if kind, found := strings.CutPrefix(lines.Text(), "event: "); found {
			return kind
		}
	}
	require.Fail(c.t, "the stream ended without a change")
	return ""
}

// evict evicts the pods of booking one after the other, as a drain of their nodes does. It obeys the
// PodDisruptionBudget.
func (c *cluster) evict(most int) (evicted int) {
	c.t.Helper()
	names := strings.Fields(c.kubectl("get", "pods", "-l", "app.kubernetes.io/component=all", "-o", "jsonpath={.items[*].metadata.name}"))
	for _, name := range names[:min(most, len(names))] {
		eviction := fmt.Sprintf(`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":%q,"namespace":%q}}`, name, namespace)
		require.Eventually(c.t, func() bool {
			_, err := c.try(eviction, "create", "--raw", "/api/v1/namespaces/"+namespace+"/pods/"+name+"/eviction", "-f", "-")
			return err == nil
		}, patience, time.Second, "%s can't be evicted", name)
		evicted++
	}
	return evicted
}
