package main

import (
	"bytes"
	"os"
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
		problems = LooseEnds(objects)
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
		"a secret that is not there":          {"key: store-url", "key: database"},
		"a volume that is not there":          {"- emptyDir:\n          sizeLimit: 1Mi\n        name: data", "- emptyDir: {}\n        name: other"},
		"a pod that is killed while draining": {"terminationGracePeriodSeconds: 40", "terminationGracePeriodSeconds: 25"},
		"a root file system that is written":  {"readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"},
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
		"a gateway that is not there":       {"parentRefs:\n    - name: hail", "parentRefs:\n    - name: door"},
		"a route to a service's wrong port": {"- name: driver-service\n          port: 50052", "- name: driver-service\n          port: 50051"},
		"an unknown field of a route":       {"backendRefs:", "backends:"},
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
