//go:build e2e

// Package e2e_test runs the manifests in a real cluster, and takes it apart under load. ../README.md tells how.
package e2e_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPlain deploys ../plain with a Redis, a seller and the relay, sells, and runs an on-sale while its pods are
// replaced, Redis is killed and pods are evicted. The autoscaler adds pods meanwhile, and the shop gets every
// change. Then the test takes Redis away, and at the end it adds an issuer.
func TestPlain(t *testing.T) {
	c := open(t, namespace)
	asSeller := func(do func(caller)) {
		t.Helper()
		c.forward(namespace+"/booking", func(url string) { do(caller{cluster: c, url: url, token: sellerToken}) })
	}
	var s *shop
	c.step("deploy under the restricted Pod Security Standard", func() string {
		c.kubectl("create", "namespace", namespace)
		c.kubectl("create", "secret", "generic", "booking-redis", "--from-literal=url=redis://booking:booking-dev@booking-redis:6379/0")
		c.kubectl("create", "secret", "generic", "booking-seller", "--from-literal=token="+sellerToken)
		c.kubectl("create", "secret", "generic", "booking-sink", "--from-literal=secret="+sinkSecret)
		s = c.openShop()
		c.apply("plain")
		c.rollout("statefulset/booking-redis")
		c.rollout("deployment/booking")
		c.rollout("deployment/booking-relay")
		return fmt.Sprint(c.ready(), " pods ready, and the relay")
	})
	c.step("a pod that asks for more is refused", func() string {
		out, err := c.try("", "run", "bad", "--image=bad", "--dry-run=server")
		require.Error(t, err)
		require.Contains(t, out, "violates PodSecurity")
		return "violates PodSecurity"
	})
	c.step("put an event, sell a seat, follow the changes", func() string {
		asSeller(func(c caller) {
			require.Equal(t, http.StatusCreated, c.call(http.MethodPut, "/events/gala", `{"title":"Gala","plan":"1-12:A-H"}`).status)
			seat := `{"event_id":"gala","seat_id":"9A","user_id":"ann"}`
			require.Equal(t, "reserved", c.call(http.MethodPost, "/reserve", seat).body["status"])
			require.Equal(t, "seat_unavailable", c.call(http.MethodPost, "/reserve", `{"event_id":"gala","seat_ids":["9A","9B"],"user_id":"bob"}`).body["code"])
			require.Equal(t, "sold", c.call(http.MethodPost, "/buy", seat).body["status"])
			require.Equal(t, "Sold", c.call(http.MethodGet, "/seats/9A?event_id=gala", "").body["status"])
			require.Equal(t, "held", c.firstChange("gala"))
		})
		return "sold"
	})
	c.step("the shop gets the changes as signed CloudEvents", func() string {
		require.Eventually(t, func() bool { return len(s.received("gala")) == 2 }, patience, 10*time.Millisecond)
		return "2 events"
	})
	c.step("the metrics of all pods are there for the PodMonitors", func() string {
		pods, relays := c.scrape("podmonitor-plain.yaml"), c.scrape("podmonitor-relay.yaml")
		require.Equal(t, c.ready(), pods)
		require.Equal(t, 1, relays)
		return fmt.Sprintf("%d pods, and the relay", pods)
	})
	c.step("the on-sale begins", func() string {
		c.apply("rush")
		c.kubectl("wait", "--for=jsonpath={.status.ready}=1", "job/rush", "--timeout="+patience.String())
		return "the Job's pod is ready"
	})
	c.step("the autoscaler adds pods under load", func() string {
		require.Eventually(t, func() bool { return c.ready() > 3 }, patience, time.Second)
		return c.kubectl("get", "hpa", "booking", "-o", "jsonpath={.status.currentMetrics[0].resource.current.averageUtilization} % of the CPU request, "+
			"target {.spec.metrics[0].resource.target.averageUtilization} %") + fmt.Sprintf("; %d pods ready", c.ready())
	})
	c.step("all pods are replaced under load", func() string {
		c.kubectl("rollout", "restart", "deployment/booking")
		c.rollout("deployment/booking")
		return ""
	})
	c.step("Redis and the relay are killed under load", func() string {
		c.kubectl("delete", "pod", "booking-redis-0", "--grace-period=0", "--force")
		c.kubectl("delete", "pod", "-l", "app.kubernetes.io/component=relay", "--grace-period=0", "--force")
		c.rollout("statefulset/booking-redis")
		c.rollout("deployment/booking-relay")
		return ""
	})
	c.step("pods are evicted under load, as by a drain", func() string {
		require.Equal(t, 2, c.evict(2))
		c.rollout("deployment/booking")
		return "2 pods evicted"
	})
	c.step("the on-sale ends", func() string { return c.verdict() })
	c.step("the shop has every change, in order", func() string {
		var want []string
		asSeller(func(c caller) { want = c.journal("on-sale") })
		require.Eventually(t, func() bool { return len(s.received("on-sale")) >= len(want) }, patience, 10*time.Millisecond)
		require.Equal(t, want, s.received("on-sale"))
		return fmt.Sprintf("%d changes", len(want))
	})
	c.step("without Redis calls are 503 at once, and the pods stay ready", func() string {
		before := c.ready()
		c.kubectl("scale", "statefulset/booking-redis", "--replicas=0")
		c.kubectl("wait", "--for=delete", "pod/booking-redis-0", "--timeout="+patience.String())
		var refused answer
		asSeller(func(c caller) {
			require.Eventually(t, func() bool {
				refused = c.call(http.MethodPost, "/reserve", `{"event_id":"gala","seat_id":"1A","user_id":"ann"}`)
				return refused.status == http.StatusServiceUnavailable
			}, patience, time.Second)
		})
		require.NotEmpty(t, refused.header.Get("Retry-After"))
		require.Equal(t, before, c.ready())
		require.Equal(t, 1, c.evict(1), "a drain without Redis") // its replacement becomes ready with Redis
		return fmt.Sprintf("503, Retry-After: %s; %d pods ready; a pod can be evicted", refused.header.Get("Retry-After"), before)
	})
	c.step("Redis is back, and nothing is lost", func() string {
		c.kubectl("scale", "statefulset/booking-redis", "--replicas=1")
		c.rollout("statefulset/booking-redis")
		c.rollout("deployment/booking")
		asSeller(func(c caller) {
			require.Eventually(t, func() bool {
				return c.call(http.MethodGet, "/seats/9A?event_id=gala", "").body["status"] == "Sold"
			}, patience, time.Second)
			require.Equal(t, "reserved", c.call(http.MethodPost, "/reserve", `{"event_id":"gala","seat_id":"1A","user_id":"ann"}`).body["status"])
		})
		return "the sale is there"
	})
	c.step("with an issuer, buyers hold for themselves, and only sellers sell", func() string {
		i := c.openIssuer()
		c.kubectl("create", "configmap", "issuer", "--from-literal=certificate="+i.certificate)
		c.apply("identity")
		c.rollout("deployment/booking")
		c.forward(namespace+"/booking", func(url string) {
			seat := `{"event_id":"gala","seat_id":"2A"}`
			anyone, ann := caller{cluster: c, url: url}, caller{cluster: c, url: url, token: i.token(t, "ann", "openid")}
			seller := caller{cluster: c, url: url, token: i.token(t, "shop", "openid booking:sell")}
			require.Equal(t, http.StatusUnauthorized, anyone.call(http.MethodPost, "/reserve", seat).status)
			held := ann.call(http.MethodPost, "/reserve", seat)
			require.Equal(t, "ann", held.body["user_id"], held)
			require.Equal(t, http.StatusForbidden, ann.call(http.MethodPost, "/buy", seat).status)
			require.Equal(t, "sold", seller.call(http.MethodPost, "/buy", `{"event_id":"gala","seat_id":"2A","user_id":"ann"}`).body["status"])
		})
		return "401 without a token, 403 for a buyer's sale"
	})
}

// ready returns how many pods of the Deployment booking are ready.
func (c *cluster) ready() int {
	c.t.Helper()
	n, err := strconv.Atoi(c.kubectl("get", "deployment", "booking", "-o", "jsonpath={.status.readyReplicas}"))
	require.NoError(c.t, err)
	return n
}
