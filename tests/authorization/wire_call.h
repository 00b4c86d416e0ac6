// Calls over gRPC by a method's path.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/rpc/status.h"
#include "grpcpp/generic/generic_stub.h"

namespace hail::authorization {

// One call of a method, of any kind: sends one message, half-closes, and waits for the end.
class WireCall final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  // `authorization`: the values of that header.
  WireCall(grpc::GenericStub* stub, const std::string& path, const std::string& request,
           const std::vector<std::string>& authorization)
      : outgoing_(BytesOf(request)) {
    context_.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(60)));
    for (const std::string& value : authorization) context_.AddMetadata("authorization", value);
    stub->PrepareBidiStreamingCall(&context_, path, {}, this);
    // Before StartCall: a call that is refused at once may be over before it returns.
    StartRead(&incoming_);
    StartWriteLast(&outgoing_, {});
    StartCall();
  }
  absl::Status Await() {
    ended_.WaitForNotification();
    return status_;
  }

  void OnReadDone(bool ok) override {
    if (ok) StartRead(&incoming_);
  }
  void OnDone(const grpc::Status& status) override {
    status_ = rpc::FromGrpc(status);
    ended_.Notify();
  }

 private:
  static grpc::ByteBuffer BytesOf(const std::string& text) {
    const grpc::Slice slice(text);
    return {&slice, 1};
  }

  grpc::ClientContext context_;
  grpc::ByteBuffer outgoing_;
  grpc::ByteBuffer incoming_;
  absl::Status status_;
  absl::Notification ended_;
};

}  // namespace hail::authorization
