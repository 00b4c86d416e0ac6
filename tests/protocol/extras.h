// The parts of a call that Hail's services do not use: all metadata, and details of errors that are not Hail's. An
// interceptor of gRPC keeps them for each call, so that common/rpc carries the suite's calls as it is.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/call_context.h"
#include "connectrpc/conformance/v1/service.pb.h"

namespace hail::protocol {

using Headers = google::protobuf::RepeatedPtrField<connectrpc::conformance::v1::Header>;

// Thread-safe.
class Extras {
 public:
  // For the client.
  struct Reply {
    Headers headers;
    Headers trailers;
    // A serialized google.rpc.Status with the details of the final error; or empty, for none. It replaces Hail's
    // ErrorInfo in any case: the suite wants none, and other tests check it.
    std::string details;
  };

  explicit Extras(Headers received) : received_(std::move(received)) {}

  // The client's headers. All values of a name are together, in order.
  const Headers& received() const { return received_; }

  // Must be called before the first message is sent and before the end.
  void SetHeaders(const Headers& headers, const Headers& trailers) ABSL_LOCKS_EXCLUDED(mutex_);
  // Must be called before the end.
  void SetDetails(std::string details) ABSL_LOCKS_EXCLUDED(mutex_);
  Reply reply() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const Headers received_;
  mutable absl::Mutex mutex_;
  Reply reply_ ABSL_GUARDED_BY(mutex_);
};

// All gRPC servers that are built from here on keep the extras of their calls. They give each call a number as its
// x-request-id, by which ExtrasOf finds them.
void KeepExtras();

// Of a call that has not ended.
std::shared_ptr<Extras> ExtrasOf(const rpc::CallContext& call);

}  // namespace hail::protocol
