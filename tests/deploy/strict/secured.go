package main

import (
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// The other service of each.
var peers = map[string]string{"rider-service": "driver-service", "driver-service": "rider-service"}

// Settings that are given as variables, where these checks see them.
var onCommandLine = regexp.MustCompile(`\b(auth|tls)\.[a-z]`)

// secured finds a service that does not ask each caller for a certificate and a token, an edge without a certificate for
// the services, and keys in a pod whose they are not.
func (e *ends) secured(w workload) {
	for _, container := range w.pod.Spec.Containers {
		who := w.name + ", " + container.Name
		// Whose Secret it is, and the place of the certificate in the container.
		secret := container.Name + "-tls"
		switch {
		case peers[container.Name] != "":
			e.serviceSettings(who, &container)
			e.mounted(who, w, &container, "/etc/hail/tokens", func(volume *corev1.Volume) bool {
				return volume.ConfigMap != nil && e.configs[name{w.namespace, volume.ConfigMap.Name}] != nil &&
					e.configs[name{w.namespace, volume.ConfigMap.Name}].Data["jwks.json"] != ""
			})
		case container.Name == "edge":
			secret = "edge-services-tls"
		default:
			continue
		}
		e.mounted(who, w, &container, "/etc/hail/tls", func(volume *corev1.Volume) bool {
			return volume.Secret != nil && volume.Secret.SecretName == secret && e.hasCertificate(name{w.namespace, secret})
		})
	}
	for _, volume := range w.pod.Spec.Volumes {
		if volume.Secret == nil || !strings.HasSuffix(volume.Secret.SecretName, "-tls") {
			continue
		}
		owner := strings.TrimSuffix(strings.TrimSuffix(volume.Secret.SecretName, "-tls"), "-services")
		if w.pod.Labels["app.kubernetes.io/name"] != owner {
			e.say("%s: has the keys of %s", w.name, owner)
		}
	}
}

func (e *ends) serviceSettings(who string, container *corev1.Container) {
	given := map[string]string{}
	for _, variable := range container.Env {
		given[variable.Name] = variable.Value
	}
	for key, wanted := range map[string]string{
		"HAIL_TLS_CERTIFICATE": "/etc/hail/tls/tls.crt",
		"HAIL_TLS_KEY":         "/etc/hail/tls/tls.key",
		"HAIL_TLS_CA":          "/etc/hail/tls/ca.crt",
		"HAIL_TLS_EDGES":       "spiffe://hail/edge",
		"HAIL_TLS_PEERS":       "spiffe://hail/" + peers[container.Name],
		"HAIL_TLS_OPERATORS":   "spiffe://hail/operator",
		"HAIL_AUTH_MODE":       "tokens",
		"HAIL_AUTH_KEYS":       "/etc/hail/tokens/jwks.json",
		"HAIL_AUTH_AUDIENCE":   "hail-" + strings.TrimSuffix(container.Name, "-service"),
	} {
		if given[key] != wanted {
			e.say("%s: %s is %q, not %q", who, key, given[key], wanted)
		}
	}
	if !strings.HasPrefix(given["HAIL_AUTH_ISSUER"], "https://") {
		e.say("%s: HAIL_AUTH_ISSUER is %q", who, given["HAIL_AUTH_ISSUER"])
	}
	for _, argument := range append(append([]string{}, container.Command...), container.Args...) {
		if onCommandLine.MatchString(argument) {
			e.say("%s: has settings of tokens or TLS on its command line", who)
		}
	}
}

// The container must have a volume at `place`, only to read, that is `right`.
func (e *ends) mounted(who string, w workload, container *corev1.Container, place string, right func(*corev1.Volume) bool) {
	for _, mount := range container.VolumeMounts {
		if mount.MountPath != place || !mount.ReadOnly {
			continue
		}
		for i := range w.pod.Spec.Volumes {
			if w.pod.Spec.Volumes[i].Name == mount.Name && right(&w.pod.Spec.Volumes[i]) {
				return
			}
		}
	}
	e.say("%s: does not have its files at %s", who, place)
}

// As cert-manager fills a Secret.
func (e *ends) hasCertificate(secret name) bool {
	found := e.secrets[secret]
	for _, key := range []string{"ca.crt", "tls.crt", "tls.key"} {
		if found == nil || found.StringData[key] == "" {
			return false
		}
	}
	return true
}
