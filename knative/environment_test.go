package knative_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// environment is what the containers of p get from the ConfigMaps of s and from
// themselves; a value out of a Secret is left out.
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

// suppliedSecret is the one Secret that an operator brings where no set has it.
const suppliedSecret = "booking-redis"

// wiring returns a check that reports a ConfigMap, Secret or volume that is named
// but not there, and a variable that the service does not know.
func wiring(known map[string]bool) func(set) []error {
	return func(s set) (faults []error) {
		for _, p := range pods(s) {
			fault := func(format string, args ...any) {
				faults = append(faults, fmt.Errorf(p.owner+": "+format, args...))
			}
			volumes := map[string]bool{}
			for _, v := range p.spec.Volumes {
				volumes[v.Name] = true
				if v.ConfigMap != nil && configMap(s, v.ConfigMap.Name) == nil {
					fault("there is no ConfigMap %s", v.ConfigMap.Name)
				}
			}
			for _, claim := range p.claims {
				volumes[claim.Name] = true
			}
			for _, c := range p.own() {
				for _, mount := range c.VolumeMounts {
					if !volumes[mount.Name] {
						fault("there is no volume %s", mount.Name)
					}
				}
				for _, from := range c.EnvFrom {
					if from.ConfigMapRef == nil || configMap(s, from.ConfigMapRef.Name) == nil {
						fault("envFrom names no ConfigMap that is here")
						continue
					}
					for _, name := range slices.Sorted(maps.Keys(configMap(s, from.ConfigMapRef.Name))) {
						if !known[name] && !strings.HasPrefix(name, "OTEL_") {
							fault("the service knows no variable %s", name)
						}
					}
				}
				for _, v := range c.Env {
					if v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil && !hasSecret(s, v.ValueFrom.SecretKeyRef) {
						fault("there is no Secret %s with a key %s", v.ValueFrom.SecretKeyRef.Name, v.ValueFrom.SecretKeyRef.Key)
					}
				}
			}
			if port := p.environment(s)["METRICS_PORT"]; p.function != "" && p.queueProxyBinds(port) {
				fault("queue-proxy binds METRICS_PORT %s itself", port)
			}
		}
		return faults
	}
}

func hasSecret(s set, ref *corev1.SecretKeySelector) bool {
	secrets := all[corev1.Secret](s)
	if len(secrets) == 0 {
		return ref.Name == suppliedSecret && ref.Key == "url"
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
