// Ends a stream that has gone silent.
#pragma once

#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/client_context.h"

namespace hail::ctl {

// Servers send a heartbeat every 5 s; after 12 s without any message the server is gone, although the connection may
// not show it yet. The guard then cancels `context`, so that a blocked Read returns.
class SilenceGuard {
 public:
  explicit SilenceGuard(grpc::ClientContext* context, absl::Duration limit = absl::Seconds(12));
  ~SilenceGuard();
  SilenceGuard(const SilenceGuard&) = delete;
  SilenceGuard& operator=(const SilenceGuard&) = delete;

  // Call it for each received message.
  void OnMessage();

 private:
  void Watch();

  grpc::ClientContext* const context_;
  const absl::Duration limit_;
  absl::Mutex mutex_;
  absl::Time last_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  // Last: it uses all members above.
  std::thread thread_;
};

}  // namespace hail::ctl
