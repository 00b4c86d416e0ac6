#include "common/rpc/status.h"

#include <cstdint>
#include <string>

namespace hail::rpc {

namespace {

grpc::Status Encode(const absl::Status& status) {
  const google::rpc::Status proto = ToProto(status);
  return grpc::Status(static_cast<grpc::StatusCode>(proto.code()), proto.message(),
                      proto.details().empty() ? std::string() : proto.SerializeAsString());
}

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  // Under overload thousands of calls a second get the same refusal, and its cost reduces the number of accepted calls.
  thread_local absl::Status last;
  thread_local grpc::Status encoded;
  if (status != last) {
    encoded = Encode(status);
    last = status;
  }
  return encoded;
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  google::rpc::Status proto;
  // Unreadable details are not Hail's; code and message count in any case.
  if (!proto.ParseFromString(status.error_details())) proto.Clear();
  proto.set_code(static_cast<std::int32_t>(status.error_code()));
  proto.set_message(status.error_message());
  return FromProto(proto);
}

}  // namespace hail::rpc
