package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	yamldocuments "k8s.io/apimachinery/pkg/util/yaml"
	gatewayv1alpha2 "sigs.k8s.io/gateway-api/apis/v1alpha2"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// Kinds that Hail's manifests may contain. Any other kind is a problem, because it would go unchecked.
var kinds = map[metav1.TypeMeta]func() metav1.Object{
	{APIVersion: "v1", Kind: "ConfigMap"}:                           func() metav1.Object { return &corev1.ConfigMap{} },
	{APIVersion: "v1", Kind: "Namespace"}:                           func() metav1.Object { return &corev1.Namespace{} },
	{APIVersion: "v1", Kind: "Secret"}:                              func() metav1.Object { return &corev1.Secret{} },
	{APIVersion: "v1", Kind: "ServiceAccount"}:                      func() metav1.Object { return &corev1.ServiceAccount{} },
	{APIVersion: "v1", Kind: "Service"}:                             func() metav1.Object { return &corev1.Service{} },
	{APIVersion: "apps/v1", Kind: "Deployment"}:                     func() metav1.Object { return &appsv1.Deployment{} },
	{APIVersion: "apps/v1", Kind: "StatefulSet"}:                    func() metav1.Object { return &appsv1.StatefulSet{} },
	{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler"}: func() metav1.Object { return &autoscalingv2.HorizontalPodAutoscaler{} },
	{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}:     func() metav1.Object { return &networkingv1.NetworkPolicy{} },
	{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}:          func() metav1.Object { return &policyv1.PodDisruptionBudget{} },
	// The newest types that Debian's Go compiles are of earlier versions; v1 has all of their fields that Hail uses.
	{APIVersion: "gateway.networking.k8s.io/v1", Kind: "Gateway"}:   func() metav1.Object { return &gatewayv1beta1.Gateway{} },
	{APIVersion: "gateway.networking.k8s.io/v1", Kind: "GRPCRoute"}: func() metav1.Object { return &gatewayv1alpha2.GRPCRoute{} },
}

// Decode returns the objects of a stream of YAML documents, or all problems with them.
func Decode(text []byte) (objects []metav1.Object, problems []error) {
	documents := yamldocuments.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for number := 1; ; number++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, append(problems, err)
		}
		object, wrong := decodeOne(document)
		for _, problem := range wrong {
			problems = append(problems, fmt.Errorf("document %d: %w", number, problem))
		}
		if object != nil {
			objects = append(objects, object)
		}
	}
	if len(objects) == 0 && len(problems) == 0 {
		problems = append(problems, errors.New("no object"))
	}
	return objects, problems
}

func decodeOne(document []byte) (metav1.Object, []error) {
	// Refuses duplicate keys, which YAML's usual readers accept.
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return nil, []error{err}
	}
	if string(text) == "null" {
		return nil, nil
	}
	var kind metav1.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return nil, []error{err}
	}
	construct, known := kinds[kind]
	if !known {
		return nil, []error{fmt.Errorf("%s %s is not among the kinds that are checked", kind.APIVersion, kind.Kind)}
	}
	object := construct()
	// The API server's decoder. It is sensitive to the case of names; encoding/json is not.
	unknown, err := json.UnmarshalStrict(text, object)
	if err != nil {
		unknown = append(unknown, err)
	}
	if object.GetName() == "" {
		unknown = append(unknown, errors.New("no name"))
	}
	for i, problem := range unknown {
		unknown[i] = fmt.Errorf("%s %s: %w", kind.Kind, object.GetName(), problem)
	}
	return object, unknown
}
