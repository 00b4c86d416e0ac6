package main

import (
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

var (
	digest = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)
	// A URL with a password.
	password = regexp.MustCompile(`://[^/@:]*:[^/@]+@`)
	// A variable that would hold a secret.
	secretName = regexp.MustCompile(`PASSWORD|SECRET|TOKEN|PRIVATE|CREDENTIAL`)
)

// Unguarded returns what is valid and fits together, but leaves a way open: a namespace without default deny or Pod
// Security, pods without limits or with secrets in their environment, probes that TLS would break, services that ask for no
// certificate or token. `pinned`: each image
// must be given by its digest.
func Unguarded(objects []metav1.Object, pinned bool) []error {
	e := collect(objects)
	denied, accounts := map[string]bool{}, map[name]bool{}
	var budgets []*policyv1.PodDisruptionBudget
	for _, object := range objects {
		switch o := object.(type) {
		case *networkingv1.NetworkPolicy:
			denied[o.Namespace] = denied[o.Namespace] || isDefaultDeny(o)
		case *corev1.Namespace:
			e.podSecurity(o)
		case *corev1.ServiceAccount:
			accounts[of(o)] = o.AutomountServiceAccountToken != nil && !*o.AutomountServiceAccountToken
		case *corev1.Service:
			// The edge's port with TLS is the one that the world may call.
			exposed := o.Spec.Type == corev1.ServiceTypeLoadBalancer || o.Spec.Type == corev1.ServiceTypeNodePort
			for _, port := range o.Spec.Ports {
				if exposed && port.TargetPort.StrVal != "tls" {
					e.say("Service %s: exposes port %s", o.Name, port.TargetPort.String())
				}
			}
		case *policyv1.PodDisruptionBudget:
			budgets = append(budgets, o)
		}
	}
	for _, w := range e.workloads {
		if !denied[w.namespace] {
			e.say("%s: its namespace %q has no default deny in both directions", w.name, w.namespace)
		}
		pod := &w.pod.Spec
		if account := (name{w.namespace, pod.ServiceAccountName}); !accounts[account] {
			e.say("%s: has no ServiceAccount of its own without a token", w.name)
		}
		if pod.HostNetwork || pod.HostPID || pod.HostIPC {
			e.say("%s: uses the node's own network or processes", w.name)
		}
		e.secured(w)
		covered := false
		for _, budget := range budgets {
			matcher, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
			covered = covered || err == nil && budget.Namespace == w.namespace && matcher.Matches(labels.Set(w.pod.Labels))
		}
		if !covered {
			e.say("%s: has no PodDisruptionBudget", w.name)
		}
		for i := range pod.Containers {
			e.container(w.name+", "+pod.Containers[i].Name, &pod.Containers[i], pinned)
		}
	}
	return e.problems
}

func (e *ends) podSecurity(namespace *corev1.Namespace) {
	for _, mode := range []string{"enforce", "audit", "warn"} {
		label := "pod-security.kubernetes.io/" + mode
		if namespace.Labels[label] != "restricted" {
			e.say("Namespace %s: %s is not `restricted`", namespace.Name, label)
		}
		if version := namespace.Labels[label+"-version"]; !strings.HasPrefix(version, "v1.") {
			e.say("Namespace %s: %s-version is %q", namespace.Name, label, version)
		}
	}
}

func (e *ends) container(who string, container *corev1.Container, pinned bool) {
	for _, resource := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
		if limit, given := container.Resources.Limits[resource]; !given || limit.IsZero() {
			e.say("%s: no limit of %s", who, resource)
		}
	}
	for _, from := range container.EnvFrom {
		if from.SecretRef != nil {
			e.say("%s: has the secret %s in its environment", who, from.SecretRef.Name)
		}
	}
	for _, variable := range container.Env {
		if from := variable.ValueFrom; from != nil && from.SecretKeyRef != nil {
			e.say("%s: has the secret %s in its environment", who, from.SecretKeyRef.Name)
		}
		if password.MatchString(variable.Value) || secretName.MatchString(variable.Name) && !strings.HasPrefix(variable.Value, "/") {
			e.say("%s: %s has a secret in the environment", who, variable.Name)
		}
	}
	for _, argument := range append(append([]string{}, container.Command...), container.Args...) {
		if password.MatchString(argument) {
			e.say("%s: has a password on its command line", who)
		}
	}
	for _, port := range container.Ports {
		if port.HostPort != 0 {
			e.say("%s: takes port %d of the node", who, port.HostPort)
		}
	}
	for _, probe := range []*corev1.Probe{container.StartupProbe, container.ReadinessProbe, container.LivenessProbe} {
		if probe != nil && probe.GRPC != nil {
			e.say("%s: a probe by gRPC speaks in the clear, which a port with TLS refuses", who)
		}
	}
	if pinned && !digest.MatchString(container.Image) {
		e.say("%s: the image %s has no digest", who, container.Image)
	}
}
