#include "common/rpc/reflection_service.h"

#include <utility>

#include "absl/status/statusor.h"
#include "common/rpc/message_bytes.h"
#include "common/rpc/status.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"

namespace hail::rpc {
namespace {

namespace v1 = grpc::reflection::v1;
namespace pb = google::protobuf;
using Bytes = grpc::ByteBuffer;

void SetError(absl::StatusCode code, const std::string& message, v1::ServerReflectionResponse* response) {
  response->mutable_error_response()->set_error_code(static_cast<int>(code));
  response->mutable_error_response()->set_error_message(message);
}

}  // namespace

ServedDescriptors::ServedDescriptors(const std::vector<std::string>& services) {
  // These references link the protocols' generated code, which contains the descriptors.
  AddFile(grpc::health::v1::HealthCheckRequest::descriptor()->file());
  AddFile(v1::ServerReflectionRequest::descriptor()->file());
  AddFile(grpc::reflection::v1alpha::ServerReflectionRequest::descriptor()->file());
  // Content of google.protobuf.Any, which no file refers to by name.
  AddFile(google::rpc::ErrorInfo::descriptor()->file());
  AddFile(google::rpc::Status::descriptor()->file());
  for (const std::string& service : services) {
    const auto* const found = pb::DescriptorPool::generated_pool()->FindServiceByName(service);
    if (found == nullptr) continue;
    services_.push_back(service);
    AddFile(found->file());
  }
}

void ServedDescriptors::AddFile(const File* file) {
  if (files_.contains(file)) return;
  pb::FileDescriptorProto proto;
  file->CopyTo(&proto);
  files_[file] = proto.SerializeAsString();
  by_name_.emplace(file->name(), file);
  for (int i = 0; i < file->message_type_count(); ++i) AddMessage(file->message_type(i));
  for (int i = 0; i < file->enum_type_count(); ++i) AddEnum(file->enum_type(i));
  for (int i = 0; i < file->extension_count(); ++i) by_symbol_.emplace(file->extension(i)->full_name(), file);
  for (int i = 0; i < file->service_count(); ++i) {
    const pb::ServiceDescriptor* const service = file->service(i);
    by_symbol_.emplace(service->full_name(), file);
    for (int j = 0; j < service->method_count(); ++j) by_symbol_.emplace(service->method(j)->full_name(), file);
  }
  for (int i = 0; i < file->dependency_count(); ++i) AddFile(file->dependency(i));
}

void ServedDescriptors::AddMessage(const pb::Descriptor* message) {
  by_symbol_.emplace(message->full_name(), message->file());
  messages_.emplace(message->full_name(), message);
  for (int i = 0; i < message->field_count(); ++i) by_symbol_.emplace(message->field(i)->full_name(), message->file());
  for (int i = 0; i < message->extension_count(); ++i) {
    by_symbol_.emplace(message->extension(i)->full_name(), message->file());
  }
  for (int i = 0; i < message->enum_type_count(); ++i) AddEnum(message->enum_type(i));
  for (int i = 0; i < message->nested_type_count(); ++i) AddMessage(message->nested_type(i));
}

void ServedDescriptors::AddEnum(const pb::EnumDescriptor* type) {
  by_symbol_.emplace(type->full_name(), type->file());
  for (int i = 0; i < type->value_count(); ++i) by_symbol_.emplace(type->value(i)->full_name(), type->file());
}

const ServedDescriptors::File* ServedDescriptors::FileOf(std::string_view symbol) const {
  const auto found = by_symbol_.find(symbol);
  return found == by_symbol_.end() ? nullptr : found->second;
}

absl::StatusOr<Bytes> ServedDescriptors::Answer(const Bytes& request) const {
  v1::ServerReflectionResponse response;
  v1::ServerReflectionRequest& asked = *response.mutable_original_request();
  Bytes copy(request);
  if (absl::Status read = detail::ReadMessage(copy, "request", copy.Length(), &asked); !read.ok()) return read;
  response.set_valid_host(asked.host());

  const auto tell_file = [&](const File* file) {
    if (file == nullptr) return SetError(absl::StatusCode::kNotFound, "not found", &response);
    // With all its imports, each once.
    std::vector<const File*> files{file};
    std::set<const File*> seen{file};
    for (std::size_t next = 0; next < files.size(); ++next) {
      response.mutable_file_descriptor_response()->add_file_descriptor_proto(files_.at(files[next]));
      for (int i = 0; i < files[next]->dependency_count(); ++i) {
        const File* const imported = files[next]->dependency(i);
        if (seen.insert(imported).second) files.push_back(imported);
      }
    }
  };

  switch (asked.message_request_case()) {
    case v1::ServerReflectionRequest::kListServices:
      response.mutable_list_services_response();
      for (const std::string& service : services_) {
        response.mutable_list_services_response()->add_service()->set_name(service);
      }
      break;
    case v1::ServerReflectionRequest::kFileByFilename: {
      const auto found = by_name_.find(asked.file_by_filename());
      tell_file(found == by_name_.end() ? nullptr : found->second);
      break;
    }
    case v1::ServerReflectionRequest::kFileContainingSymbol:
      tell_file(FileOf(asked.file_containing_symbol()));
      break;
    case v1::ServerReflectionRequest::kFileContainingExtension:
      // proto3 has no extensions; protobuf's own files have some, but only for its compiler.
      tell_file(nullptr);
      break;
    case v1::ServerReflectionRequest::kAllExtensionNumbersOfType: {
      if (!messages_.contains(asked.all_extension_numbers_of_type())) {
        SetError(absl::StatusCode::kNotFound, "not found", &response);
      } else {
        response.mutable_all_extension_numbers_response()->set_base_type_name(asked.all_extension_numbers_of_type());
      }
      break;
    }
    case v1::ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      SetError(absl::StatusCode::kInvalidArgument, "nothing is asked", &response);
      break;
  }
  Bytes bytes;
  if (absl::Status written = detail::WriteMessage(response, &bytes); !written.ok()) return written;
  return bytes;
}

// A stream, as the gate sees it; it outlives its reactor.
class ReflectionService::Stream final : public LiveStream {
 public:
  Stream(grpc::ServerBidiReactor<Bytes, Bytes>* reactor, grpc::CallbackServerContext* context, absl::Time now,
         absl::Duration patience)
      : patience_(patience), reactor_(reactor), context_(context), last_step_(now) {}

