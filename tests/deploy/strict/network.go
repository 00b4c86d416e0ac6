package main

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const namespaceLabel = "kubernetes.io/metadata.name"

// Who may reach a port of that name, as "namespace/app". An empty namespace is the pod's own; an app "*" is each pod.
// A port that is not here is for the world.
var callers = map[string][]string{
	"grpc":     {"hail-edge/edge", "envoy-gateway-system/envoy"},
	"internal": {"/rider-service", "/driver-service"},
	"metrics":  {"monitoring/*"},
	"http":     {"/edge"},
	// Namespaces that the operator has chosen.
	"clear": {"hail-edge-clear=allowed/*"},
}

// A rule must name its ports and, except for the world's, those who may call them; and an outgoing one its targets.
func (e *ends) policy(policy *networkingv1.NetworkPolicy) {
	who := "NetworkPolicy " + policy.Name
	if isDefaultDeny(policy) {
		return
	}
	pods := e.pods(who, policy.Namespace, &policy.Spec.PodSelector)
	for _, rule := range policy.Spec.Ingress {
		if len(rule.Ports) == 0 {
			e.say("%s: opens all ports", who)
		}
		for _, port := range rule.Ports {
			if port.Port == nil || port.Port.StrVal == "" {
				e.say("%s: opens a port without its name", who)
				continue
			}
			e.port(who, pods, *port.Port)
			allowed, restricted := callers[port.Port.StrVal]
			if restricted && len(rule.From) == 0 {
				e.say("%s: opens port %s to everybody", who, port.Port.StrVal)
			}
			for _, from := range rule.From {
				if caller := peer(from); restricted && !contains(allowed, caller) {
					e.say("%s: opens port %s to %q", who, port.Port.StrVal, caller)
				}
			}
		}
		for _, from := range rule.From {
			e.known(who, policy.Namespace, from)
		}
	}
	for _, rule := range policy.Spec.Egress {
		if len(rule.To) == 0 || len(rule.Ports) == 0 {
			e.say("%s: lets calls out to everywhere", who)
		}
		for _, to := range rule.To {
			if to.IPBlock != nil && strings.HasSuffix(to.IPBlock.CIDR, "/0") {
				e.say("%s: lets calls out to %s", who, to.IPBlock.CIDR)
			}
			targets := e.known(who, policy.Namespace, to)
			for _, port := range rule.Ports {
				if port.Port == nil {
					e.say("%s: lets calls out to all ports", who)
				} else {
					e.port(who, targets, *port.Port)
				}
			}
		}
	}
}

// The pods that a peer means, where they are of a namespace whose objects are here. There must be some then.
func (e *ends) known(who, namespace string, peer networkingv1.NetworkPolicyPeer) []*corev1.PodTemplateSpec {
	if peer.PodSelector == nil {
		return nil
	}
	if peer.NamespaceSelector != nil {
		namespace = peer.NamespaceSelector.MatchLabels[namespaceLabel]
	}
	for _, w := range e.workloads {
		if w.namespace == namespace {
			return e.pods(who, namespace, peer.PodSelector)
		}
	}
	return nil
}

func peer(from networkingv1.NetworkPolicyPeer) string {
	if from.IPBlock != nil {
		return from.IPBlock.CIDR
	}
	namespace, app := "", "*"
	if selector := from.NamespaceSelector; selector != nil {
		namespace = labelsOf(selector)
		namespace = strings.TrimPrefix(namespace, namespaceLabel+"=")
		if namespace == "" {
			namespace = "any"
		}
	}
	if selector := from.PodSelector; selector != nil {
		if name := selector.MatchLabels["app.kubernetes.io/name"]; name != "" {
			app = name
		}
	}
	return namespace + "/" + app
}

func labelsOf(selector *metav1.LabelSelector) string {
	if len(selector.MatchLabels) != 1 || len(selector.MatchExpressions) != 0 {
		return fmt.Sprint(selector.MatchLabels)
	}
	for key, value := range selector.MatchLabels {
		return key + "=" + value
	}
	return ""
}

func contains(list []string, wanted string) bool {
	for _, each := range list {
		if each == wanted {
			return true
		}
	}
	return false
}

// All pods of the namespace, both directions, and no exception.
func isDefaultDeny(policy *networkingv1.NetworkPolicy) bool {
	spec := policy.Spec
	ingress, egress := false, false
	for _, kind := range spec.PolicyTypes {
		ingress = ingress || kind == networkingv1.PolicyTypeIngress
		egress = egress || kind == networkingv1.PolicyTypeEgress
	}
	return len(spec.PodSelector.MatchLabels) == 0 && len(spec.PodSelector.MatchExpressions) == 0 &&
		len(spec.Ingress) == 0 && len(spec.Egress) == 0 && ingress && egress
}
