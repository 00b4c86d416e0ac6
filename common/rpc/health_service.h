// gRPC's standard health service: for the whole server (the empty name) and for each service by its name.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/raw_service.h"

namespace hail::rpc {

// Replaces gRPC's own service, which does not limit its watches. Thread-safe.
class HealthService final : public RawService {
 public:
  // NOT_SERVING at first. Watches beyond `max_watches` are refused (OVERLOADED).
  explicit HealthService(std::size_t max_watches = 1000);
  ~HealthService();

  // Sets the service names that Check and Watch know besides the empty one. Unless this is called, every name is known.
  // Must be called before the server starts.
  void SetNames(std::vector<std::string> names);
  // Applies to all names at once, because they share the store and the drain.
  void SetServing(bool serving) ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends all watches and refuses new ones (DRAINING).
  void End() ABSL_LOCKS_EXCLUDED(mutex_);

  std::size_t watches() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Watch;

  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context, const Bytes& request, Bytes* response);
  grpc::ServerWriteReactor<Bytes>* StartWatch(const Bytes& request) ABSL_LOCKS_EXCLUDED(mutex_);
  void Forget(Watch* watch) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Knows(const std::string& name) const { return name.empty() || !names_ || names_->contains(name); }

  const std::size_t max_watches_;
  std::optional<std::set<std::string>> names_;

  // Taken before the mutex of a watch.
  mutable absl::Mutex mutex_;
  bool serving_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  // Each watch stays until its OnDone.
  std::set<Watch*> watches_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hail::rpc
