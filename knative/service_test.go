package knative_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"knative.dev/networking/pkg/apis/networking"
	netcfg "knative.dev/networking/pkg/config"
	"knative.dev/pkg/apis"
	"knative.dev/pkg/logging"
	"knative.dev/serving/pkg/apis/autoscaling"
	apicfg "knative.dev/serving/pkg/apis/config"
	"knative.dev/serving/pkg/apis/serving"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"knative.dev/serving/pkg/deployment"
	"knative.dev/serving/pkg/observability"
	configuration "knative.dev/serving/pkg/reconciler/configuration/resources"
	"knative.dev/serving/pkg/reconciler/revision/config"
	revision "knative.dev/serving/pkg/reconciler/revision/resources"
	service "knative.dev/serving/pkg/reconciler/service/resources"

	_ "knative.dev/pkg/system/testing" // sets the namespace of Knative
)

// checkAdmission reports the errors and warnings of Knative's webhook.
func checkAdmission(s set) (faults []error) {
	for _, svc := range all[servingv1.Service](s) {
		ctx := apis.WithinCreate(context.Background())
		svc.SetDefaults(ctx)
		err := svc.Validate(ctx)
		if refused := err.Filter(apis.ErrorLevel); refused != nil {
			faults = append(faults, fmt.Errorf("Service %s: refused: %w", svc.Name, refused))
		}
		if warned := err.Filter(apis.WarningLevel); warned != nil {
			faults = append(faults, fmt.Errorf("Service %s: warning: %w", svc.Name, warned))
		}
	}
	return faults
}

// deploymentOf returns the Deployment that Knative would create for svc.
func deploymentOf(svc *servingv1.Service) (*appsv1.Deployment, error) {
	if len(svc.Spec.Template.Spec.Containers) == 0 {
		return nil, errors.New("no container")
	}
	ctx := context.Background()
	svc.SetDefaults(ctx)
	rev := configuration.MakeRevision(ctx, service.MakeConfiguration(svc), time.Unix(0, 0))
	rev.SetDefaults(ctx)
	cfg := &config.Config{
		Config:        apicfg.FromContextOrDefaults(ctx),
		Logging:       &logging.Config{},
		Network:       &netcfg.Config{},
		Observability: observability.DefaultConfig(),
	}
	var err error
	if cfg.Deployment, err = deployment.NewConfigFromMap(map[string]string{deployment.QueueSidecarImageKey: "queue-proxy"}); err != nil {
		return nil, err
	}
	for _, c := range svc.Spec.Template.Spec.Containers {
		rev.Status.ContainerStatuses = append(rev.Status.ContainerStatuses, servingv1.ContainerStatus{Name: c.Name, ImageDigest: c.Image})
	}
	return revision.MakeDeployment(rev, cfg)
}

// revisionAnnotations are valid on the template, serviceAnnotations on the Service. Knative silently
// ignores all others.
var (
	revisionAnnotations = []string{
		autoscaling.ClassAnnotationKey, autoscaling.MinScaleAnnotationKey, autoscaling.MaxScaleAnnotationKey,
		autoscaling.InitialScaleAnnotationKey, autoscaling.ActivationScaleKey, autoscaling.ScaleDownDelayAnnotationKey,
		autoscaling.MetricAnnotationKey, autoscaling.TargetAnnotationKey, autoscaling.TargetUtilizationPercentageKey,
		autoscaling.TargetBurstCapacityKey, autoscaling.WindowAnnotationKey, autoscaling.PanicWindowPercentageAnnotationKey,
		autoscaling.PanicThresholdPercentageAnnotationKey, autoscaling.ScaleToZeroPodRetentionPeriodKey,
		autoscaling.MetricAggregationAlgorithmKey, serving.ProgressDeadlineAnnotationKey,
		serving.QueueSidecarCPUResourceRequestAnnotationKey, serving.QueueSidecarCPUResourceLimitAnnotationKey,
		serving.QueueSidecarMemoryResourceRequestAnnotationKey, serving.QueueSidecarMemoryResourceLimitAnnotationKey,
		apicfg.AllowHTTPFullDuplexFeatureKey,
	}
	serviceAnnotations = []string{serving.RolloutDurationKey}
)

// checkAnnotations reports annotations that Knative doesn't know, labels that it sets itself, and
// Services that are public.
func checkAnnotations(s set) (faults []error) {
	unknown := func(svc *servingv1.Service, got map[string]string, known []string) {
		left := maps.Clone(got)
		for _, name := range known {
			delete(left, name)
		}
		for name := range left {
			faults = append(faults, fmt.Errorf("Service %s: unknown annotation %s", svc.Name, name))
		}
	}
	for _, svc := range all[servingv1.Service](s) {
		unknown(svc, svc.Annotations, serviceAnnotations)
		unknown(svc, svc.Spec.Template.Annotations, revisionAnnotations)
		if svc.Labels[networking.VisibilityLabelKey] != serving.VisibilityClusterLocal {
			faults = append(faults, fmt.Errorf("Service %s: the label %s is not %s", svc.Name, networking.VisibilityLabelKey, serving.VisibilityClusterLocal))
		}
		for name := range svc.Spec.Template.Labels {
			if strings.Contains(name, "knative.dev/") {
				faults = append(faults, fmt.Errorf("Service %s: Knative sets the label %s itself", svc.Name, name))
			}
		}
	}
	return faults
}
