package knative_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// planted are faults that somebody may make; each is a change of what one variant
// renders, and the check that must refuse it.
var planted = []struct {
	name     string
	in       variant
	old, new string
	by       string
}{
	{"an annotation misspelt", production, "autoscaling.knative.dev/min-scale:", "autoscaling.knative.dev/minscale:", "annotations"},
	{"an annotation with an impossible value", base, `autoscaling.knative.dev/target: "64"`, `autoscaling.knative.dev/target: many`, "admission"},
	{"more pods at first than ever", production, `autoscaling.knative.dev/max-scale: "40"`, `autoscaling.knative.dev/max-scale: "4"`, "admission"},
	{"a Service open to the public", dev, "networking.knative.dev/visibility: cluster-local", "networking.knative.dev/visibilty: cluster-local", "annotations"},
	{"a startup probe that Knative would send to port 0", dev, "readinessProbe:", "startupProbe:\n          httpGet:\n            path: /healthz\n        readinessProbe:", "running"},
	{"a readiness probe without its port", dev, "path: /readyz\n            port: 8080", "path: /readyz", "running"},
	{"a probe of a Deployment without its port", plain, "path: /readyz\n            port: 9090", "path: /readyz", "running"},
	{"a probe that clients can keep from an answer", plain, "path: /healthz\n            port: 9090", "path: /healthz\n            port: 8080", "running"},
	{"a variable that Knative sets itself", base, "name: GOMEMLIMIT", "name: PORT", "admission"},
	{"a time-out over Knative's greatest", base, "timeoutSeconds: 60", "timeoutSeconds: 601", "admission"},
	{"a time-out too short to drain in", base, "timeoutSeconds: 60", "timeoutSeconds: 20", "running"},
	{"a concurrency over Knative's greatest", base, "containerConcurrency: 0", "containerConcurrency: 2000", "admission"},
	{"two ports", base, "- containerPort: 8080", "- containerPort: 8081\n        - containerPort: 8080", "admission"},
	{"a port with a name of its own", base, "name: http1", "name: http", "admission"},
	{"a field that is not there", plain, "readOnlyRootFilesystem:", "readonlyRootFilesystem:", "decoding"},
	{"a field of a Knative Service that is not there", dev, "automountServiceAccountToken:", "autoMountServiceAccountToken:", "decoding"},
	{"a pod that may run as root", dev, "runAsNonRoot: true", "runAsNonRoot: false", "security"},
	{"a pod that keeps its capabilities", redis, "drop:\n            - ALL", "drop: []", "security"},
	{"a root file system that may be written to", redis, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "security"},
	{"a service account token", plain, "automountServiceAccountToken: false", "automountServiceAccountToken: true", "security"},
	{"a directory of the node", redis, "- configMap:", "- hostPath:\n          path: /etc\n        name: host\n      - configMap:", "security"},
	{"no limit of memory", plain, "memory: 128Mi", "ephemeral-storage: 128Mi", "running"},
	{"no image", base, "image: booking", `image: ""`, "admission"},
	{"the placeholder of the image", plain, "image: registry.example.com/booking:v1.0.0", "image: booking", "running"},
	{"a kind misspelt", dev, "kind: NetworkPolicy", "kind: NetworkPolice", "decoding"},
	{"an old API of the autoscaler", plain, "autoscaling/v2", "autoscaling/v2beta2", "decoding"},
	{"an autoscaler of another Deployment", plain, "kind: Deployment\n    name: booking", "kind: Deployment\n    name: bookings", "selecting"},
	{"a policy that guards nothing", dev, "key: serving.knative.dev/service", "key: serving.knative.dev/services", "selecting"},
	{"a policy that lets nobody in", dev, "- podSelector:\n        matchLabels:\n          app.kubernetes.io/name: booking\n", "- podSelector:\n        matchLabels:\n          app.kubernetes.io/name: bookings\n", "selecting"},
	{"a budget of nothing", base, "serving.knative.dev/service: buy", "serving.knative.dev/service: bye", "selecting"},
	{"a PodMonitor of nothing", monitoring, "app.kubernetes.io/component: all", "app.kubernetes.io/component: any", "selecting"},
	{"a PodMonitor of queue-proxy's port", monitoring, "portNumber: 9095", "portNumber: 9090", "scraping"},
	{"metrics on queue-proxy's port", dev, `METRICS_PORT: "9095"`, `METRICS_PORT: "9090"`, "wiring"},
	{"a variable that nobody reads", plain, "HOLD_TTL:", "HOLD_TIME:", "wiring"},
	{"a Secret that is not there", dev, "key: url\n", "key: uri\n", "wiring"},
	{"a function of no such name", base, "value: buy\n", "value: sell\n", "routing"},
	{"a route to a Service that is not there", dev, "buy.booking-dev.svc", "sell.booking-dev.svc", "routing"},
	{"a route into another namespace", production, "seat.booking.svc", "seat.booking-dev.svc", "routing"},
	{"a field of a VirtualService that is not there", prodIstio, "rewrite:", "rewrites:", "decoding"},
	{"a path that leads nowhere", devIstio, "exact: /openapi.json", "exact: /openapi.yaml", "routing"},
	{"a route that is not granted", dev, "kind: Service\n    name: kourier-internal", "kind: Service\n    name: kourier", "routing"},
	{"a storm without an end", rush, "activeDeadlineSeconds: 300\n", "completions: 1\n", "bounding"},
	{"a storm that comes again", rush, "backoffLimit: 0", "backoffLimit: 6", "bounding"},
	{"a storm on nobody knows what", rush, "- -url=http://booking", "- -json", "bounding"},
	{"a storm of any strength", rush, "- -rate=2000", "- -json", "bounding"},
	{"a storm that nothing confines", rush, "podSelector:\n    matchLabels:\n      app.kubernetes.io/name: booking-rush", "podSelector:\n    matchLabels:\n      app.kubernetes.io/name: storm", "selecting"},
	{"an alert that does not parse", monitoring, "[5m]))", "[5m]", "alerting"},
	{"an alert with a broken template", monitoring, "{{ $value | humanizePercentage }}", "{{ $value | humanize }", "alerting"},
	{"an alert without a severity", monitoring, "severity: critical", "urgency: critical", "alerting"},
	{"an alert of a metric that is not there", monitoring, "min by (namespace) (booking_ready)", "min by (namespace) (booking_steady)", "asking"},
	{"a panel of a metric that is not there", monitoring, "booking_requests_in_flight", "booking_requests_flying", "asking"},
	{"a panel by a label that is not there", monitoring, "sum by (outcome)", "sum by (result)", "asking"},
	{"a panel that does not parse", monitoring, "sum by (version) (", "sum by (version) ((", "asking"},
}

func TestEveryPlantedFaultIsRefused(t *testing.T) {
	t.Parallel()
	all := append(checks(t), check{"asking", asking(exposed(t))})
	for _, fault := range planted {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			whole := render(t, fault.in)
			changed := strings.Replace(whole, fault.old, fault.new, 1)
			require.NotEqual(t, whole, changed, "the fault is not planted")
			s, err := parse(changed)
			require.NoError(t, err)
			var by []string
			for _, c := range all {
				if faults := c.run(s); len(faults) > 0 {
					by = append(by, c.name)
					t.Logf("%s: %v", c.name, faults)
				}
			}
			require.Contains(t, by, fault.by)
		})
	}
}
