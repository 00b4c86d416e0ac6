// The audit log: a file of its own, or lines among the ordinary ones.
//
//   audit->Record({.wall = now, .event = "keys_loaded", .details = {{"keys", "3"}}});
//   {"time":"…","level":"info","service":"rider-service","event":"keys_loaded","log":"audit","keys":"3"}
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/audit/denial_sampler.h"
#include "common/audit/entry.h"
#include "common/limits/key.h"
#include "common/time/cond_var.h"

namespace hail::audit {

struct AuditOptions {
  // The "service" field of every line.
  std::string service;
  // The file, appended to; made for this user alone if it is not there. After a rename (log rotation) it is made anew.
  // Empty: stderr.
  std::string file;
  // Lines that may wait to be written.
  std::size_t queue_size = 16 * 1024;
};

// Since the start.
struct AuditStats {
  std::uint64_t written = 0;
  // Denied calls that the sampler left out. Their number is in the caller's next line.
  std::uint64_t skipped = 0;
  // Lines that could not be written: the file's disk is full, or too slow. The next line that can be says how many.
  std::uint64_t lost = 0;
};

// Thread-safe.
class AuditLog {
 public:
  // UNAVAILABLE if the file cannot be opened, or is a link.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(AuditOptions options);
  // Writes what waits, if that is possible.
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // Never blocks.
  void Record(const Entry& entry) ABSL_LOCKS_EXCLUDED(mutex_);
  // The same for a denied call, which may be left out (DenialSampler).
  void RecordDenied(const limits::Key& caller, Entry entry) ABSL_LOCKS_EXCLUDED(mutex_);

  AuditStats stats() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  AuditLog(AuditOptions options, int file);

  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // Opens the file anew if its name is no longer that of the open one.
  void FollowRename();
  // Writes as much of `text` as it can, whole lines on stderr; returns the number of bytes.
  std::size_t Write(const std::string& text) const;

  const AuditOptions options_;
  // Used by the writing thread only. -1: none could be opened.
  int file_;

  mutable absl::Mutex mutex_;
  SteadyCondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::string> queue_ ABSL_GUARDED_BY(mutex_);
  // Lost lines that no line mentions yet.
  std::uint64_t unreported_ ABSL_GUARDED_BY(mutex_) = 0;
  DenialSampler sampler_ ABSL_GUARDED_BY(mutex_);
  AuditStats stats_ ABSL_GUARDED_BY(mutex_);
  std::thread writer_;
};

}  // namespace hail::audit
