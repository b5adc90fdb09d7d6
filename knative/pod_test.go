package knative_test

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

// pod is what a Knative Service, a Deployment, a StatefulSet or a Job runs.
type pod struct {
	owner    string
	function string // what the Knative Service is of, "" for all else
	ends     bool   // by itself, so that nobody asks whether it is up
	meta     metav1.ObjectMeta
	spec     corev1.PodSpec
	claims   []corev1.PersistentVolumeClaim
	faults   []error
}

// pods returns every pod of s; of a Knative Service the one that Knative makes.
func pods(s set) []pod {
	var found []pod
	for _, svc := range all[servingv1.Service](s) {
		p := pod{owner: "Service " + svc.Name, function: svc.Name}
		d, err := deploymentOf(svc)
		if err != nil {
			p.faults = append(p.faults, fmt.Errorf("Service %s: Knative makes no Deployment: %w", svc.Name, err))
		} else {
			p.meta, p.spec = d.Spec.Template.ObjectMeta, d.Spec.Template.Spec
		}
		found = append(found, p)
	}
	for _, d := range all[appsv1.Deployment](s) {
		found = append(found, pod{owner: "Deployment " + d.Name, meta: d.Spec.Template.ObjectMeta, spec: d.Spec.Template.Spec})
	}
	for _, set := range all[appsv1.StatefulSet](s) {
		found = append(found, pod{owner: "StatefulSet " + set.Name, meta: set.Spec.Template.ObjectMeta, spec: set.Spec.Template.Spec, claims: set.Spec.VolumeClaimTemplates})
	}
	for _, j := range all[batchv1.Job](s) {
		found = append(found, pod{owner: "Job " + j.Name, ends: true, meta: j.Spec.Template.ObjectMeta, spec: j.Spec.Template.Spec})
	}
	return found
}

// own returns the containers that the manifests name, without queue-proxy.
func (p pod) own() []corev1.Container {
	var own []corev1.Container
	for _, c := range p.spec.Containers {
		if c.Name != "queue-proxy" {
			own = append(own, c)
		}
	}
	return own
}

// security reports what the restricted Pod Security Standard would refuse, which
// the API server's own code decides, and what it leaves open.
func security(s set) (faults []error) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return []error{err}
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for _, p := range pods(s) {
		if verdict := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &p.meta, &p.spec)); !verdict.Allowed {
			faults = append(faults, fmt.Errorf("%s: %s", p.owner, verdict.ForbiddenDetail()))
		}
		if token := p.spec.AutomountServiceAccountToken; token == nil || *token {
			faults = append(faults, fmt.Errorf("%s: a service account token is mounted", p.owner))
		}
		if links := p.spec.EnableServiceLinks; links == nil || *links {
			faults = append(faults, fmt.Errorf("%s: the environment lists every Service of the namespace", p.owner))
		}
		for _, c := range p.own() {
			if sc := c.SecurityContext; sc == nil || sc.ReadOnlyRootFilesystem == nil || !*sc.ReadOnlyRootFilesystem {
				faults = append(faults, fmt.Errorf("%s: the root file system of %s may be written to", p.owner, c.Name))
			}
		}
	}
	return faults
}

// running reports a pod that would start badly, run without bounds or end too soon.
func running(s set) (faults []error) {
	for _, p := range pods(s) {
		fault := func(format string, args ...any) {
			faults = append(faults, fmt.Errorf(p.owner+": "+format, args...))
		}
		faults = append(faults, p.faults...)
		if grace := p.spec.TerminationGracePeriodSeconds; grace == nil || *grace < 45 || p.function != "" && *grace != 60 {
			fault("the grace period is too short to drain")
		}
		for _, c := range p.own() {
			if c.Image == "" || c.Image == "booking" && s.applied() {
				fault("%s has no image that a registry would know", c.Name)
			}
			for name, probe := range map[string]*corev1.Probe{"readiness": c.ReadinessProbe, "liveness": c.LivenessProbe, "startup": c.StartupProbe} {
				takenOver := name == "readiness" && p.function != "" // by queue-proxy
				if probe == nil && name != "startup" && !takenOver && !p.ends {
					fault("%s has no %s probe", c.Name, name)
				}
				if probe != nil && probe.HTTPGet != nil && probe.HTTPGet.Port.IntValue() == 0 {
					fault("the %s probe of %s has no port", name, c.Name)
				}
			}
			for _, amount := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				if c.Resources.Requests.Name(amount, "").IsZero() {
					fault("%s requests no %s", c.Name, amount)
				}
			}
			if c.Resources.Limits.Memory().IsZero() {
				fault("%s has no limit of memory", c.Name)
			}
		}
	}
	return append(append(faults, readiness(s)...), apart(s)...)
}

// apart reports a pod of the service whose probes ask the port that clients use. Knative
// sends the probes of a function there itself.
func apart(s set) (faults []error) {
	for _, p := range pods(s) {
		port, serves := p.environment(s)["METRICS_PORT"]
		if !serves || p.function != "" {
			continue
		}
		for _, c := range p.own() {
			for _, probe := range []*corev1.Probe{c.ReadinessProbe, c.LivenessProbe} {
				if probe != nil && probe.HTTPGet != nil && probe.HTTPGet.Port.String() != port {
					faults = append(faults, fmt.Errorf("%s: a probe asks port %s, not METRICS_PORT %s", p.owner, probe.HTTPGet.Port.String(), port))
				}
			}
		}
	}
	return faults
}

// readiness reports a Knative Service whose readiness probe, which queue-proxy takes
// over, does not ask what the service offers for it.
func readiness(s set) (faults []error) {
	for _, svc := range all[servingv1.Service](s) {
		for _, c := range svc.Spec.Template.Spec.Containers {
			probe := c.ReadinessProbe
			if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != "/readyz" || probe.HTTPGet.Port.IntValue() != 8080 {
				faults = append(faults, fmt.Errorf("Service %s: the readiness probe is not /readyz on 8080", svc.Name))
			}
		}
	}
	return faults
}

// applied reports whether s is what an operator applies: only that brings its Namespace.
func (s set) applied() bool { return len(all[corev1.Namespace](s)) > 0 }
