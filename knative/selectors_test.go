package knative_test

import (
	"fmt"
	"slices"
	"strconv"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// checkSelectors returns a check that reports selectors without a pod, and pods without a NetworkPolicy
// or a PodDisruptionBudget. Selectors of peers and PodMonitors may also select pods in the set
// others.
func checkSelectors(others set) func(set) []error {
	return func(s set) (faults []error) {
		here := pods(s)
		everywhere := append(slices.Clone(here), pods(others)...)
		need := func(who string, selector *metav1.LabelSelector, among []pod) {
			if found, err := selected(selector, among); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", who, err))
			} else if len(found) == 0 {
				faults = append(faults, fmt.Errorf("%s selects no pod", who))
			}
		}
		for _, p := range all[networkingv1.NetworkPolicy](s) {
			who := "NetworkPolicy " + p.Name
			need(who, &p.Spec.PodSelector, here)
			var peers []networkingv1.NetworkPolicyPeer
			for _, rule := range p.Spec.Ingress {
				peers = append(peers, rule.From...)
			}
			for _, rule := range p.Spec.Egress {
				peers = append(peers, rule.To...)
			}
			for _, peer := range peers {
				if peer.PodSelector != nil {
					need(who+": a peer", peer.PodSelector, everywhere)
				}
			}
		}
		for _, b := range all[policyv1.PodDisruptionBudget](s) {
			need("PodDisruptionBudget "+b.Name, b.Spec.Selector, here)
		}
		for _, svc := range all[corev1.Service](s) {
			need("Service "+svc.Name, metav1.SetAsLabelSelector(svc.Spec.Selector), here)
		}
		for _, m := range all[monitoringv1.PodMonitor](s) {
			need("PodMonitor "+m.Name, &m.Spec.Selector, everywhere)
		}
		for _, p := range here {
			if !hasNetworkPolicy(p, s) {
				faults = append(faults, fmt.Errorf("%s: no NetworkPolicy selects it", p.owner))
			}
			if p.function != "" && !hasDisruptionBudget(p, s) {
				faults = append(faults, fmt.Errorf("%s: no PodDisruptionBudget selects it", p.owner))
			}
		}
		for _, hpa := range all[autoscalingv2.HorizontalPodAutoscaler](s) {
			scaled := hpa.Spec.ScaleTargetRef
			if !slices.ContainsFunc(s, func(o object) bool {
				return o.Kind == scaled.Kind && o.APIVersion == scaled.APIVersion && o.Metadata.Name == scaled.Name
			}) {
				faults = append(faults, fmt.Errorf("the target of HorizontalPodAutoscaler %s is missing", hpa.Name))
			}
		}
		return faults
	}
}

func selected(selector *metav1.LabelSelector, among []pod) ([]pod, error) {
	chosen, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(among), func(p pod) bool { return !chosen.Matches(labels.Set(p.meta.Labels)) }), nil
}

func hasNetworkPolicy(p pod, s set) bool {
	return slices.ContainsFunc(all[networkingv1.NetworkPolicy](s), func(policy *networkingv1.NetworkPolicy) bool {
		found, err := selected(&policy.Spec.PodSelector, []pod{p})
		return err == nil && len(found) == 1
	})
}

func hasDisruptionBudget(p pod, s set) bool {
	return slices.ContainsFunc(all[policyv1.PodDisruptionBudget](s), func(budget *policyv1.PodDisruptionBudget) bool {
		found, err := selected(budget.Spec.Selector, []pod{p})
		return err == nil && len(found) == 1
	})
}

// checkScraping returns a check that reports PodMonitors whose port is not METRICS_PORT of each selected
// pod in others, or is not allowed by its NetworkPolicy.
func checkScraping(others set) func(set) []error {
	return func(s set) (faults []error) {
		for _, m := range all[monitoringv1.PodMonitor](s) {
			found, err := selected(&m.Spec.Selector, pods(others))
			if err != nil {
				continue // checkSelectors reports it
			}
			for _, endpoint := range m.Spec.PodMetricsEndpoints {
				port := "none"
				if endpoint.PortNumber != nil {
					port = strconv.Itoa(int(*endpoint.PortNumber))
				}
				for _, p := range found {
					if env := p.environment(others); env["METRICS_PORT"] != port {
						faults = append(faults, fmt.Errorf("PodMonitor %s scrapes port %s, but METRICS_PORT of %s is %q", m.Name, port, p.owner, env["METRICS_PORT"]))
					}
					if !allowsPort(others, p, port) {
						faults = append(faults, fmt.Errorf("PodMonitor %s: the NetworkPolicy of %s does not allow port %s", m.Name, p.owner, port))
					}
				}
			}
		}
		return faults
	}
}

func allowsPort(s set, p pod, port string) bool {
	for _, policy := range all[networkingv1.NetworkPolicy](s) {
		if found, err := selected(&policy.Spec.PodSelector, []pod{p}); err != nil || len(found) == 0 {
			continue
		}
		for _, rule := range policy.Spec.Ingress {
			if slices.ContainsFunc(rule.Ports, func(open networkingv1.NetworkPolicyPort) bool { return open.Port != nil && open.Port.String() == port }) {
				return true
			}
		}
	}
	return false
}
