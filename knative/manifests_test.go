package knative_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// check reports the faults of a set.
type check struct {
	name string
	run  func(set) []error
}

// checks returns all checks except checkQueries, which needs the metrics of a running service.
func checks(t testing.TB) []check {
	t.Helper()
	others := append(rendering(t, dev), rendering(t, plainRelay)...)
	return []check{
		{"fields", checkFields},
		{"admission", checkAdmission},
		{"annotations", checkAnnotations},
		{"security", checkSecurity},
		{"pods", checkPods},
		{"routes", checkRoutes(functionTable(t))},
		{"sellers", checkSellers},
		{"references", checkReferences(variables(t))},
		{"streams", checkStreams},
		{"selectors", checkSelectors(others)},
		{"scraping", checkScraping(others)},
		{"alerts", checkAlerts},
		{"bounding", bounding},
	}
}

func TestManifests_PassEveryCheck(t *testing.T) {
	t.Parallel()
	all := checks(t)
	for _, v := range variants {
		t.Run(v.String(), func(t *testing.T) {
			t.Parallel()
			s := rendering(t, v)
			for _, c := range all {
				require.Empty(t, c.run(s), c.name)
			}
		})
	}
}

func TestQueries_UseExposedMetrics(t *testing.T) {
	t.Parallel()
	s := rendering(t, monitoring)
	found, err := queries(s)
	require.NoError(t, err)
	require.Greater(t, len(found), 20)
	require.Empty(t, checkQueries(exposed(t))(s))
}

// The service starts with the configuration of each pod. It needs no Redis for that.
func TestConfiguration_StartsService(t *testing.T) {
	t.Parallel()
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("a-token-of-a-seller-with-32-characters"), 0o600))
	for _, v := range []variant{dev, production, identified, plain, plainSells, relayed, plainRelay, brokered} {
		s := rendering(t, v)
		url := "redis://127.0.0.1:1"
		for _, secret := range all[corev1.Secret](s) {
			url = string(secret.Data["url"])
		}
		for _, p := range pods(s) {
			if _, serves := p.environment(s)["HOLD_TTL"]; !serves {
				continue
			}
			t.Run(v.String()+" "+p.owner, func(t *testing.T) {
				t.Parallel()
				env := maps.Clone(p.environment(s))
				env["REDIS_URL"] = url
				env["KUBERNETES_SERVICE_HOST"] = "10.0.0.1"
				if p.owner == "Deployment booking-relay" { // from a Secret
					env["SINK_SECRET"] = "whsec_" + strings.Repeat("A", 32)
				}
				if p.owner == "Deployment booking-relay" && v == brokered {
					env["K_SINK"] = "http://broker-ingress.knative-eventing.svc.cluster.local/booking/booking" // of the SinkBinding
				}
				if env["SELLER_TOKEN_FILE"] != "" {
					env["SELLER_TOKEN_FILE"] = token
				}
				start(t, env).await(t, "/healthz")
			})
		}
	}
}

// A pod of another function that knows the sink would send the changes, too, and without a signature.
func TestRelay_IsTheOnlyOneThatKnowsTheSink(t *testing.T) {
	t.Parallel()
	for _, v := range []variant{relayed, plainRelay, brokered} {
		s, relays := rendering(t, v), 0
		for _, p := range pods(s) {
			env := p.environment(s)
			if p.owner == "Deployment booking-relay" {
				relays++
				for _, c := range p.own() {
					hasSecret := func(e corev1.EnvVar) bool { return e.Name == "SINK_SECRET" && e.ValueFrom.SecretKeyRef != nil }
					require.True(t, slices.ContainsFunc(c.Env, hasSecret), v)
				}
				require.Equal(t, v == brokered, env["SINK_URL"] == "", v)
				continue
			}
			require.NotContains(t, env, "SINK_URL", p.owner)
		}
		require.Equal(t, 1, relays, v)
	}
}

// GOMEMLIMIT is below the memory limit in each pod of the service. Pods of events and page read whole plans.
func TestPods_RequestFixedResources(t *testing.T) {
	t.Parallel()
	for _, v := range []variant{base, dev, production, plain} {
		for _, p := range pods(rendering(t, v)) {
			if p.owner == "StatefulSet booking-redis" {
				continue
			}
			want, limit := `{requests: {cpu: 250m, memory: 64Mi}, limits: {cpu: "1", memory: 128Mi}}`, "100MiB"
			if p.function == "" || p.function == "events" || p.function == "page" {
				want, limit = `{requests: {cpu: 250m, memory: 128Mi}, limits: {cpu: "1", memory: 512Mi}}`, "400MiB"
			}
			if v == dev { // fits a small node
				want = strings.Replace(want, "250m", "25m", 1)
			}
			for _, c := range p.own() {
				got, err := yaml.Marshal(c.Resources)
				require.NoError(t, err)
				require.YAMLEq(t, want, string(got), p.owner)
				require.Contains(t, c.Env, corev1.EnvVar{Name: "GOMEMLIMIT", Value: limit}, p.owner)
			}
		}
	}
}
