#include "common/rpc/status.h"

#include <cstdint>
#include <string>

namespace hail::rpc {

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const hail::type::v1::Status proto = ToProto(status);
  return grpc::Status(static_cast<grpc::StatusCode>(proto.code()), proto.message(),
                      proto.details().empty() ? std::string() : proto.SerializeAsString());
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  hail::type::v1::Status proto;
  // Details that cannot be read are somebody else's; code and message stand in any case.
  if (!proto.ParseFromString(status.error_details())) proto.Clear();
  proto.set_code(static_cast<std::int32_t>(status.error_code()));
  proto.set_message(status.error_message());
  return FromProto(proto);
}

}  // namespace hail::rpc
