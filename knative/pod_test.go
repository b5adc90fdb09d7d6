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

// pod is the pod of a Knative Service, a Deployment, a StatefulSet or a Job.
type pod struct {
	owner    string
	function string // the function of a Knative Service; empty for other owners
	ends     bool   // true for a Job, which needs no probes
	meta     metav1.ObjectMeta
	spec     corev1.PodSpec
	claims   []corev1.PersistentVolumeClaim
	faults   []error
}

// pods returns all pods of s. For a Knative Service it is the pod that Knative would create.
func pods(s set) []pod {
	var found []pod
	for _, svc := range all[servingv1.Service](s) {
		p := pod{owner: "Service " + svc.Name, function: svc.Name}
		d, err := deploymentOf(svc)
		if err != nil {
			p.faults = append(p.faults, fmt.Errorf("Service %s: no Deployment: %w", svc.Name, err))
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

// own returns the containers of p without queue-proxy.
func (p pod) own() []corev1.Container {
	var own []corev1.Container
	for _, c := range p.spec.Containers {
		if c.Name != "queue-proxy" {
			own = append(own, c)
		}
	}
	return own
}

// checkSecurity reports pods that the restricted Pod Security Standard rejects, by the code of the API
// server. It also reports service account tokens, service links and writable root file systems.
func checkSecurity(s set) (faults []error) {
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
			faults = append(faults, fmt.Errorf("%s: automountServiceAccountToken is not false", p.owner))
		}
		if links := p.spec.EnableServiceLinks; links == nil || *links {
			faults = append(faults, fmt.Errorf("%s: enableServiceLinks is not false", p.owner))
		}
		for _, c := range p.own() {
			if sc := c.SecurityContext; sc == nil || sc.ReadOnlyRootFilesystem == nil || !*sc.ReadOnlyRootFilesystem {
				faults = append(faults, fmt.Errorf("%s: the root file system of %s is writable", p.owner, c.Name))
			}
		}
	}
	return faults
}

// checkPods reports pods without image, probes, resources or enough time to drain.
func checkPods(s set) (faults []error) {
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
				fault("the image of %s is missing or a placeholder", c.Name)
			}
			for name, probe := range map[string]*corev1.Probe{"readiness": c.ReadinessProbe, "liveness": c.LivenessProbe, "startup": c.StartupProbe} {
				byQueueProxy := name == "readiness" && p.function != ""
				if probe == nil && name != "startup" && !byQueueProxy && !p.ends {
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
				fault("%s has no memory limit", c.Name)
			}
		}
	}
	return append(append(faults, checkReadinessProbes(s)...), checkProbePorts(s)...)
}

// checkProbePorts reports probes that don't use METRICS_PORT. The functions of Knative are exempt:
// Knative sends their probes to the clients' port.
func checkProbePorts(s set) (faults []error) {
	for _, p := range pods(s) {
		port, serves := p.environment(s)["METRICS_PORT"]
		if !serves || p.function != "" {
			continue
		}
		for _, c := range p.own() {
			for _, probe := range []*corev1.Probe{c.ReadinessProbe, c.LivenessProbe} {
				if probe != nil && probe.HTTPGet != nil && probe.HTTPGet.Port.String() != port {
					faults = append(faults, fmt.Errorf("%s: a probe uses port %s instead of METRICS_PORT %s", p.owner, probe.HTTPGet.Port.String(), port))
				}
			}
		}
	}
	return faults
}

// checkReadinessProbes reports Knative Services whose readiness probe is not /readyz on 8080.
// queue-proxy runs that probe.
func checkReadinessProbes(s set) (faults []error) {
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

// applied reports whether s is for kubectl apply. Only such a set contains a Namespace.
func (s set) applied() bool { return len(all[corev1.Namespace](s)) > 0 }
