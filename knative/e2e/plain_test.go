//go:build e2e

// Package e2e_test runs the manifests in a real cluster, and takes it apart under load. ../README.md tells how.
package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPlain deploys ../plain with a Redis and a seller, sells, and runs an on-sale while its pods are replaced,
// Redis is killed and the pods are evicted. At the end it takes Redis away.
func TestPlain(t *testing.T) {
	c := &cluster{t: t}
	_, _ = c.try("", "delete", "namespace", namespace, "--ignore-not-found", "--timeout="+patience.String())
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := c.try("", "get", "pods,jobs,events", "-o", "wide")
			t.Log(out)
		}
		_, _ = c.try("", "delete", "namespace", namespace, "--wait=false")
		t.Logf("\n| step | time | seen |\n| --- | ---: | --- |\n%s", strings.Join(c.rows, "\n"))
	})

	c.step("deploy under the restricted Pod Security Standard", func() string {
		c.kubectl("create", "namespace", namespace)
		c.kubectl("create", "secret", "generic", "booking-redis", "--from-literal=url=redis://booking:booking-dev@booking-redis:6379/0")
		c.kubectl("create", "secret", "generic", "booking-seller", "--from-literal=token="+sellerToken)
		c.apply("plain")
		c.rollout("statefulset/booking-redis")
		c.rollout("deployment/booking")
		return c.kubectl("get", "deployment", "booking", "-o", "jsonpath={.status.readyReplicas}") + " pods ready"
	})
	c.step("a pod that asks for more is refused", func() string {
		out, err := c.try("", "run", "bad", "--image=bad", "--dry-run=server")
		require.Error(t, err)
		require.Contains(t, out, "violates PodSecurity")
		return "violates PodSecurity"
	})
	c.step("put an event, sell a seat, follow the changes", func() string {
		c.forward(func(url string) {
			require.Equal(t, http.StatusCreated, c.call(http.MethodPut, url+"/events/gala", `{"title":"Gala","plan":"1-12:A-H"}`).status)
			seat := `{"event_id":"gala","seat_id":"9A","user_id":"ann"}`
			require.Equal(t, "reserved", c.call(http.MethodPost, url+"/reserve", seat).body["status"])
			require.Equal(t, "seat_unavailable", c.call(http.MethodPost, url+"/reserve", `{"event_id":"gala","seat_ids":["9A","9B"],"user_id":"bob"}`).body["code"])
			require.Equal(t, "sold", c.call(http.MethodPost, url+"/buy", seat).body["status"])
			require.Equal(t, "Sold", c.call(http.MethodGet, url+"/seats/9A?event_id=gala", "").body["status"])
			require.Equal(t, "held", c.firstChange(url+"/changes?event_id=gala&last_event_id=0"))
		})
		return "sold"
	})
	c.step("the on-sale begins", func() string {
		c.apply("rush")
		c.kubectl("wait", "--for=jsonpath={.status.ready}=1", "job/rush", "--timeout="+patience.String())
		return "the Job's pod is ready"
	})
	c.step("all pods are replaced under load", func() string {
		c.kubectl("rollout", "restart", "deployment/booking")
		c.rollout("deployment/booking")
		return ""
	})
	c.step("Redis is killed under load", func() string {
		c.kubectl("delete", "pod", "booking-redis-0", "--grace-period=0", "--force")
		c.rollout("statefulset/booking-redis")
		return ""
	})
	c.step("pods are evicted under load, as by a drain", func() string {
		n := c.evict(2)
		c.rollout("deployment/booking")
		require.Equal(t, 2, n)
		return "2 pods evicted"
	})
	c.step("the on-sale ends", func() string {
		c.kubectl("wait", "--for=condition=complete", "job/rush", "--timeout="+patience.String())
		log := c.kubectl("logs", "job/rush")
		for line := range strings.SplitSeq(log, "\n") {
			if strings.Contains(line, "Oracle") {
				return strings.TrimSpace(line)
			}
		}
		require.Fail(t, "no verdict", log)
		return ""
	})
	c.step("without Redis calls are 503 at once, and the pods stay ready", func() string {
		c.kubectl("scale", "statefulset/booking-redis", "--replicas=0")
		c.kubectl("wait", "--for=delete", "pod/booking-redis-0", "--timeout="+patience.String())
		var refused answer
		c.forward(func(url string) {
			require.Eventually(t, func() bool {
				refused = c.call(http.MethodPost, url+"/reserve", `{"event_id":"gala","seat_id":"1A","user_id":"ann"}`)
				return refused.status == http.StatusServiceUnavailable
			}, patience, time.Second)
		})
		require.NotEmpty(t, refused.header.Get("Retry-After"))
		require.Equal(t, "3", c.kubectl("get", "deployment", "booking", "-o", "jsonpath={.status.readyReplicas}"))
		require.Equal(t, 1, c.evict(1), "a drain without Redis") // its replacement becomes ready with Redis
		return "503, Retry-After: " + refused.header.Get("Retry-After") + "; 3 pods ready; a pod can be evicted"
	})
	c.step("Redis is back, and nothing is lost", func() string {
		c.kubectl("scale", "statefulset/booking-redis", "--replicas=1")
		c.rollout("statefulset/booking-redis")
		c.rollout("deployment/booking")
		c.forward(func(url string) {
			require.Eventually(t, func() bool {
				return c.call(http.MethodGet, url+"/seats/9A?event_id=gala", "").body["status"] == "Sold"
			}, patience, time.Second)
			require.Equal(t, "reserved", c.call(http.MethodPost, url+"/reserve", `{"event_id":"gala","seat_id":"1A","user_id":"ann"}`).body["status"])
		})
		return "the sale is there"
	})
}
