package knative_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// planted lists typical mistakes. Each replaces a text in what a variant renders, and by names
// the check that must report it.
var planted = []struct {
	name     string
	in       variant
	old, new string
	by       string
}{
	{"a misspelled annotation", production, "autoscaling.knative.dev/min-scale:", "autoscaling.knative.dev/minscale:", "annotations"},
	{"an annotation with an invalid value", base, `autoscaling.knative.dev/target: "64"`, `autoscaling.knative.dev/target: many`, "admission"},
	{"an initial scale above the maximum", production, `autoscaling.knative.dev/max-scale: "40"`, `autoscaling.knative.dev/max-scale: "4"`, "admission"},
	{"a public Service", dev, "networking.knative.dev/visibility: cluster-local", "networking.knative.dev/visibilty: cluster-local", "annotations"},
	{"a startup probe without a port", dev, "readinessProbe:", "startupProbe:\n          httpGet:\n            path: /healthz\n        readinessProbe:", "pods"},
	{"a readiness probe without a port", dev, "path: /readyz\n            port: 8080", "path: /readyz", "pods"},
	{"a Deployment's probe without a port", plain, "path: /readyz\n            port: 9090", "path: /readyz", "pods"},
	{"a probe on the clients' port", plain, "path: /healthz\n            port: 9090", "path: /healthz\n            port: 8080", "pods"},
	{"a variable that Knative reserves", base, "name: GOMEMLIMIT", "name: PORT", "admission"},
	{"a timeout above Knative's limit", base, "timeoutSeconds: 60", "timeoutSeconds: 601", "admission"},
	{"a timeout too short for the drain", base, "timeoutSeconds: 60", "timeoutSeconds: 20", "pods"},
	{"a concurrency above Knative's limit", base, "containerConcurrency: 0", "containerConcurrency: 2000", "admission"},
	{"two ports", base, "- containerPort: 8080", "- containerPort: 8081\n        - containerPort: 8080", "admission"},
	{"a port name that Knative doesn't know", base, "name: http1", "name: http", "admission"},
	{"an unknown field", plain, "readOnlyRootFilesystem:", "readonlyRootFilesystem:", "fields"},
	{"an unknown field of a Knative Service", dev, "automountServiceAccountToken:", "autoMountServiceAccountToken:", "fields"},
	{"a pod that may run as root", dev, "runAsNonRoot: true", "runAsNonRoot: false", "security"},
	{"a container that keeps capabilities", redis, "drop:\n            - ALL", "drop: []", "security"},
	{"a writable root file system", redis, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "security"},
	{"a service account token", plain, "automountServiceAccountToken: false", "automountServiceAccountToken: true", "security"},
	{"a host path", redis, "- configMap:", "- hostPath:\n          path: /etc\n        name: host\n      - configMap:", "security"},
	{"no memory limit", plain, "memory: 128Mi", "ephemeral-storage: 128Mi", "pods"},
	{"no image", base, "image: booking", `image: ""`, "admission"},
	{"a placeholder as image", plain, "image: registry.example.com/booking:v1.0.0", "image: booking", "pods"},
	{"a misspelled kind", dev, "kind: NetworkPolicy", "kind: NetworkPolice", "fields"},
	{"an old autoscaler API", plain, "autoscaling/v2", "autoscaling/v2beta2", "fields"},
	{"an autoscaler of another Deployment", plain, "kind: Deployment\n    name: booking", "kind: Deployment\n    name: bookings", "selectors"},
	{"a NetworkPolicy without pods", dev, "key: serving.knative.dev/service", "key: serving.knative.dev/services", "selectors"},
	{"a NetworkPolicy that allows no pod", dev, "- podSelector:\n        matchLabels:\n          app.kubernetes.io/name: booking\n", "- podSelector:\n        matchLabels:\n          app.kubernetes.io/name: bookings\n", "selectors"},
	{"a budget without pods", base, "serving.knative.dev/service: buy", "serving.knative.dev/service: bye", "selectors"},
	{"a PodMonitor without pods", monitoring, "app.kubernetes.io/component: all", "app.kubernetes.io/component: any", "selectors"},
	{"a PodMonitor on queue-proxy's port", monitoring, "portNumber: 9095", "portNumber: 9090", "scraping"},
	{"metrics on queue-proxy's port", dev, `METRICS_PORT: "9095"`, `METRICS_PORT: "9090"`, "references"},
	{"a target above MAX_STREAMS", dev, `autoscaling.knative.dev/target: "1000"`, `autoscaling.knative.dev/target: "2000"`, "streams"},
	{"a limit of streams below the target", production, "name: MAX_STREAMS\n          value: \"1000\"", "name: MAX_STREAMS\n          value: \"700\"", "streams"},
	{"no limit of streams", base, "name: MAX_STREAMS", "name: MAX_CONNECTIONS", "streams"},
	{"an unknown variable", plain, "HOLD_TTL:", "HOLD_TIME:", "references"},
	{"a missing key of a Secret", dev, "key: url\n", "key: uri\n", "references"},
	{"a missing Secret of a volume", production, "secretName: booking-seller", "secretName: booking-sellers", "references"},
	{"a mount without its volume", plainSells, "- mountPath: /etc/booking/seller\n          name: seller", "- mountPath: /etc/booking/seller\n          name: sellers", "references"},
	{"events that no caller can put", production, "name: SELLER_TOKEN_FILE", "name: SELLER_TOKEN", "sellers"},
	{"an unknown function", base, "value: buy\n", "value: sell\n", "routes"},
	{"a route to a missing Service", dev, "buy.booking-dev.svc", "sell.booking-dev.svc", "routes"},
	{"a route into another namespace", production, "seat.booking.svc", "seat.booking-dev.svc", "routes"},
	{"an unknown field of a VirtualService", prodIstio, "rewrite:", "rewrites:", "fields"},
	{"a path without a route", devIstio, "exact: /openapi.json", "exact: /openapi.yaml", "routes"},
	{"a HEAD without a route", production, "- method: HEAD\n      path:\n        type: PathPrefix\n        value: /events", "- method: GET\n      path:\n        type: PathPrefix\n        value: /events", "routes"},
	{"a route of all methods of events", production, "- method: HEAD\n      path:\n        type: PathPrefix\n        value: /events", "- path:\n        type: PathPrefix\n        value: /events", "routes"},
	{"a public PUT of an event", devIstio, "regex: GET|HEAD|OPTIONS\n      uri:\n        prefix: /events/", "regex: GET|HEAD|OPTIONS|PUT\n      uri:\n        prefix: /events/", "routes"},
	{"a public DELETE of an event", dev, "method: OPTIONS", "method: DELETE", "routes"},
	{"a public block", production, "value: /extend\n", "value: /block\n", "routes"},
	{"a public unblock", prodIstio, "- uri:\n        exact: /extend", "- uri:\n        exact: /unblock", "routes"},
	{"a route without a path", prodIstio, "- uri:\n        exact: /\n", "- withoutHeaders:\n        x-shop: {}\n", "routes"},
	{"a route without a ReferenceGrant", dev, "kind: Service\n    name: kourier-internal", "kind: Service\n    name: kourier", "routes"},
	{"a Job without a deadline", rush, "activeDeadlineSeconds: 300\n", "completions: 1\n", "bounding"},
	{"a Job that is retried", rush, "backoffLimit: 0", "backoffLimit: 6", "bounding"},
	{"a Job without a target", rush, "- -url=http://booking", "- -json", "bounding"},
	{"a Job without a rate", rush, "- -rate=2000", "- -json", "bounding"},
	{"a Job without a NetworkPolicy", rush, "podSelector:\n    matchLabels:\n      app.kubernetes.io/name: booking-rush", "podSelector:\n    matchLabels:\n      app.kubernetes.io/name: storm", "selectors"},
	{"an alert that does not parse", monitoring, "[5m]))", "[5m]", "alerts"},
	{"an alert with a broken template", monitoring, "{{ $value | humanizePercentage }}", "{{ $value | humanize }", "alerts"},
	{"an alert without a severity", monitoring, "severity: critical", "urgency: critical", "alerts"},
	{"an alert on an unknown metric", monitoring, "min by (namespace) (booking_redis_up)", "min by (namespace) (booking_steady)", "queries"},
	{"a panel with an unknown metric", monitoring, "booking_requests_in_flight", "booking_requests_flying", "queries"},
	{"a panel with an unknown label", monitoring, "sum by (outcome)", "sum by (result)", "queries"},
	{"a panel with a syntax error", monitoring, "sum by (version) (", "sum by (version) ((", "queries"},
}

func TestChecks_ReportPlantedFaults(t *testing.T) {
	t.Parallel()
	all := append(checks(t), check{"queries", checkQueries(exposed(t))})
	for _, fault := range planted {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			whole := render(t, fault.in)
			changed := strings.Replace(whole, fault.old, fault.new, 1)
			require.NotEqual(t, whole, changed, "nothing was replaced")
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
