package knative_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"knative.dev/serving/pkg/apis/autoscaling"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
)

// environment returns the variables of p's containers, from their env and from the ConfigMaps of s.
// It omits values from Secrets.
func (p pod) environment(s set) map[string]string {
	env := map[string]string{}
	for _, c := range p.own() {
		for _, from := range c.EnvFrom {
			if from.ConfigMapRef != nil {
				maps.Copy(env, configMap(s, from.ConfigMapRef.Name))
			}
		}
		for _, v := range c.Env {
			if v.ValueFrom == nil {
				env[v.Name] = v.Value
			}
		}
	}
	return env
}

func configMap(s set, name string) map[string]string {
	for _, m := range all[corev1.ConfigMap](s) {
		if m.Name == name {
			return m.Data
		}
	}
	return nil
}

// suppliedSecrets are the Secrets that the operator creates if the manifests have none, and their keys.
var suppliedSecrets = map[string]string{"booking-redis": "url", "booking-seller": "token", "booking-sink": "secret"}

// checkReferences returns a check that reports references to a missing ConfigMap, Secret or volume,
// and variables that the service doesn't know.
func checkReferences(known map[string]bool) func(set) []error {
	return func(s set) (faults []error) {
		for _, p := range pods(s) {
			fault := func(format string, args ...any) {
				faults = append(faults, fmt.Errorf(p.owner+": "+format, args...))
			}
			volumes := map[string]bool{}
			for _, v := range p.spec.Volumes {
				volumes[v.Name] = true
				if v.ConfigMap != nil && configMap(s, v.ConfigMap.Name) == nil {
					fault("ConfigMap %s is missing", v.ConfigMap.Name)
				}
				if v.Secret != nil && suppliedSecrets[v.Secret.SecretName] == "" {
					fault("Secret %s is missing", v.Secret.SecretName)
				}
			}
			for _, claim := range p.claims {
				volumes[claim.Name] = true
			}
			for _, c := range p.own() {
				for _, mount := range c.VolumeMounts {
					if !volumes[mount.Name] {
						fault("volume %s is missing", mount.Name)
					}
				}
				for _, from := range c.EnvFrom {
					if from.ConfigMapRef == nil || configMap(s, from.ConfigMapRef.Name) == nil {
						fault("the ConfigMap of envFrom is missing")
						continue
					}
					for _, name := range slices.Sorted(maps.Keys(configMap(s, from.ConfigMapRef.Name))) {
						if !known[name] && !strings.HasPrefix(name, "OTEL_") {
							fault("unknown variable %s", name)
						}
					}
				}
				for _, v := range c.Env {
					if v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil && !hasSecret(s, v.ValueFrom.SecretKeyRef) {
						fault("Secret %s with the key %s is missing", v.ValueFrom.SecretKeyRef.Name, v.ValueFrom.SecretKeyRef.Key)
					}
				}
			}
			if port := p.environment(s)["METRICS_PORT"]; p.function != "" && p.queueProxyBinds(port) {
				fault("METRICS_PORT %s is a port of queue-proxy", port)
			}
		}
		return faults
	}
}

// checkSellers reports pods that serve only events that were put, but define no seller, who could put one.
func checkSellers(s set) (faults []error) {
	for _, p := range pods(s) {
		env := p.environment(s)
		if env["FUNCTION_TARGET"] != "relay" && env["UNLISTED_EVENTS"] == "false" && env["SELLER_TOKEN_FILE"] == "" && env["AUTH_ISSUER"] == "" {
			faults = append(faults, fmt.Errorf("%s: UNLISTED_EVENTS is false and no caller is a seller: every call is 404 or 403; add the component seller or identity", p.owner))
		}
	}
	return faults
}

// checkStreams reports functions of streams whose pods refuse streams before Knative adds a pod.
func checkStreams(s set) (faults []error) {
	targets := map[string]string{}
	for _, svc := range all[servingv1.Service](s) {
		targets[svc.Name] = svc.Spec.Template.Annotations[autoscaling.TargetAnnotationKey]
	}
	for _, p := range pods(s) {
		env := p.environment(s)
		if env["FUNCTION_TARGET"] != "changes" {
			continue
		}
		target, err1 := strconv.Atoi(targets[p.function])
		limit, err2 := strconv.Atoi(env["MAX_STREAMS"])
		switch {
		case err1 != nil || err2 != nil:
			faults = append(faults, fmt.Errorf("%s: the target is %q and MAX_STREAMS %q: set both to numbers", p.owner, targets[p.function], env["MAX_STREAMS"]))
		case limit < target:
			faults = append(faults, fmt.Errorf("%s: MAX_STREAMS %d is below the target %d: pods refuse streams before Knative adds a pod; raise MAX_STREAMS or lower the target",
				p.owner, limit, target))
		}
	}
	return faults
}

func hasSecret(s set, ref *corev1.SecretKeySelector) bool {
	secrets := all[corev1.Secret](s)
	if len(secrets) == 0 {
		return ref.Key == suppliedSecrets[ref.Name]
	}
	return slices.ContainsFunc(secrets, func(secret *corev1.Secret) bool {
		return secret.Name == ref.Name && len(secret.Data[ref.Key]) > 0
	})
}

func (p pod) queueProxyBinds(port string) bool {
	for _, c := range p.spec.Containers {
		for _, bound := range c.Ports {
			if c.Name == "queue-proxy" && strconv.Itoa(int(bound.ContainerPort)) == port {
				return true
			}
		}
	}
	return false
}
