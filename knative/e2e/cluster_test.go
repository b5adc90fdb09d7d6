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
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

var (
	manifests = flag.String("manifests", "..", "the folder with the manifests")
	here      = flag.String("here", "", "an address of this machine that the pods reach; by default, the one from which it reaches the first node")
	gateway   = flag.String("gateway", "kourier-system/kourier", "the namespace and the name of the Service of the Gateway")
	internal  = flag.String("internal", "kourier-system/kourier-internal", "those of the Service by which Knative's ingress routes inside the cluster")
)

const (
	namespace   = "booking-e2e" // of TestPlain
	sellerToken = "a-token-of-a-seller-with-32-characters"
	// patience limits each wait: a small node is slow while everything starts.
	patience = 3 * time.Minute
)

// cluster is the one that kubectl talks to.
type cluster struct {
	t         *testing.T
	namespace string
	rows      []string // of the table that is printed at the end
}

// open returns the cluster without the namespace of a test, and deletes it when the test ends.
func open(t *testing.T, namespace string) *cluster {
	t.Helper()
	c := &cluster{t: t, namespace: namespace}
	_, _ = c.try("", "delete", "namespace", namespace, "--ignore-not-found", "--timeout="+patience.String())
	t.Cleanup(func() {
		if t.Failed() {
			for _, args := range [][]string{{"get", "pods,jobs,events"}, {"logs", "-l", "app.kubernetes.io/name=booking", "--all-containers", "--prefix", "--tail=10"}} {
				out, _ := c.try("", args...)
				t.Log(out)
			}
		}
		_, _ = c.try("", "delete", "namespace", namespace, "--wait=false")
		t.Logf("\n| step | time | seen |\n| --- | ---: | --- |\n%s", strings.Join(c.rows, "\n"))
	})
	return c
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
	return c.run(input, append([]string{"--namespace", c.namespace}, args...)...)
}

// run runs kubectl with an input.
func (c *cluster) run(input string, args ...string) (string, error) {
	// A clean-up runs after the end of the test's context.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.t.Context()), patience+10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "kubectl", args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// apply applies a kustomization of this folder. It names the namespaces.
func (c *cluster) apply(dir string) {
	c.t.Helper()
	out, err := c.run("", "apply", "-k", filepath.Join(*manifests, "e2e", dir))
	require.NoError(c.t, err, out)
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

// forward calls do with a URL of a Service, given as NAMESPACE/NAME, from this machine.
func (c *cluster) forward(service string, do func(url string)) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	in, name, _ := strings.Cut(service, "/")
	cmd := exec.CommandContext(ctx, "kubectl", "--namespace", in, "port-forward", "service/"+name, ":80")
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

// caller makes calls to a URL.
type caller struct {
	*cluster
	url   string
	host  string // "": that of the URL
	token string // "": none
}

// callTimeout is how long a call may take. A function may have to start.
const callTimeout = 30 * time.Second

func (c caller) send(ctx context.Context, method, path, body string) *http.Response {
	c.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewBufferString(body))
	require.NoError(c.t, err)
	req.Host = c.host
	req.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	return resp
}

// get returns what GET answers.
func (c caller) get(path string) (status int, text string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), callTimeout)
	defer cancel()
	resp := c.send(ctx, http.MethodGet, path, "")
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	return resp.StatusCode, string(body)
}

// call makes a call whose answer is JSON, if it is from booking.
func (c caller) call(method, path, body string) answer {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), callTimeout)
	defer cancel()
	resp := c.send(ctx, method, path, body)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	a := answer{resp.StatusCode, resp.Header, map[string]any{"text": string(text)}}
	_ = json.Unmarshal(text, &a.body) // a gateway's answer is text
	return a
}

// firstChange returns the type of the first change of an event.
func (c caller) firstChange(event string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), callTimeout)
	defer cancel()
	resp := c.send(ctx, http.MethodGet, "/changes?last_event_id=0&event_id="+event, "")
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
		eviction := fmt.Sprintf(`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":%q,"namespace":%q}}`, name, c.namespace)
		require.Eventually(c.t, func() bool {
			_, err := c.try(eviction, "create", "--raw", "/api/v1/namespaces/"+c.namespace+"/pods/"+name+"/eviction", "-f", "-")
			return err == nil
		}, patience, time.Second, "%s can't be evicted", name)
		evicted++
	}
	return evicted
}

// verdict waits for the end of an on-sale, and returns what its oracle says.
func (c *cluster) verdict() string {
	c.t.Helper()
	c.kubectl("wait", "--for=condition=complete", "job/rush", "--timeout="+patience.String())
	log := c.kubectl("logs", "job/rush")
	for line := range strings.SplitSeq(log, "\n") {
		if strings.Contains(line, "Oracle") {
			return strings.TrimSpace(line)
		}
	}
	require.Fail(c.t, "no verdict", log)
	return ""
}

// scrape reads the metrics of all pods that a PodMonitor of ../monitoring selects, as Prometheus does. It
// returns how many there are.
func (c *cluster) scrape(file string) int {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(*manifests, "monitoring", file))
	require.NoError(c.t, err)
	var monitor monitoring.PodMonitor
	require.NoError(c.t, yaml.Unmarshal(text, &monitor))
	selector, err := meta.LabelSelectorAsSelector(&monitor.Spec.Selector)
	require.NoError(c.t, err)
	endpoint := monitor.Spec.PodMetricsEndpoints[0]
	pods := strings.Fields(c.kubectl("get", "pods", "-l", selector.String(), "--field-selector=status.phase=Running", "-o", "jsonpath={.items[*].metadata.name}"))
	for _, pod := range pods {
		path := fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:%d/proxy%s", c.namespace, pod, *endpoint.PortNumber, endpoint.Path)
		parser := expfmt.NewTextParser(model.UTF8Validation)
		metrics, err := parser.TextToMetricFamilies(strings.NewReader(c.kubectl("get", "--raw", path) + "\n"))
		require.NoError(c.t, err, pod)
		require.Contains(c.t, metrics, "booking_build_info", pod)
	}
	return len(pods)
}
