#include "common/rpc/error_codec.h"

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/cord.h"
#include "common/errors/error.h"
#include "common/errors/payload.h"
#include "common/errors/reason.h"

namespace hail::rpc {
namespace {

// For errors of `code` without a Reason, for example made by gRPC.
Reason ReasonOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kDeadlineExceeded:
      return Reason::kOutcomeUnknown;
    case absl::StatusCode::kUnimplemented:
      return Reason::kNotServed;
    default:
      return Reason::kInternal;
  }
}

// Whether `type_url` names the same message as `known`; prefixes are ignored.
bool SameMessage(const std::string& type_url, std::string_view known) {
  return type_url.substr(type_url.rfind('/') + 1) == known.substr(known.rfind('/') + 1);
}

}  // namespace

google::rpc::Status ToProto(const absl::Status& status) {
  google::rpc::Status proto;
  proto.set_code(static_cast<std::int32_t>(status.code()));
  if (status.ok()) return proto;
  proto.set_message(std::string(status.message()));

  const bool named = status.GetPayload(kErrorInfo).has_value();
  if (!named && status.code() == absl::StatusCode::kCancelled) return proto;
  const absl::Status error =
      named ? status : MakeError(status.code(), proto.message(), {.reason = ReasonOf(status.code())});
  for (const char* const type_url : {kErrorInfo, kBadRequest, kRetryInfo}) {
    if (const auto payload = error.GetPayload(type_url)) {
      google::protobuf::Any& any = *proto.add_details();
      any.set_type_url(type_url);
      any.set_value(std::string(*payload));
    }
  }
  return proto;
}

absl::Status FromProto(const google::rpc::Status& proto) {
  if (proto.code() == 0) return absl::OkStatus();
  // Codes outside google.rpc.Code become UNKNOWN.
  const absl::Status bare(static_cast<absl::StatusCode>(proto.code()), proto.message());
  absl::Status error = bare;
  for (const google::protobuf::Any& any : proto.details()) {
    for (const char* const type_url : {kErrorInfo, kBadRequest, kRetryInfo}) {
      if (SameMessage(any.type_url(), type_url)) error.SetPayload(type_url, absl::Cord(any.value()));
    }
  }
  // Only an ErrorInfo of Hail marks an error as Hail's; without it the other details are ignored.
  return DetailsOf(error).has_value() ? error : bare;
}

}  // namespace hail::rpc