  // A message is read, answered and written before the next is read: an open stream holds at most one answer.
  void Read(Bytes* into) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (!finished_) reactor_->StartRead(into);
  }
  void Write(const Bytes* message, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    last_step_ = now;
    if (finished_) return;
    writing_ = true;
    reactor_->StartWrite(message);
  }
  // Returns whether the stream continues.
  bool Written(bool ok, absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    last_step_ = now;
    writing_ = false;
    if (!ok || ending_) FinishLocked(ok ? absl::OkStatus() : absl::CancelledError());
    return !finished_;
  }
  // Ends after the write in flight.
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    FinishLocked(status);
  }
  void Done() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    reactor_ = nullptr;
  }

  absl::Time Tick(absl::Time wall) override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (reactor_ == nullptr || wall - last_step_ < patience_) return last_step_ + patience_;
    if (writing_ || finished_) {
      // The client does not read the answer or the final status.
      context_->TryCancel();
    } else {
      last_step_ = wall;
      FinishLocked(absl::OkStatus());
    }
    return wall + patience_;
  }
  void Drain(absl::Duration) override { End(absl::OkStatus()); }
  void Cancel() override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (reactor_ != nullptr) context_->TryCancel();
  }

 private:
  void FinishLocked(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ending_ = true;
    if (finished_ || writing_ || reactor_ == nullptr) return;
    finished_ = true;
    reactor_->Finish(ToGrpc(status));
  }

  const absl::Duration patience_;
  absl::Mutex mutex_;
  // Null, and the context destroyed, once the stream is done.
  grpc::ServerBidiReactor<Bytes, Bytes>* reactor_ ABSL_GUARDED_BY(mutex_);
  grpc::CallbackServerContext* const context_;
  absl::Time last_step_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

class ReflectionService::Reactor final : public grpc::ServerBidiReactor<Bytes, Bytes> {
 public:
  Reactor(ReflectionService* owner, grpc::CallbackServerContext* context, bool counted)
      : owner_(owner),
        counted_(counted),
        stream_(std::make_shared<Stream>(this, context, owner->gate_->Wall(), owner->patience_)) {}

  void Begin() {
    if (!counted_) return stream_->End(Overloaded("too many streams of reflection are open", absl::Seconds(5)));
    const absl::StatusOr<std::uint64_t> number = owner_->gate_->EnterStream(stream_);
    if (!number.ok()) return stream_->End(number.status());
    number_ = *number;
    stream_->Read(&incoming_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return stream_->End(absl::OkStatus());
    if (incoming_.Length() > owner_->gate_->options().max_request_bytes) {
      return stream_->End(InvalidField("", "the request is too large"));
    }
    absl::StatusOr<Bytes> answer = owner_->served_->Answer(incoming_);
    if (!answer.ok()) return stream_->End(answer.status());
    outgoing_ = *std::move(answer);
    stream_->Write(&outgoing_, owner_->gate_->Wall());
  }
  void OnWriteDone(bool ok) override {
    outgoing_.Clear();
    if (stream_->Written(ok, owner_->gate_->Wall())) stream_->Read(&incoming_);
  }
  void OnCancel() override { stream_->End(absl::CancelledError()); }
  void OnDone() override {
    stream_->Done();
    if (number_ > 0) owner_->gate_->LeaveStream(number_);
    if (counted_) owner_->Closed();
    delete this;
  }

 private:
  ReflectionService* const owner_;
  const bool counted_;
  const std::shared_ptr<Stream> stream_;
  // The number from the gate; 0: the gate refused the stream.
  std::uint64_t number_ = 0;
  // Owned by gRPC during reads and writes.
  Bytes incoming_;
  Bytes outgoing_;
};

ReflectionService::ReflectionService(Gate* gate, const std::string& version, std::size_t max_streams,
                                     absl::Duration patience)
    : gate_(gate), max_streams_(max_streams), patience_(patience) {
  AddRaw("/grpc.reflection." + version + ".ServerReflection/ServerReflectionInfo",
         grpc::internal::RpcMethod::BIDI_STREAMING,
         new grpc::internal::CallbackBidiHandler<Bytes, Bytes>(
             [this](grpc::CallbackServerContext* context) { return Open(context); }));
}

ReflectionService::~ReflectionService() = default;

void ReflectionService::SetServices(const std::vector<std::string>& services) {
  served_ = std::make_unique<const ServedDescriptors>(services);
}

grpc::ServerBidiReactor<Bytes, Bytes>* ReflectionService::Open(grpc::CallbackServerContext* context) {
  bool counted = false;
  {
    absl::MutexLock lock(&mutex_);
    counted = streams_ < max_streams_;
    if (counted) ++streams_;
  }
  auto* const reactor = new Reactor(this, context, counted);
  reactor->Begin();
  return reactor;
}

void ReflectionService::Closed() {
  absl::MutexLock lock(&mutex_);
  --streams_;
}

std::size_t ReflectionService::streams() const {
  absl::MutexLock lock(&mutex_);
  return streams_;
}

}  // namespace hail::rpc
