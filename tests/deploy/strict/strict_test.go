package main

import (
	"bytes"
	"os"
	"regexp"
	"testing"
)

// The checks must find faults planted into valid manifests: MANIFESTS and EDGE_MANIFESTS, as rendered.
func plant(t *testing.T, what, replacement, into string) []error {
	t.Helper()
	if bytes.Count([]byte(into), []byte(what)) == 0 {
		t.Fatalf("there is no %q to plant something at", what)
	}
	return problems(bytes.ReplaceAll([]byte(into), []byte(what), []byte(replacement)))
}

func problems(text []byte) []error {
	objects, problems := Decode(text)
	if len(problems) == 0 {
		problems = append(LooseEnds(objects), Unguarded(objects, false)...)
	}
	return problems
}

func rendered(t *testing.T) string { return renderedIn(t, "MANIFESTS") }

func renderedIn(t *testing.T, variable string) string {
	t.Helper()
	file := os.Getenv(variable)
	if file == "" {
		t.Skip(variable + " names no rendered manifests (tests/deploy/check)")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSoundManifestsPass(t *testing.T) {
	if found := problems([]byte(rendered(t))); len(found) != 0 {
		t.Fatal(found)
	}
}

func TestPlantedMistakesAreFound(t *testing.T) {
	for name, mistake := range map[string]struct{ what, replacement string }{
		"an unknown field":                    {"  minReadySeconds:", "  surpriseSeconds: 3\n  minReadySeconds:"},
		"an unknown field deep inside":        {"          readOnlyRootFilesystem:", "          readOnly: true\n          readOnlyRootFilesystem:"},
		"a field's name in the wrong case":    {"minReadySeconds:", "minreadyseconds:"},
		"a field of another kind":             {"  minReadySeconds:", "  serviceName: hail\n  minReadySeconds:"},
		"text for a number":                   {"containerPort: 50051", "containerPort: grpc"},
		"a number for text":                   {"name: HAIL_SHUTDOWN_NOTICE\n          value: 3s", "name: HAIL_SHUTDOWN_NOTICE\n          value: 3"},
		"a number for a quantity":             {"memory: 1Gi", "memory: 1Gigabyte"},
		"a value for a list":                  {"drop:\n            - ALL", "drop: ALL"},
		"a list for a value":                  {"maxUnavailable: 1\n", "maxUnavailable: [1]\n"},
		"a field that comes twice":            {"  minReadySeconds:", "  minReadySeconds: 3\n  minReadySeconds:"},
		"a kind that is not checked":          {"kind: PodDisruptionBudget", "kind: PodPreset"},
		"a version that is over":              {"apiVersion: autoscaling/v2", "apiVersion: autoscaling/v2beta2"},
		"a port without a name":               {"targetPort: grpc", "targetPort: http"},
		"labels that select nothing":          {"  selector:\n    app.kubernetes.io/name: rider-service", "  selector:\n    app.kubernetes.io/name: riders"},
		"a target that is not there":          {"scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment", "scaleTargetRef:\n    apiVersion: apps/v1\n    kind: StatefulSet"},
		"a secret that is not there":          {"secretName: hail-engines", "secretName: engines"},
		"a volume that is not there":          {"- emptyDir:\n          sizeLimit: 1Mi\n        name: data", "- emptyDir: {}\n        name: other"},
		"a pod that is killed while draining": {"terminationGracePeriodSeconds: 40", "terminationGracePeriodSeconds: 25"},
		"a root file system that is written":  {"readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"},
		"no default deny":                     {"  name: default-deny\n  namespace: hail\nspec:\n  podSelector: {}", "  name: default-deny\n  namespace: hail\nspec:\n  podSelector:\n    matchLabels:\n      app.kubernetes.io/name: rider-service"},
		"default deny of one direction":       {"  policyTypes:\n  - Ingress\n  - Egress\n---", "  policyTypes:\n  - Ingress\n---"},
		"calls from each namespace":           {"kubernetes.io/metadata.name: hail-edge", "kubernetes.io/metadata.name: default"},
		"metrics for each namespace":          {"    - namespaceSelector:\n        matchLabels:\n          kubernetes.io/metadata.name: monitoring", "    - namespaceSelector: {}"},
		"calls to everywhere":                 {"  egress:\n  - ports:\n    - port: 5432\n    to:\n    - namespaceSelector:\n        matchLabels:\n          kubernetes.io/metadata.name: databases\n", "  egress:\n  - ports:\n    - port: 5432\n"},
		"calls to a port that nobody has":     {"- port: 50062", "- port: 50099"},
		"a password in the environment":       {"- name: HAIL_SHUTDOWN_NOTICE\n          value: 3s", "- name: HAIL_STORE_URL\n          value: postgres://hail:PASSWORD@db/hail"},
		"a secret in the environment":         {"- name: HAIL_SHUTDOWN_NOTICE\n          value: 3s", "- name: HAIL_BUS_URL\n          valueFrom:\n            secretKeyRef:\n              name: hail-engines\n              key: engines.json"},
		"a password on the command line":      {"- --config\n", "- --set\n        - store.url=postgres://hail:PASSWORD@db/hail\n        - --config\n"},
		"no limit of a disk":                  {"            ephemeral-storage: 512Mi\n", ""},
		"no limit of processors":              {"          limits:\n            cpu: \"2\"\n", "          limits:\n"},
		"a port of the node":                  {"- containerPort: 50051\n", "- containerPort: 50051\n          hostPort: 50051\n"},
		"a probe of a port that is not there": {"tcpSocket:\n            port: internal", "tcpSocket:\n            port: inside"},
		"a probe that knows no TLS":           {"readinessProbe:\n          exec:", "readinessProbe:\n          grpc:\n            port: 50051\n          exec:"},
		"a namespace without Pod Security":    {"pod-security.kubernetes.io/enforce: restricted", "pod-security.kubernetes.io/enforce: baseline"},
		"Pod Security of any version":         {"pod-security.kubernetes.io/enforce-version: v1.27", "pod-security.kubernetes.io/enforce-version: latest"},
		"the token of an account":             {"automountServiceAccountToken: false\nkind: ServiceAccount", "kind: ServiceAccount"},
		"no account":                          {"      serviceAccountName: rider-service\n", ""},
		"the service for the world":           {"type: ClusterIP", "type: LoadBalancer"},
		"a service that asks for no token":    {"name: HAIL_AUTH_MODE\n          value: tokens", "name: HAIL_AUTH_MODE\n          value: insecure"},
		"a service without a mode":            {"        - name: HAIL_AUTH_MODE\n          value: tokens\n", ""},
		"a mode on a command line":            {"- --config\n", "- --set\n        - auth.mode=off\n        - --config\n"},
		"tokens of any issuer":                {"name: HAIL_AUTH_ISSUER\n          value: https://id.hail.example", "name: HAIL_AUTH_ISSUER\n          value: \"\""},
		"the tokens of the other service":     {"value: hail-rider\n", "value: hail-driver\n"},
		"a service without TLS":               {"        - name: HAIL_TLS_CERTIFICATE\n          value: /etc/hail/tls/tls.crt\n", ""},
		"a public port without TLS":           {"        - name: HAIL_TLS_EDGES\n          value: spiffe://hail/edge\n", ""},
		"operators at the public port":        {"value: spiffe://hail/edge\n", "value: spiffe://hail/edge,spiffe://hail/operator\n"},
		"any peer":                            {"value: spiffe://hail/driver-service\n", "value: spiffe://hail/any-service\n"},
		"the keys of the other service":       {"secretName: rider-service-tls", "secretName: driver-service-tls"},
		"keys that are not there":             {"  tls.key: \"its key, PEM\"\n", ""},
		"no keys of tokens":                   {"  jwks.json: '{\"keys\": []}'\n", "  other.json: '{\"keys\": []}'\n"},
		"certificates that may be written":    {"- mountPath: /etc/hail/tls\n          name: tls\n          readOnly: true", "- mountPath: /etc/hail/tls\n          name: tls"},
		"no disruption budget":                {"kind: PodDisruptionBudget\nmetadata:\n  labels:\n    app.kubernetes.io/part-of: hail\n  name: rider-service\n  namespace: hail", "kind: PodDisruptionBudget\nmetadata:\n  labels:\n    app.kubernetes.io/part-of: hail\n  name: rider-service\n  namespace: other"},
	} {
		t.Run(name, func(t *testing.T) {
			if found := plant(t, mistake.what, mistake.replacement, rendered(t)); len(found) == 0 {
				t.Error("was not found")
			} else {
				t.Log(found[0])
			}
		})
	}
}

func TestMistakesPlantedAtTheEdgeAreFound(t *testing.T) {
	sound := renderedIn(t, "EDGE_MANIFESTS")
	if found := problems([]byte(sound)); len(found) != 0 {
		t.Fatal(found)
	}
	for name, mistake := range map[string]struct{ what, replacement string }{
		"a drain that is cut off":           {"terminationGracePeriodSeconds: 720", "terminationGracePeriodSeconds: 700"},
		"a probe of a port without a name":  {"path: /healthz\n            port: clear", "path: /healthz\n            port: http"},
		"a file that nobody makes":          {"key: jwks.json", "key: keys.json"},
		"a key that is not in the secret":   {"key: tls.key", "key: private.key"},
		"an edge without a certificate":     {"secretName: edge-services-tls", "secretName: edge-tls"},
		"an edge with a service's keys":     {"secretName: edge-services-tls", "secretName: rider-service-tls"},
		"a gateway that is not there":       {"parentRefs:\n    - name: hail", "parentRefs:\n    - name: door"},
		"a route to a service's wrong port": {"- name: driver-service\n          port: 50052", "- name: driver-service\n          port: 50051"},
		"an unknown field of a route":       {"backendRefs:", "backends:"},
		"a clear port for everybody":        {"  - from:\n    - namespaceSelector:\n        matchLabels:\n          hail-edge-clear: allowed\n    ports:\n", "  - ports:\n"},
		"the clear port for the world":      {"targetPort: tls", "targetPort: clear"},
		"a name that leads nowhere":         {"externalName: rider-service.hail.svc", "externalName: riders.hail.svc"},
		"an edge that calls anywhere":       {"    - podSelector:\n        matchLabels:\n          app.kubernetes.io/name: console\n", "    - ipBlock:\n        cidr: 0.0.0.0/0\n"},
		"an unknown field of a gateway":     {"gatewayClassName:", "gatewayClass:"},
	} {
		t.Run(name, func(t *testing.T) {
			if found := plant(t, mistake.what, mistake.replacement, sound); len(found) == 0 {
				t.Error("was not found")
			} else {
				t.Log(found[0])
			}
		})
	}
}

func TestNothingIsAProblem(t *testing.T) {
	if len(problems(nil)) == 0 || len(problems([]byte("---\n"))) == 0 {
		t.Error("an empty rendering passed")
	}
}

func TestTheInternalPortStaysInside(t *testing.T) {
	open := plant(t, "  - from:\n    - podSelector:\n        matchLabels:\n          app.kubernetes.io/name: rider-service\n    ports:\n",
		"  - ports:\n", rendered(t))
	if len(open) == 0 {
		t.Error("a policy that opens the internal port to everybody passed")
	}
}

func TestAnImageByItsTagIsFoundInARelease(t *testing.T) {
	release := renderedIn(t, "RELEASE_MANIFESTS")
	objects, wrong := Decode([]byte(release))
	if found := append(wrong, Unguarded(objects, true)...); len(found) != 0 {
		t.Fatal(found)
	}
	for _, manifests := range []string{rendered(t), regexp.MustCompile(`@sha256:[0-9a-f]{64}`).ReplaceAllString(release, ":1.0")} {
		objects, _ = Decode([]byte(manifests))
		if len(Unguarded(objects, true)) == 0 {
			t.Error("images by their tags passed")
		}
	}
}
