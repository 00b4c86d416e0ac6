// The certificate with which a service shows who it is, its key, and the authorities by which it knows others.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hail::tls {

// Three files in PEM.
struct IdentityFiles {
  // The service's own certificate first, then the intermediate ones, if any.
  std::string certificate;
  // The private key, not encrypted.
  std::string key;
  // The authorities that signed the certificates of this service and of its peers.
  std::string ca;
};

// What the three files hold.
struct IdentityPem {
  std::string certificate;
  std::string key;
  std::string ca;

  friend bool operator==(const IdentityPem&, const IdentityPem&) = default;
};

struct IdentityInfo {
  // Of the service's own certificate, in upper-case hexadecimal digits.
  std::string serial;
  // The alternative names of the service's own certificate: URIs, then host names.
  std::vector<std::string> names;
  // When the first certificate of the chain ends.
  absl::Time not_after;
};

// Reads the files, each up to 1 MiB. INVALID_ARGUMENT lists all files that cannot be read, one problem a line.
absl::StatusOr<IdentityPem> ReadIdentity(const IdentityFiles& files);

// Whether a service can serve with `pem` at `now` (wall time): the texts are complete, key and certificate belong
// together, one of the authorities signed the chain, all of it is valid at `now`, the keys are strong enough (RSA from
// 2,048 bits, elliptic curves from 256), and the certificate names the service in an alternative name without a
// wildcard: a common name counts for nothing. INVALID_ARGUMENT lists all problems, one a line, each with the file's
// name in `files`; never a part of the key. Thread-safe.
absl::StatusOr<IdentityInfo> CheckIdentity(const IdentityPem& pem, const IdentityFiles& files, absl::Time now);

}  // namespace hail::tls
