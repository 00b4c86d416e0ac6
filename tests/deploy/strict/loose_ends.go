package main

import (
	"fmt"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	gatewayv1alpha2 "sigs.k8s.io/gateway-api/apis/v1alpha2"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
)

// The pods of a Deployment or a StatefulSet.
type workload struct {
	name     string
	replicas *int32
	selector *metav1.LabelSelector
	pod      *corev1.PodTemplateSpec
}

type ends struct {
	workloads []workload
	scaled    map[string]bool
	services  map[string]*corev1.Service
	secrets   map[string]*corev1.Secret
	configs   map[string]*corev1.ConfigMap
	gateways  map[string]bool
	problems  []error
}

// LooseEnds returns objects that are valid by themselves but do not fit together: names of ports, labels, targets and
// secrets that match nothing among `objects`, and pods that are killed before they have drained.
func LooseEnds(objects []metav1.Object) []error {
	e := ends{scaled: map[string]bool{}, services: map[string]*corev1.Service{}, secrets: map[string]*corev1.Secret{},
		configs: map[string]*corev1.ConfigMap{}, gateways: map[string]bool{}}
	for _, object := range objects {
		switch o := object.(type) {
		case *appsv1.Deployment:
			e.workloads = append(e.workloads, workload{"Deployment " + o.Name, o.Spec.Replicas, o.Spec.Selector, &o.Spec.Template})
		case *appsv1.StatefulSet:
			e.workloads = append(e.workloads, workload{"StatefulSet " + o.Name, o.Spec.Replicas, o.Spec.Selector, &o.Spec.Template})
		case *corev1.Service:
			e.services[o.Name] = o
		case *corev1.Secret:
			e.secrets[o.Name] = o
		case *corev1.ConfigMap:
			e.configs[o.Name] = o
		case *gatewayv1beta1.Gateway:
			e.gateways[o.Name] = true
		case *autoscalingv2.HorizontalPodAutoscaler:
			e.scaled[o.Spec.ScaleTargetRef.Kind+" "+o.Spec.ScaleTargetRef.Name] = true
		}
	}
	for _, object := range objects {
		switch o := object.(type) {
		case *corev1.Service:
			pods := e.pods("Service "+o.Name, &metav1.LabelSelector{MatchLabels: o.Spec.Selector})
			for _, port := range o.Spec.Ports {
				e.port("Service "+o.Name, pods, port.TargetPort)
			}
		case *networkingv1.NetworkPolicy:
			e.policy(o)
		case *policyv1.PodDisruptionBudget:
			e.pods("PodDisruptionBudget "+o.Name, o.Spec.Selector)
		case *appsv1.StatefulSet:
			if e.services[o.Spec.ServiceName] == nil {
				e.say("StatefulSet %s: no Service %q", o.Name, o.Spec.ServiceName)
			}
			claims := map[string]bool{}
			for _, claim := range o.Spec.VolumeClaimTemplates {
				claims[claim.Name] = true
			}
			e.mounts("StatefulSet "+o.Name, &o.Spec.Template.Spec, claims)
		case *appsv1.Deployment:
			e.mounts("Deployment "+o.Name, &o.Spec.Template.Spec, map[string]bool{})
		case *gatewayv1alpha2.GRPCRoute:
			e.route(o)
		}
	}
	for _, w := range e.workloads {
		e.workload(w)
		if e.scaled[w.name] && w.replicas != nil {
			e.say("%s: replicas are its HorizontalPodAutoscaler's business", w.name)
		}
		delete(e.scaled, w.name)
	}
	for target := range e.scaled {
		e.say("HorizontalPodAutoscaler: no %s", target)
	}
	return e.problems
}

func (e *ends) say(format string, values ...any) {
	e.problems = append(e.problems, fmt.Errorf(format, values...))
}

// Returns the pods that a selector matches; no pod is a problem.
func (e *ends) pods(who string, selector *metav1.LabelSelector) (found []*corev1.PodTemplateSpec) {
	matcher, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		e.say("%s: %v", who, err)
		return nil
	}
	for _, w := range e.workloads {
		if matcher.Matches(labels.Set(w.pod.Labels)) {
			found = append(found, w.pod)
		}
	}
	if len(found) == 0 {
		e.say("%s: selects no pods", who)
	}
	return found
}

// Each of the pods must have the port, if the port is given by name.
func (e *ends) port(who string, pods []*corev1.PodTemplateSpec, port intstr.IntOrString) {
	for _, pod := range pods {
		if port.Type == intstr.String && !hasPort(&pod.Spec, port.StrVal) {
			e.say("%s: the pods have no port %q", who, port.StrVal)
		}
	}
}

func hasPort(pod *corev1.PodSpec, name string) bool {
	for _, container := range pod.Containers {
		for _, port := range container.Ports {
			if port.Name == name {
				return true
			}
		}
	}
	return false
}

func (e *ends) policy(policy *networkingv1.NetworkPolicy) {
	who := "NetworkPolicy " + policy.Name
	pods := e.pods(who, &policy.Spec.PodSelector)
	for _, rule := range policy.Spec.Ingress {
		for _, port := range rule.Ports {
			if port.Port != nil {
				e.port(who, pods, *port.Port)
			}
			if port.Port == nil || port.Port.StrVal == "internal" && len(rule.From) == 0 {
				e.say("%s: opens the internal port to everybody", who)
			}
		}
		if len(rule.Ports) == 0 {
			e.say("%s: opens all ports", who)
		}
		for _, from := range rule.From {
			if from.PodSelector != nil {
				e.pods(who, from.PodSelector)
			}
		}
	}
}

