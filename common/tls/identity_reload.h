// When to take new identity files, and when to complain about them.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/tls/identity.h"

namespace hail::tls {

// What to do after a look at the files.
struct ReloadStep {
  // Publish this set; then call Published.
  std::optional<IdentityPem> publish;
  IdentityInfo info;
  // The files on disk cannot be used, and have been so for two looks: those who replace three files, one after the
  // other, get that long.
  bool bad = false;
  // Log and count it: new this time, or not said for kRepeatFault.
  std::string complain;
};

// How often the same fault is repeated.
inline constexpr absl::Duration kRepeatFault = absl::Minutes(10);

// The decisions of a watcher, without files, clocks or threads. Not thread-safe.
class IdentityReload {
 public:
  // `published`: the set in use.
  IdentityReload(IdentityFiles files, IdentityPem published);

  // After a look at `found` at `now` (wall time; a clock set back only delays a repeated complaint).
  ReloadStep Look(const absl::StatusOr<IdentityPem>& found, absl::Time now);

  // The set of the latest step was published.
  void Published();
  // It could not be, because of `fault`; returns whether to log and count that.
  bool NotPublished(const std::string& fault, absl::Time now);

 private:
  bool IsNews(const std::string& fault, absl::Time now);

  const IdentityFiles files_;
  IdentityPem published_;
  std::optional<IdentityPem> offered_;
  // The fault of the latest look; empty: none.
  std::string fault_;
  // The fault complained of last, and when.
  std::string complained_;
  absl::Time complained_at_ = absl::InfinitePast();
};

}  // namespace hail::tls
