package main

import (
	"fmt"
	"strconv"
	"strings"
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
	name      string
	namespace string
	replicas  *int32
	selector  *metav1.LabelSelector
	pod       *corev1.PodTemplateSpec
}

// What the objects are called by. A name is unique in its namespace.
type name struct{ namespace, name string }

func of(object metav1.Object) name { return name{object.GetNamespace(), object.GetName()} }

type ends struct {
	workloads []workload
	scaled    map[string]bool
	services  map[name]*corev1.Service
	secrets   map[name]*corev1.Secret
	configs   map[name]*corev1.ConfigMap
	gateways  map[name]bool
	problems  []error
}

// LooseEnds returns objects that are valid by themselves but do not fit together: names of ports, labels, targets and
// secrets that match nothing among `objects`, and pods that are killed before they have drained.
func LooseEnds(objects []metav1.Object) []error {
	e := collect(objects)
	e.fit(objects)
	return e.problems
}

// The objects by their names.
func collect(objects []metav1.Object) *ends {
	e := &ends{scaled: map[string]bool{}, services: map[name]*corev1.Service{}, secrets: map[name]*corev1.Secret{},
		configs: map[name]*corev1.ConfigMap{}, gateways: map[name]bool{}}
	for _, object := range objects {
		switch o := object.(type) {
		case *appsv1.Deployment:
			e.workloads = append(e.workloads, workload{"Deployment " + o.Name, o.Namespace, o.Spec.Replicas, o.Spec.Selector, &o.Spec.Template})
		case *appsv1.StatefulSet:
			e.workloads = append(e.workloads, workload{"StatefulSet " + o.Name, o.Namespace, o.Spec.Replicas, o.Spec.Selector, &o.Spec.Template})
		case *corev1.Service:
			e.services[of(o)] = o
		case *corev1.Secret:
			e.secrets[of(o)] = o
		case *corev1.ConfigMap:
			e.configs[of(o)] = o
		case *gatewayv1beta1.Gateway:
			e.gateways[of(o)] = true
		case *autoscalingv2.HorizontalPodAutoscaler:
			e.scaled[o.Spec.ScaleTargetRef.Kind+" "+o.Spec.ScaleTargetRef.Name] = true
		}
	}
	return e
}

func (e *ends) fit(objects []metav1.Object) {
	for _, object := range objects {
		switch o := object.(type) {
		case *corev1.Service:
			if o.Spec.Type == corev1.ServiceTypeExternalName {
				e.external(o)
				break
			}
			pods := e.pods("Service "+o.Name, o.Namespace, &metav1.LabelSelector{MatchLabels: o.Spec.Selector})
			for _, port := range o.Spec.Ports {
				e.port("Service "+o.Name, pods, port.TargetPort)
			}
		case *networkingv1.NetworkPolicy:
			e.policy(o)
		case *policyv1.PodDisruptionBudget:
			e.pods("PodDisruptionBudget "+o.Name, o.Namespace, o.Spec.Selector)
		case *appsv1.StatefulSet:
			if e.services[name{o.Namespace, o.Spec.ServiceName}] == nil {
				e.say("StatefulSet %s: no Service %q", o.Name, o.Spec.ServiceName)
			}
			claims := map[string]bool{}
			for _, claim := range o.Spec.VolumeClaimTemplates {
				claims[claim.Name] = true
			}
			e.mounts("StatefulSet "+o.Name, o.Namespace, &o.Spec.Template.Spec, claims)
		case *appsv1.Deployment:
			e.mounts("Deployment "+o.Name, o.Namespace, &o.Spec.Template.Spec, map[string]bool{})
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
}

func (e *ends) say(format string, values ...any) {
	e.problems = append(e.problems, fmt.Errorf(format, values...))
}

// A name inside the cluster must be that of a Service.
func (e *ends) external(service *corev1.Service) {
	parts := strings.Split(service.Spec.ExternalName, ".")
	if len(parts) > 2 && parts[2] == "svc" && e.services[name{parts[1], parts[0]}] == nil {
		e.say("Service %s: no Service %s in %s", service.Name, parts[0], parts[1])
	}
}

// Returns the pods of a namespace that a selector matches; no pod is a problem.
func (e *ends) pods(who, namespace string, selector *metav1.LabelSelector) (found []*corev1.PodTemplateSpec) {
	matcher, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		e.say("%s: %v", who, err)
		return nil
	}
	for _, w := range e.workloads {
		if w.namespace == namespace && matcher.Matches(labels.Set(w.pod.Labels)) {
			found = append(found, w.pod)
		}
	}
	if len(found) == 0 {
		e.say("%s: selects no pods", who)
	}
	return found
}

// Each of the pods must have the port.
func (e *ends) port(who string, pods []*corev1.PodTemplateSpec, port intstr.IntOrString) {
	for _, pod := range pods {
		if !hasPort(&pod.Spec, port) {
			e.say("%s: the pods have no port %s", who, port.String())
		}
	}
}

func hasPort(pod *corev1.PodSpec, wanted intstr.IntOrString) bool {
	for _, container := range pod.Containers {
		for _, port := range container.Ports {
			if port.Name != "" && port.Name == wanted.StrVal || port.ContainerPort == wanted.IntVal {
				return true
			}
		}
	}
	return false
}

func (e *ends) mounts(who, namespace string, pod *corev1.PodSpec, volumes map[string]bool) {
	for _, volume := range pod.Volumes {
		volumes[volume.Name] = true
		if volume.Projected != nil {
			e.projected(who, namespace, volume.Projected)
		}
		if from := volume.Secret; from != nil && e.secrets[name{namespace, from.SecretName}] == nil {
			e.say("%s: no Secret %s", who, from.SecretName)
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
func (e *ends) projected(who, namespace string, volume *corev1.ProjectedVolumeSource) {
	for _, source := range volume.Sources {
		if from := source.ConfigMap; from != nil {
			config := e.configs[name{namespace, from.Name}]
			for _, item := range from.Items {
				if config == nil || config.Data[item.Key] == "" && config.BinaryData[item.Key] == nil {
					e.say("%s: no ConfigMap %s with %s", who, from.Name, item.Key)
				}
			}
		}
		if from := source.Secret; from != nil {
			secret := e.secrets[name{namespace, from.Name}]
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
		namespace := route.Namespace
		if parent.Namespace != nil {
			namespace = string(*parent.Namespace)
		}
		if !e.gateways[name{namespace, string(parent.Name)}] {
			e.say("GRPCRoute %s: no Gateway %s", route.Name, parent.Name)
		}
	}
	for _, rule := range route.Spec.Rules {
		for _, backend := range rule.BackendRefs {
			found := false
			if service := e.services[name{route.Namespace, string(backend.Name)}]; service != nil && backend.Port != nil {
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
			} else if probe.GRPC != nil {
				e.port(who, []*corev1.PodTemplateSpec{w.pod}, intstr.FromInt(int(probe.GRPC.Port)))
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
