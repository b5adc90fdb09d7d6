//go:build e2e

package e2e_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestKnative deploys ../overlays/dev with a seller, sells through the Gateway, and runs an on-sale while every
// function gets a new revision and Redis is killed. Then docs scales to zero and back, and Redis goes away.
func TestKnative(t *testing.T) {
	const namespace, host = "booking-dev", "booking.example.com"
	c := open(t, namespace)
	public := func(do func(caller)) {
		t.Helper()
		c.forward(*gateway, func(url string) { do(caller{cluster: c, url: url, host: host}) })
	}
	inside := func(function string, do func(caller)) { // as the shop's back end calls it
		t.Helper()
		c.forward(*internal, func(url string) {
			do(caller{cluster: c, url: url, host: function + "." + namespace + ".svc.cluster.local", token: sellerToken})
		})
	}
	services := func() []string {
		t.Helper()
		return strings.Fields(c.kubectl("get", "ksvc", "-o", "jsonpath={.items[*].metadata.name}"))
	}
	awaitReady := func() {
		t.Helper()
		c.kubectl("wait", "--for=condition=Ready", "ksvc", "--all", "--timeout="+patience.String())
	}

	c.step("deploy: every Knative Service is ready", func() string {
		c.kubectl("apply", "-f", filepath.Join(*manifests, "overlays", "dev", "namespace.yaml"))
		c.kubectl("create", "secret", "generic", "booking-seller", "--from-literal=token="+sellerToken)
		c.apply("knative")
		awaitReady()
		return fmt.Sprint(len(services()), " Services")
	})
	c.step("the Gateway routes to the functions", func() string {
		public(func(c caller) {
			for _, path := range []string{"/", "/docs", "/openapi.json", "/seats", "/seats/1A"} {
				require.Eventually(t, func() bool { status, _ := c.get(path); return status == http.StatusOK }, patience, time.Second, path)
			}
		})
		return ""
	})
	c.step("put an event inside the cluster, sell a seat through the Gateway, follow the changes", func() string {
		inside("events", func(c caller) {
			for event, body := range map[string]string{"gala": `{"title":"Gala","plan":"1-12:A-H"}`, "on-sale": `{"plan":"1-40:A-Y","hold_ttl":"10s"}`} {
				require.Equal(t, http.StatusCreated, c.call(http.MethodPut, "/events/"+event, body).status)
			}
		})
		public(func(c caller) {
			seat := `{"event_id":"gala","seat_id":"9A","user_id":"ann"}`
			require.Equal(t, "reserved", c.call(http.MethodPost, "/reserve", seat).body["status"])
			require.Equal(t, "seat_unavailable", c.call(http.MethodPost, "/reserve", `{"event_id":"gala","seat_ids":["9A","9B"],"user_id":"bob"}`).body["code"])
			require.Equal(t, http.StatusUnauthorized, c.call(http.MethodPost, "/buy", seat).status, "a buyer")
			c.token = sellerToken
			require.Equal(t, "sold", c.call(http.MethodPost, "/buy", seat).body["status"])
			require.Equal(t, "Sold", c.call(http.MethodGet, "/seats/9A?event_id=gala", "").body["status"])
			require.Equal(t, "held", c.firstChange("gala"))
			require.Equal(t, http.StatusNotFound, c.call(http.MethodPut, "/events/other", `{}`).status, "PUT has no public route")
		})
		return "sold"
	})
	c.step("the metrics of all pods are there for the PodMonitor", func() string {
		return fmt.Sprint(c.scrape("podmonitor-knative.yaml"), " pods")
	})
	c.step("the on-sale begins", func() string {
		in, name, _ := strings.Cut(*gateway, "/")
		ip := c.kubectl("get", "service", name, "--namespace="+in, "-o", "jsonpath={.spec.clusterIP}")
		job, err := exec.CommandContext(t.Context(), "kubectl", "kustomize", filepath.Join(*manifests, "e2e", "rush-knative")).Output()
		require.NoError(t, err)
		out, err := c.try(strings.ReplaceAll(string(job), "192.0.2.1", ip), "apply", "-f", "-")
		require.NoError(t, err, out)
		c.kubectl("wait", "--for=jsonpath={.status.ready}=1", "job/rush", "--timeout="+patience.String())
		return "the Job's pod is ready"
	})
	c.step("every function gets a new revision under load", func() string {
		for _, name := range services() {
			c.kubectl("patch", "ksvc", name, "--type=merge", "-p", `{"spec":{"template":{"metadata":{"annotations":{"e2e":"again"}}}}}`)
		}
		awaitReady()
		return ""
	})
	c.step("Redis is killed under load", func() string {
		c.kubectl("delete", "pod", "booking-redis-0", "--grace-period=0", "--force")
		c.rollout("statefulset/booking-redis")
		return ""
	})
	c.step("the on-sale ends", func() string { return c.verdict() })
	c.step("docs scales to zero, and starts for a call", func() string {
		require.Eventually(t, func() bool {
			return c.kubectl("get", "pods", "-l", "serving.knative.dev/service=docs", "-o", "name") == ""
		}, patience, time.Second)
		began := time.Now()
		public(func(c caller) {
			status, _ := c.get("/docs")
			require.Equal(t, http.StatusOK, status)
		})
		return fmt.Sprintf("answers after %.1f s", time.Since(began).Seconds())
	})
	c.step("without Redis calls are 503 at once; docs and the page are there", func() string {
		c.kubectl("scale", "statefulset/booking-redis", "--replicas=0")
		c.kubectl("wait", "--for=delete", "pod/booking-redis-0", "--timeout="+patience.String())
		var refused answer
		took := time.Duration(0)
		public(func(c caller) {
			require.Eventually(t, func() bool {
				began := time.Now()
				refused = c.call(http.MethodPost, "/reserve", `{"event_id":"gala","seat_id":"1A","user_id":"ann"}`)
				took = time.Since(began)
				return refused.status == http.StatusServiceUnavailable && refused.body["code"] == "unavailable"
			}, patience, time.Second)
			for _, path := range []string{"/", "/docs", "/openapi.json"} {
				status, _ := c.get(path)
				require.Equal(t, http.StatusOK, status, path)
			}
		})
		require.NotEmpty(t, refused.header.Get("Retry-After"))
		return fmt.Sprintf("503 after %.2f s, Retry-After: %s", took.Seconds(), refused.header.Get("Retry-After"))
	})
	c.step("Redis is back, and nothing is lost", func() string {
		c.kubectl("scale", "statefulset/booking-redis", "--replicas=1")
		c.rollout("statefulset/booking-redis")
		public(func(c caller) {
			require.Eventually(t, func() bool {
				return c.call(http.MethodGet, "/seats/9A?event_id=gala", "").body["status"] == "Sold"
			}, patience, time.Second)
			require.Eventually(t, func() bool {
				return c.call(http.MethodPost, "/reserve", `{"event_id":"gala","seat_id":"1A","user_id":"ann"}`).body["status"] == "reserved"
			}, patience, time.Second)
		})
		return "the sale is there"
	})
}
