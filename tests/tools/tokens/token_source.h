// The tokens that a tool sends with its calls.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
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

  // Of a file; differs once it has been replaced or written.
  struct FileState {
    ino_t inode;
    off_t bytes;
    absl::Time modified;
    bool operator==(const FileState&) const = default;
  };

  explicit TokenSource(const Options& options) : options_(options) {}
  // Unset: there is none.
  static std::optional<FileState> StateOf(const std::string& file);
  absl::Status ReadFile() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status ReadKey() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  // Of `options_.key`; set before anybody else has this object.
  std::string key_file_;
  absl::Mutex mutex_;
  std::optional<TokenKey> key_ ABSL_GUARDED_BY(mutex_);
  // By role and subject. Tokens of one role and subject are for the same ids.
  absl::flat_hash_map<std::pair<std::string, std::string>, Signed> signed_ ABSL_GUARDED_BY(mutex_);
  std::string token_ ABSL_GUARDED_BY(mutex_);
  // Of the file when `token_` or `key_` was read from it.
  std::optional<FileState> read_state_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hail
