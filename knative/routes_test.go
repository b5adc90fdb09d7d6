package knative_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	istioapi "istio.io/api/networking/v1"
	istiov1 "istio.io/client-go/pkg/apis/networking/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
)

// checkRoutes returns a check that reports functions without a Knative Service, calls that are not routed
// to their function, and calls of sellers that are routed at all.
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
			if len(f.calls) == 0 { // a Deployment
				continue
			}
			svc := services[f.name]
			if svc == nil || target(svc) != f.name {
				faults = append(faults, fmt.Errorf("no Service %s has FUNCTION_TARGET %s", f.name, f.name))
				continue
			}
			for _, route := range routers {
				for _, c := range f.calls {
					faults = append(faults, checkCall(route, c, fmt.Sprintf("%s.%s.svc.cluster.local", f.name, svc.Namespace))...)
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

// checkCall reports a call that is not routed to host, or is routed although only sellers may make it.
func checkCall(route router, c call, host string) (faults []error) {
	path := placeholder.ReplaceAllString(strings.TrimSuffix(c.path, "{$}"), "x")
	if c.sellersOnly() {
		if got := route(c.method, path); got != "" {
			faults = append(faults, fmt.Errorf("%s %s is routed to %s, but it is a seller's call: remove its route", c.method, path, got))
		}
		return faults
	}
	methods := []string{c.method, http.MethodOptions} // the preflight of a browser, with CORS_ORIGINS
	if c.method == http.MethodGet {
		methods = append(methods, http.MethodHead)
	}
	for _, method := range methods {
		if got := route(method, path); got != host {
			faults = append(faults, fmt.Errorf("%s %s is routed to %q instead of %s", method, path, got, host))
		}
	}
	return faults
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

// router returns the host to which a route sends a request, "" if it sends it nowhere.
type router func(method, path string) string

// routersOf returns a router for each route of s.
func routersOf(s set) (routers []router) {
	for _, route := range all[gatewayv1.HTTPRoute](s) {
		routers = append(routers, func(method, path string) string { return byGateway(route, method, path) })
	}
	for _, vs := range all[istiov1.VirtualService](s) {
		routers = append(routers, func(method, path string) string { return byIstio(vs, method, path) })
	}
	return routers
}

// byGateway applies the rules of the Gateway API: an exact path wins over prefixes, the longest prefix of
// whole path elements wins over shorter ones, and for the same path a match with a method wins.
func byGateway(route *gatewayv1.HTTPRoute, method, path string) (host string) {
	best := -1
	for _, rule := range route.Spec.Rules {
		matches := rule.Matches
		if len(matches) == 0 {
			matches = []gatewayv1.HTTPRouteMatch{{}} // every request
		}
		for _, m := range matches {
			weight := 2 * pathWeight(m.Path, path)
			if m.Method != nil {
				weight++
			}
			if weight <= best || m.Method != nil && string(*m.Method) != method {
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

// pathWeight returns how closely m matches path, -1 if it does not. Without a type and a value, m matches
// every path.
func pathWeight(m *gatewayv1.HTTPPathMatch, path string) int {
	kind, value := gatewayv1.PathMatchPathPrefix, "/"
	if m != nil && m.Type != nil {
		kind = *m.Type
	}
	if m != nil && m.Value != nil {
		value = *m.Value
	}
	switch {
	case kind == gatewayv1.PathMatchExact && path == value:
		return 1 << 20
	case kind == gatewayv1.PathMatchPathPrefix && (path == value || strings.HasPrefix(path, strings.TrimSuffix(value, "/")+"/")):
		return len(value)
	}
	return -1
}

// byIstio applies the rule of Istio: the first match wins.
func byIstio(vs *istiov1.VirtualService, method, path string) string {
	for _, rule := range vs.Spec.Http {
		matches := rule.Match
		if len(matches) == 0 {
			matches = []*istioapi.HTTPMatchRequest{{}} // every request
		}
		for _, m := range matches {
			if matchesText(m.GetUri(), path) && matchesText(m.GetMethod(), method) {
				return rule.GetRewrite().GetAuthority()
			}
		}
	}
	return ""
}

// matchesText reports whether m matches text. Without a condition it does.
func matchesText(m *istioapi.StringMatch, text string) bool {
	switch m.GetMatchType().(type) {
	case *istioapi.StringMatch_Exact:
		return text == m.GetExact()
	case *istioapi.StringMatch_Prefix:
		return strings.HasPrefix(text, m.GetPrefix())
	case *istioapi.StringMatch_Regex:
		whole, err := regexp.Compile("^(?:" + m.GetRegex() + ")$")
		return err == nil && whole.MatchString(text)
	}
	return true
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
