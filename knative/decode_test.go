package knative_test

import (
	stdjson "encoding/json"
	"fmt"
	"reflect"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"google.golang.org/protobuf/encoding/protojson"
	istioapi "istio.io/api/networking/v1"
	istiov1 "istio.io/client-go/pkg/apis/networking/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	sourcesv1 "knative.dev/eventing/pkg/apis/sources/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// kinds maps the kinds that the manifests may have to their Go types.
var kinds = map[string]reflect.Type{
	"v1/ConfigMap":                                     reflect.TypeFor[corev1.ConfigMap](),
	"v1/Namespace":                                     reflect.TypeFor[corev1.Namespace](),
	"v1/Secret":                                        reflect.TypeFor[corev1.Secret](),
	"v1/Service":                                       reflect.TypeFor[corev1.Service](),
	"apps/v1/Deployment":                               reflect.TypeFor[appsv1.Deployment](),
	"batch/v1/Job":                                     reflect.TypeFor[batchv1.Job](),
	"apps/v1/StatefulSet":                              reflect.TypeFor[appsv1.StatefulSet](),
	"autoscaling/v2/HorizontalPodAutoscaler":           reflect.TypeFor[autoscalingv2.HorizontalPodAutoscaler](),
	"networking.k8s.io/v1/NetworkPolicy":               reflect.TypeFor[networkingv1.NetworkPolicy](),
	"policy/v1/PodDisruptionBudget":                    reflect.TypeFor[policyv1.PodDisruptionBudget](),
	"serving.knative.dev/v1/Service":                   reflect.TypeFor[servingv1.Service](),
	"sources.knative.dev/v1/SinkBinding":               reflect.TypeFor[sourcesv1.SinkBinding](),
	"eventing.knative.dev/v1/Broker":                   reflect.TypeFor[eventingv1.Broker](),
	"eventing.knative.dev/v1/Trigger":                  reflect.TypeFor[eventingv1.Trigger](),
	"gateway.networking.k8s.io/v1/HTTPRoute":           reflect.TypeFor[gatewayv1.HTTPRoute](),
	"gateway.networking.k8s.io/v1beta1/ReferenceGrant": reflect.TypeFor[gatewayv1beta1.ReferenceGrant](),
	"networking.istio.io/v1/VirtualService":            reflect.TypeFor[istiov1.VirtualService](),
	"monitoring.coreos.com/v1/PodMonitor":              reflect.TypeFor[monitoringv1.PodMonitor](),
	"monitoring.coreos.com/v1/PrometheusRule":          reflect.TypeFor[monitoringv1.PrometheusRule](),
}

// checkFields reports unknown kinds and unknown fields.
func checkFields(s set) (faults []error) {
	for _, o := range s {
		kind, known := kinds[o.gvk()]
		if !known {
			faults = append(faults, fmt.Errorf("%s: unknown kind %s", o, o.gvk()))
			continue
		}
		strict, err := o.decode(reflect.New(kind).Interface())
		for _, fault := range append(strict, err) {
			if fault != nil {
				faults = append(faults, fmt.Errorf("%s: %w", o, fault))
			}
		}
	}
	return faults
}

// decode decodes o as the API server does: field names are case-sensitive. It returns an error
// for each unknown field, and the error that made it fail.
func (o object) decode(into any) (strict []error, err error) {
	text, err := yaml.YAMLToJSONStrict(o.yaml)
	if err != nil {
		return nil, err
	}
	strict, err = json.UnmarshalStrict(text, into)
	if _, ok := into.(*istiov1.VirtualService); ok && err == nil {
		// Istio's own decoder accepts unknown fields.
		var raw struct {
			Spec map[string]any `json:"spec"`
		}
		if err := yaml.Unmarshal(o.yaml, &raw); err != nil {
			return nil, err
		}
		spec, err := stdjson.Marshal(raw.Spec)
		if err != nil {
			return nil, err
		}
		strict = append(strict, protojson.Unmarshal(spec, &istioapi.VirtualService{}))
	}
	return strict, err
}

// all returns the objects of type T in s. It omits objects that can't be decoded, which checkFields
// reports.
func all[T any](s set) []*T {
	var found []*T
	for _, o := range s {
		if kinds[o.gvk()] != reflect.TypeFor[T]() {
			continue
		}
		one := new(T)
		if _, err := o.decode(one); err == nil {
			found = append(found, one)
		}
	}
	return found
}