func (e *ends) mounts(who string, pod *corev1.PodSpec, volumes map[string]bool) {
	for _, volume := range pod.Volumes {
		volumes[volume.Name] = true
		if volume.Projected != nil {
			e.projected(who, volume.Projected)
		}
	}
	for _, container := range pod.Containers {
		for _, mount := range container.VolumeMounts {
			if !volumes[mount.Name] {
				e.say("%s: no volume %q", who, mount.Name)
			}
		}
	}
}

// The files that a volume collects must be in ConfigMaps and Secrets.
func (e *ends) projected(who string, volume *corev1.ProjectedVolumeSource) {
	for _, source := range volume.Sources {
		if from := source.ConfigMap; from != nil {
			config := e.configs[from.Name]
			for _, item := range from.Items {
				if config == nil || config.Data[item.Key] == "" && config.BinaryData[item.Key] == nil {
					e.say("%s: no ConfigMap %s with %s", who, from.Name, item.Key)
				}
			}
		}
		if from := source.Secret; from != nil {
			secret := e.secrets[from.Name]
			for _, item := range from.Items {
				if secret == nil || secret.StringData[item.Key] == "" {
					e.say("%s: no Secret %s with %s", who, from.Name, item.Key)
				}
			}
		}
	}
}

// A route's gateways and services must be there, with their ports.
func (e *ends) route(route *gatewayv1alpha2.GRPCRoute) {
	for _, parent := range route.Spec.ParentRefs {
		if !e.gateways[string(parent.Name)] {
			e.say("GRPCRoute %s: no Gateway %s", route.Name, parent.Name)
		}
	}
	for _, rule := range route.Spec.Rules {
		for _, backend := range rule.BackendRefs {
			found := false
			if service := e.services[string(backend.Name)]; service != nil && backend.Port != nil {
				for _, port := range service.Spec.Ports {
					found = found || port.Port == int32(*backend.Port)
				}
			}
			if !found {
				e.say("GRPCRoute %s: no Service %s with that port", route.Name, backend.Name)
			}
		}
	}
}

func (e *ends) workload(w workload) {
	matcher, err := metav1.LabelSelectorAsSelector(w.selector)
	if err != nil || !matcher.Matches(labels.Set(w.pod.Labels)) {
		e.say("%s: does not select its own pods", w.name)
	}
	pod := &w.pod.Spec
	if security := pod.SecurityContext; security == nil || security.RunAsNonRoot == nil || !*security.RunAsNonRoot {
		e.say("%s: may run as root", w.name)
	}
	for _, container := range pod.Containers {
		who := w.name + ", " + container.Name
		security := container.SecurityContext
		if security == nil || security.ReadOnlyRootFilesystem == nil || !*security.ReadOnlyRootFilesystem {
			e.say("%s: may write to its root file system", who)
		}
		// The services' defaults (common/config/service_keys.cc).
		drain := map[string]time.Duration{"HAIL_SHUTDOWN_NOTICE": time.Second, "HAIL_SHUTDOWN_GRACE": 8 * time.Second}
		for _, variable := range container.Env {
			if _, known := drain[variable.Name]; known {
				if drain[variable.Name], err = time.ParseDuration(variable.Value); err != nil {
					e.say("%s: %s: %v", who, variable.Name, err)
				}
			}
			if from := variable.ValueFrom; from != nil && from.SecretKeyRef != nil {
				secret := e.secrets[from.SecretKeyRef.Name]
				if secret == nil || secret.StringData[from.SecretKeyRef.Key] == "" {
					e.say("%s: %s: no secret %s with %s", who, variable.Name, from.SecretKeyRef.Name, from.SecretKeyRef.Key)
				}
			}
		}
		// Plus 2 s for calls cut off then (common/rpc/service_host.cc); the shutdown does more than that.
		needs := preStop(&container) + drain["HAIL_SHUTDOWN_NOTICE"] + drain["HAIL_SHUTDOWN_GRACE"] + 2*time.Second
		if grace := pod.TerminationGracePeriodSeconds; grace == nil || time.Duration(*grace)*time.Second <= needs {
			e.say("%s: is killed before its drain of %v is over", who, needs)
		}
		for _, probe := range []*corev1.Probe{container.StartupProbe, container.ReadinessProbe, container.LivenessProbe} {
			if probe == nil {
				e.say("%s: a probe is missing", who)
			} else if probe.TCPSocket != nil {
				e.port(who, []*corev1.PodTemplateSpec{w.pod}, probe.TCPSocket.Port)
			} else if probe.HTTPGet != nil {
				e.port(who, []*corev1.PodTemplateSpec{w.pod}, probe.HTTPGet.Port)
			}
		}
	}
}

// The duration of `sleep N` before SIGTERM.
func preStop(container *corev1.Container) time.Duration {
	if container.Lifecycle == nil || container.Lifecycle.PreStop == nil || container.Lifecycle.PreStop.Exec == nil {
		return 0
	}
	// `sleep SECONDS`, or the edge's `bash /etc/hail/drain SECONDS`.
	command := container.Lifecycle.PreStop.Exec.Command
	seconds, _ := strconv.Atoi(command[len(command)-1])
	return time.Duration(seconds) * time.Second
}
