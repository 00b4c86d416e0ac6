// Where the keys that sign tokens come from: a file, or the issuer's HTTPS address.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hail::auth {

class KeyOrigin {
 public:
  struct Content {
    // A JWKS, not checked; at most KeySet::kMaxBytes.
    std::string text;
    // Cache-Control's max-age; zero for no-store and no-cache.
    std::optional<absl::Duration> good_for;
  };

  virtual ~KeyOrigin() = default;
  // Blocks, for 5 s at most. UNAVAILABLE says why there is nothing.
  virtual absl::StatusOr<Content> Read() = 0;
  // From any thread: Read, also a later one, ends early with an error.
  virtual void Cancel() = 0;
  // Whether a read takes no time to speak of.
  virtual bool local() const = 0;
};

// A file is read anew each time.
std::unique_ptr<KeyOrigin> KeyFile(std::string path);

// An address that starts with https://. Redirects are not followed, because they could lead out of TLS or to another
// host; any answer but 200 is an error. `ca_file`: the certificates to trust, in PEM; empty: the system's.
std::unique_ptr<KeyOrigin> KeyUrl(std::string url, std::string ca_file);

// Whether `keys` (the configuration's auth.keys) is an address and no file.
bool IsKeyUrl(const std::string& keys);

// KeyUrl or KeyFile, by IsKeyUrl. INVALID_ARGUMENT for an address of another scheme than https.
absl::StatusOr<std::unique_ptr<KeyOrigin>> KeyOriginOf(const std::string& keys, const std::string& ca_file);

// The value of Cache-Control (RFC 9111 section 5.2) as KeyOrigin::Content::good_for.
std::optional<absl::Duration> GoodFor(const std::string& cache_control);

}  // namespace hail::auth
