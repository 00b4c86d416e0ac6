// Identity files as gRPC may read them: only ever a set that belongs together.
//
// gRPC reads certificate and key again from files by itself, and takes what it finds: a key without its certificate, or
// half a file, and every new connection fails. It therefore reads copies in a folder of this process, which
// are replaced, after a check, by one rename.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tls/identity.h"

namespace hail::tls {

// Not thread-safe.
class PrivateIdentity {
 public:
  // Makes the folder (0700): in memory (/dev/shm), or else in TMPDIR or /tmp. UNAVAILABLE if no folder can be made.
  static absl::StatusOr<PrivateIdentity> Make();
  // As Make, in `parent`. First removes what processes of this user have left there that were killed.
  static absl::StatusOr<PrivateIdentity> MakeIn(const std::string& parent);
  // Removes the folder.
  ~PrivateIdentity();
  PrivateIdentity(PrivateIdentity&& other) noexcept;
  PrivateIdentity& operator=(PrivateIdentity&&) = delete;

  // Puts `pem` where files() points. Readers see all of the set before, or all of `pem`; the files' times of change
  // always differ from those of the set before, in whole seconds, by which gRPC notices a change between two
  // reads. UNAVAILABLE, and the set before stays, if the disk refuses.
  absl::Status Publish(const IdentityPem& pem);

  // Where the latest set is; constant.
  IdentityFiles files() const;

 private:
  PrivateIdentity(std::string folder, int lock) : folder_(std::move(folder)), lock_(lock) {}

  std::string folder_;
  // Of a file in the folder, locked while this lives; -1 after a move.
  int lock_ = -1;
  int sets_ = 0;
};

}  // namespace hail::tls
