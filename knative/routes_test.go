package knative_test

import (
	"fmt"
	"regexp"
	"strings"

	istiov1 "istio.io/client-go/pkg/apis/networking/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
)

// checkRoutes returns a check that reports functions without a Knative Service, and paths that are not
// routed to their function.
func checkRoutes(table []function) func(set) []error {
	return func(s set) (faults []error) {
		services := map[string]*servingv1.Service{}
		for _, svc := range all[servingv1.Service](s) {
			services[svc.Name] = svc
		}
		if len(services) == 0 {
			return nil
		}
		routers := routersOf(s)
		if s.applied() && len(routers) != 1 {
			faults = append(faults, fmt.Errorf("want one route for all functions, not %d", len(routers)))
		}
		for _, f := range table {
			svc := services[f.name]
			if svc == nil || target(svc) != f.name {
				faults = append(faults, fmt.Errorf("no Service %s has FUNCTION_TARGET %s", f.name, f.name))
				continue
			}
			for _, router := range routers {
				for _, pattern := range f.paths {
					path := placeholder.ReplaceAllString(strings.TrimSuffix(pattern, "{$}"), "x")
					want := fmt.Sprintf("%s.%s.svc.cluster.local", f.name, svc.Namespace)
					if got := router(path); got != want {
						faults = append(faults, fmt.Errorf("%s is routed to %q instead of %s", path, got, want))
					}
				}
			}
			delete(services, f.name)
		}
		for name := range services {
			faults = append(faults, fmt.Errorf("Service %s has no function in the table", name))
		}
		return append(faults, checkReferenceGrants(s)...)
	}
}

var placeholder = regexp.MustCompile(`\{[^}]+\}`)

func target(svc *servingv1.Service) string {
	for _, c := range svc.Spec.Template.Spec.Containers {
		for _, v := range c.Env {
			if v.Name == "FUNCTION_TARGET" {
				return v.Value
			}
		}
	}
	return ""
}

// routersOf returns a function for each route of s. It maps a path to the host to which the route sends
// the request.
func routersOf(s set) (routers []func(path string) string) {
	for _, route := range all[gatewayv1.HTTPRoute](s) {
		routers = append(routers, func(path string) string { return byGateway(route, path) })
	}
	for _, vs := range all[istiov1.VirtualService](s) {
		routers = append(routers, func(path string) string { return byIstio(vs, path) })
	}
	return routers
}

// byGateway applies the rules of the Gateway API: an exact match wins over prefixes, and the longest
// prefix of whole path elements wins over shorter ones.
func byGateway(route *gatewayv1.HTTPRoute, path string) (host string) {
	best := -1
	for _, rule := range route.Spec.Rules {
		for _, m := range rule.Matches {
			if m.Path == nil || m.Path.Type == nil || m.Path.Value == nil {
				continue
			}
			value, weight := *m.Path.Value, -1
			switch *m.Path.Type {
			case gatewayv1.PathMatchExact:
				if path == value {
					weight = 1 << 20
				}
			case gatewayv1.PathMatchPathPrefix:
				if path == value || strings.HasPrefix(path, strings.TrimSuffix(value, "/")+"/") {
					weight = len(value)
				}
			}
			if weight <= best {
				continue
			}
			best, host = weight, ""
			for _, filter := range rule.Filters {
				if filter.URLRewrite != nil && filter.URLRewrite.Hostname != nil {
					host = string(*filter.URLRewrite.Hostname)
				}
			}
		}
	}
	return host
}

// byIstio applies the rule of Istio: the first match wins.
func byIstio(vs *istiov1.VirtualService, path string) string {
	for _, rule := range vs.Spec.Http {
		for _, m := range rule.Match {
			exact, prefix := m.GetUri().GetExact(), m.GetUri().GetPrefix()
			if exact != "" && path == exact || prefix != "" && strings.HasPrefix(path, prefix) {
				return rule.GetRewrite().GetAuthority()
			}
		}
	}
	return ""
}

// checkReferenceGrants reports routes to another namespace without a ReferenceGrant.
func checkReferenceGrants(s set) (faults []error) {
	allowed := map[string]bool{}
	for _, grant := range all[gatewayv1beta1.ReferenceGrant](s) {
		for _, from := range grant.Spec.From {
			for _, to := range grant.Spec.To {
				if to.Name != nil {
					allowed[fmt.Sprintf("%s from %s to %s %s/%s", from.Kind, from.Namespace, to.Kind, grant.Namespace, *to.Name)] = true
				}
			}
		}
	}
	for _, route := range all[gatewayv1.HTTPRoute](s) {
		for _, rule := range route.Spec.Rules {
			for _, backend := range rule.BackendRefs {
				if backend.Namespace == nil {
					faults = append(faults, fmt.Errorf("a backend of HTTPRoute %s has no namespace", route.Name))
					continue
				}
				want := fmt.Sprintf("HTTPRoute from %s to Service %s/%s", route.Namespace, *backend.Namespace, backend.Name)
				if !allowed[want] {
					faults = append(faults, fmt.Errorf("no ReferenceGrant allows the %s", want))
				}
			}
		}
	}
	return faults
}
