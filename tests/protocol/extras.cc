#include "tests/protocol/extras.h"

#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "common/errors/check.h"
#include "grpcpp/impl/server_builder_plugin.h"
#include "grpcpp/server_builder.h"
#include "grpcpp/support/server_interceptor.h"

namespace hail::protocol {
namespace {

using grpc::experimental::InterceptionHookPoints;

// The calls under way, by their numbers.
class Calls {
 public:
  std::string Add(std::shared_ptr<Extras> extras) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    std::string number = std::to_string(++last_);
    calls_.emplace(number, std::move(extras));
    return number;
  }
  void Remove(const std::string& number) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    calls_.erase(number);
  }
  std::shared_ptr<Extras> Find(const std::string& number) const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    const auto found = calls_.find(number);
    HAIL_CHECK(found != calls_.end());
    return found->second;
  }

 private:
  mutable absl::Mutex mutex_;
  std::uint64_t last_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::string, std::shared_ptr<Extras>> calls_ ABSL_GUARDED_BY(mutex_);
};

Calls& AllCalls() {
  static Calls& calls = *new Calls;
  return calls;
}

// The suite writes binary values in base64.
bool IsBinary(const std::string& name) { return absl::EndsWith(name, "-bin"); }

Headers FromMetadata(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
  Headers headers;
  for (const auto& [key, bytes] : metadata) {
    const std::string name(key.data(), key.size());
    const std::string value(bytes.data(), bytes.size());
    if (headers.empty() || headers.rbegin()->name() != name) headers.Add()->set_name(name);
    headers.rbegin()->add_value(IsBinary(name) ? absl::Base64Escape(value) : value);
  }
  return headers;
}

void AddTo(std::multimap<std::string, std::string>* metadata, const Headers& headers) {
  for (const auto& header : headers) {
    const std::string name = absl::AsciiStrToLower(header.name());
    for (const std::string& value : header.value()) {
      std::string bytes = value;
      if (IsBinary(name)) absl::Base64Unescape(value, &bytes);
      metadata->emplace(name, std::move(bytes));
    }
  }
}

// Of one call. gRPC deletes it with the call.
class Interceptor final : public grpc::experimental::Interceptor {
 public:
  ~Interceptor() override { AllCalls().Remove(number_); }

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      auto* const metadata = methods->GetRecvInitialMetadata();
      extras_ = std::make_shared<Extras>(FromMetadata(*metadata));
      number_ = AllCalls().Add(extras_);
      metadata->erase("x-request-id");
      metadata->emplace("x-request-id", number_);
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      AddTo(methods->GetSendInitialMetadata(), extras_->reply().headers);
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      const Extras::Reply reply = extras_->reply();
      AddTo(methods->GetSendTrailingMetadata(), reply.trailers);
      const grpc::Status status = methods->GetSendStatus();
      if (!status.ok()) {
        methods->ModifySendStatus({status.error_code(), status.error_message(), reply.details});
      }
    }
    methods->Proceed();
  }

 private:
  std::shared_ptr<Extras> extras_;
  std::string number_;
};

class InterceptorFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo*) override {
    return new Interceptor;
  }
};

class Plugin final : public grpc::ServerBuilderPlugin {
 public:
  std::string name() override { return "extras"; }
  void UpdateServerBuilder(grpc::ServerBuilder* builder) override {
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> factories;
    factories.push_back(std::make_unique<InterceptorFactory>());
    builder->experimental().SetInterceptorCreators(std::move(factories));
  }
  void InitServer(grpc::ServerInitializer*) override {}
  void Finish(grpc::ServerInitializer*) override {}
  void ChangeArguments(const std::string&, void*) override {}
};

}  // namespace

void Extras::SetHeaders(const Headers& headers, const Headers& trailers) {
  absl::MutexLock lock(&mutex_);
  reply_.headers = headers;
  reply_.trailers = trailers;
}

void Extras::SetDetails(std::string details) {
  absl::MutexLock lock(&mutex_);
  reply_.details = std::move(details);
}

Extras::Reply Extras::reply() const {
  absl::MutexLock lock(&mutex_);
  return reply_;
}

void KeepExtras() {
  grpc::ServerBuilder::InternalAddPluginFactory(
      [] { return std::unique_ptr<grpc::ServerBuilderPlugin>(std::make_unique<Plugin>()); });
}

std::shared_ptr<Extras> ExtrasOf(const rpc::CallContext& call) { return AllCalls().Find(call.request_id); }

}  // namespace hail::protocol
