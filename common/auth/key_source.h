// The keys that verify tokens, kept up to date.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/auth/key_origin.h"
#include "common/auth/key_schedule.h"
#include "common/auth/key_set.h"
#include "common/metrics/metrics.h"
#include "common/time/clock.h"
#include "common/time/cond_var.h"

namespace hail::auth {

// Thread-safe.
class KeySource {
 public:
  virtual ~KeySource() = default;
  // Null if there are none: not yet, or none that were read lately enough.
  virtual std::shared_ptr<const KeySet> Keys() const = 0;
  // A token names a key that is not in the set. True if new keys are being fetched now: it may be among them.
  virtual bool OnUnknownKey() = 0;
  // Whether tokens can be checked. A service without keys says NOT_SERVING.
  bool ready() const { return Keys() != nullptr; }
};

// Reads an origin over and over, on a thread of its own. Thread-safe.
//
// What cannot be read, or is no key set, changes nothing: the keys before it stay for up to KeySchedule's max_age. Logs
// keys_read, key_left_out, keys_not_read and keys_too_old. Series: auth_keys, auth_keys_age_seconds (since they were
// read or found unchanged), auth_key_reads_total{outcome} (ok, failed).
class KeptKeys final : public KeySource {
 public:
  // How often a file is read. An unknown key waits for no fetch: what is in the file is known a second later.
  static KeySchedule::Options ForFile();
  static KeySchedule::Options ForUrl() { return {}; }

  // The new set, or why the origin gave none. Not called for a set, or a failure, that is the same as before.
  using OnChange = std::function<void(const absl::StatusOr<std::shared_ptr<const KeySet>>&)>;

  // A local origin is read once before this returns. `clock`, read for wall time, and `registry` must outlive it.
  // `random` returns numbers in [0, 1). One thread at a time calls it and `on_change`, which may be null.
  KeptKeys(std::unique_ptr<KeyOrigin> origin, const KeySchedule::Options& options, const Clock* clock,
           std::function<double()> random, metrics::Registry* registry, OnChange on_change = nullptr);
  ~KeptKeys() override;

  std::shared_ptr<const KeySet> Keys() const override ABSL_LOCKS_EXCLUDED(mutex_);
  bool OnUnknownKey() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void Read() ABSL_LOCKS_EXCLUDED(mutex_);
  void OnText(const KeyOrigin::Content& content) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnFailed(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mutex_);

  const std::unique_ptr<KeyOrigin> origin_;
  const Clock* const clock_;
  const std::function<double()> random_;
  const OnChange on_change_;
  const metrics::Counter reads_ok_;
  const metrics::Counter reads_failed_;
  // Of the thread that reads: what the keys were made of, and the last failure that was logged.
  std::string text_;
  std::string logged_;

  mutable absl::Mutex mutex_;
  SteadyCondVar changed_;
  KeySchedule schedule_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const KeySet> keys_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::shared_ptr<void> scrape_;
  std::thread thread_;
};

}  // namespace hail::auth
