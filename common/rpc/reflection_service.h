// gRPC's reflection service, v1 and v1alpha: describes the services and messages of a server.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/gate.h"
#include "common/rpc/raw_service.h"
#include "google/protobuf/descriptor.h"

namespace hail::rpc {

// The content of a server's reflection: its services, the files that describe them with their imports, and the error
// details; no other linked descriptors. Unknown names are not looked up in protobuf's own pool, because it keeps each
// such name forever. The public listener does not describe the internal services.
class ServedDescriptors {
 public:
  // Services without a descriptor in this process are left out.
  explicit ServedDescriptors(const std::vector<std::string>& services);

  // An encoded ServerReflectionResponse to an encoded ServerReflectionRequest; INVALID_ARGUMENT for a malformed
  // request.
  absl::StatusOr<grpc::ByteBuffer> Answer(const grpc::ByteBuffer& request) const;

 private:
  using File = google::protobuf::FileDescriptor;

  void AddFile(const File* file);
  void AddMessage(const google::protobuf::Descriptor* message);
  void AddEnum(const google::protobuf::EnumDescriptor* type);
  // Null: unknown.
  const File* FileOf(std::string_view symbol) const;

  std::vector<std::string> services_;
  // Encoded files, by descriptor and by name.
  std::map<const File*, std::string> files_;
  std::map<std::string, const File*, std::less<>> by_name_;
  std::map<std::string, const File*, std::less<>> by_symbol_;
  std::map<std::string, const google::protobuf::Descriptor*, std::less<>> messages_;
};

// One version of the protocol. Uses the callback API, because gRPC's own service needs a thread for each open stream.
class ReflectionService final : public RawService {
 public:
  // `version`: "v1" or "v1alpha", whose messages differ only in their names. Streams pass the gate, which must outlive
  // the server; beyond `max_streams` they are refused (OVERLOADED). A stream is ended after `patience` without a
  // request or a read (wall time, checked at the gate's ticks).
  ReflectionService(Gate* gate, const std::string& version, std::size_t max_streams = 100,
                    absl::Duration patience = absl::Seconds(60));
  ~ReflectionService();

  // Must be called before the server starts.
  void SetServices(const std::vector<std::string>& services);

  std::size_t streams() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class Stream;
  class Reactor;

  grpc::ServerBidiReactor<Bytes, Bytes>* Open(grpc::CallbackServerContext* context) ABSL_LOCKS_EXCLUDED(mutex_);
  void Closed() ABSL_LOCKS_EXCLUDED(mutex_);

  Gate* const gate_;
  const std::size_t max_streams_;
  const absl::Duration patience_;
  std::unique_ptr<const ServedDescriptors> served_;

  mutable absl::Mutex mutex_;
  std::size_t streams_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace hail::rpc
