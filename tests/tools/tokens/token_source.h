// The tokens that a tool sends with its calls.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/tools/tokens/token_key.h"

namespace hail {

// Thread-safe.
class TokenSource {
 public:
  struct Options {
    // A file with one token, which is sent with each call; read again when it changes.
    std::string file;
    // TokenKey::Read: signs a token for each bearer; read again when it changes, and then all get new ones.
    std::string key;
    // How long the tokens of `key` live. A service takes no longer than an hour.
    absl::Duration valid_for = absl::Hours(1);
  };

  // Without `file` and `key`: no tokens. INVALID_ARGUMENT for both, and if what is named cannot be used.
  static absl::StatusOr<std::shared_ptr<TokenSource>> Make(const Options& options);

  // For the metadata `authorization` of a call at the wall time `now`; empty: the call has no token. A token of `key`
  // is used for the first half of its life, so that a stream that was asked to reconnect gets a new one.
  std::string Authorization(const TokenFor& bearer, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Signed {
    std::string token;
    absl::Time renew;
  };

  explicit TokenSource(const Options& options) : options_(options) {}
  absl::Status ReadFile() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ReadKey() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  // Of `options_.key`; set before anybody else has this object.
  std::string key_file_;
  absl::Mutex mutex_;
  std::optional<TokenKey> key_ ABSL_GUARDED_BY(mutex_);
  // By role and subject. Tokens of one role and subject are for the same ids.
  std::map<std::pair<std::string, std::string>, Signed> signed_ ABSL_GUARDED_BY(mutex_);
  std::string token_ ABSL_GUARDED_BY(mutex_);
  // Which state of the file `token_` or `key_` is from.
  std::string version_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hail
