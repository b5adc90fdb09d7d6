package knative_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

var promQL = parser.NewParser(parser.Options{})

// query is an expression of an alert, a panel or a dashboard variable.
type query struct{ source, expr string }

// checkAlerts reports rules that Prometheus would not load, by its own code, and alerts without a
// summary, a description or a severity.
func checkAlerts(s set) (faults []error) {
	for _, rule := range all[monitoringv1.PrometheusRule](s) {
		text, err := yaml.Marshal(rule.Spec)
		if err != nil {
			return []error{err}
		}
		_, errs := rulefmt.Parse(text, false, model.UTF8Validation, promQL, slog.New(slog.DiscardHandler))
		for _, err := range errs {
			faults = append(faults, fmt.Errorf("PrometheusRule %s: %w", rule.Name, err))
		}
		for _, group := range rule.Spec.Groups {
			for _, r := range group.Rules {
				if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || r.Labels["severity"] == "" {
					faults = append(faults, fmt.Errorf("alert %s has no summary, description or severity", r.Alert))
				}
			}
		}
	}
	return faults
}

// queries returns all expressions of s. It replaces Grafana's variables by values.
func queries(s set) (found []query, err error) {
	for _, rule := range all[monitoringv1.PrometheusRule](s) {
		for _, group := range rule.Spec.Groups {
			for _, r := range group.Rules {
				found = append(found, query{"alert " + r.Alert, r.Expr.String()})
			}
		}
	}
	for _, m := range all[corev1.ConfigMap](s) {
		if m.Labels["grafana_dashboard"] == "" {
			continue
		}
		for name, text := range m.Data {
			inDashboard, err := panelQueries(text)
			if err != nil {
				return nil, fmt.Errorf("dashboard %s: %w", name, err)
			}
			found = append(found, inDashboard...)
		}
	}
	return found, nil
}

var (
	grafana   = strings.NewReplacer("$__rate_interval", "5m", "$namespace", "booking")
	valuesOf  = regexp.MustCompile(`^label_values\((.*), *\w+\)$`)
	variable  = regexp.MustCompile(`\$\w+`)
	errNoExpr = errors.New("no panel has a query")
)

func panelQueries(text string) (found []query, err error) {
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Query string }
		}
	}
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		return nil, err
	}
	for _, p := range dashboard.Panels {
		for _, t := range p.Targets {
			expr := grafana.Replace(t.Expr)
			if unknown := variable.FindString(expr); unknown != "" {
				return nil, fmt.Errorf("panel %s: unknown variable %s", p.Title, unknown)
			}
			found = append(found, query{"panel " + p.Title, expr})
		}
	}
	if len(found) == 0 {
		return nil, errNoExpr
	}
	for _, v := range dashboard.Templating.List {
		if m := valuesOf.FindStringSubmatch(v.Query); m != nil {
			found = append(found, query{"variable " + v.Name, m[1]})
		}
	}
	return found, nil
}

// scraped lists the labels that Prometheus adds to each sample of a pod.
var scraped = []string{"namespace", "pod", "container", "service", "job", "instance", "endpoint"}

// checkQueries returns a check that reports queries with a syntax error, an unknown metric or an
// unknown label. exposed has the labels of each metric.
func checkQueries(exposed map[string]map[string]bool) func(set) []error {
	return func(s set) (faults []error) {
		found, err := queries(s)
		if err != nil {
			return []error{err}
		}
		for _, q := range found {
			expr, err := promQL.ParseExpr(q.expr)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", q.source, err))
				continue
			}
			labels := map[string]bool{}
			for _, name := range scraped {
				labels[name] = true
			}
			parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
				if selector, ok := node.(*parser.VectorSelector); ok {
					if exposed[selector.Name] == nil {
						faults = append(faults, fmt.Errorf("%s: unknown metric %q", q.source, selector.Name))
					}
					for name := range exposed[selector.Name] {
						labels[name] = true
					}
				}
				return nil
			})
			parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
				var names []string
				switch n := node.(type) {
				case *parser.AggregateExpr:
					names = n.Grouping
				case *parser.VectorSelector:
					for _, m := range n.LabelMatchers {
						if m.Name != model.MetricNameLabel {
							names = append(names, m.Name)
						}
					}
				}
				for _, name := range names {
					if !labels[name] {
						faults = append(faults, fmt.Errorf("%s: no metric of it has the label %q", q.source, name))
					}
				}
				return nil
			})
		}
		return faults
	}
}
