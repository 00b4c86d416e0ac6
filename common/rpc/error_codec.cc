#include "common/rpc/error_codec.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/errors/error.h"
#include "common/errors/reason.h"
#include "google/protobuf/duration.pb.h"
#include "google_rpc/error_details.pb.h"

namespace hail::rpc {
namespace {

constexpr char kDomain[] = "hail";
constexpr char kUnknownReason[] = "unknown_reason";

const std::map<std::string, Reason>& ReasonsByName() {
  static const auto* const by_name = [] {
    auto* map = new std::map<std::string, Reason>();
    // kInternal is the last of them.
    for (int i = 0; i <= static_cast<int>(Reason::kInternal); ++i) {
      map->emplace(ReasonName(static_cast<Reason>(i)), static_cast<Reason>(i));
    }
    return map;
  }();
  return *by_name;
}

// For errors of `code` that were made without one, by gRPC on the way from another service, say.
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

// Only an ErrorInfo of Hail's makes an error Hail's: without it, what else there is says nothing.
std::optional<ErrorDetails> DecodeDetails(const hail::type::v1::Status& proto) {
  ErrorDetails details;
  bool by_hail = false;
  for (const google::protobuf::Any& any : proto.details()) {
    if (google::rpc::ErrorInfo info;
        any.Is<google::rpc::ErrorInfo>() && any.UnpackTo(&info) && info.domain() == kDomain) {
      by_hail = true;
      details.metadata.insert(info.metadata().begin(), info.metadata().end());
      if (const auto known = ReasonsByName().find(info.reason()); known != ReasonsByName().end()) {
        details.reason = known->second;
      } else {
        details.metadata[kUnknownReason] = info.reason();
      }
    } else if (google::rpc::BadRequest bad; any.Is<google::rpc::BadRequest>() && any.UnpackTo(&bad)) {
      if (bad.field_violations_size() > 0) details.field = bad.field_violations(0).field();
    } else if (google::rpc::RetryInfo retry; any.Is<google::rpc::RetryInfo>() && any.UnpackTo(&retry)) {
      details.retry_after =
          absl::Seconds(retry.retry_delay().seconds()) + absl::Nanoseconds(retry.retry_delay().nanos());
    }
  }
  if (!by_hail) return std::nullopt;
  return details;
}

}  // namespace

hail::type::v1::Status ToProto(const absl::Status& status) {
  hail::type::v1::Status proto;
  proto.set_code(static_cast<std::int32_t>(status.code()));
  if (status.ok()) return proto;
  proto.set_message(std::string(status.message()));

  std::optional<ErrorDetails> details = DetailsOf(status);
  if (!details && status.code() == absl::StatusCode::kCancelled) return proto;
  if (!details) details.emplace().reason = ReasonOf(status.code());

  google::rpc::ErrorInfo info;
  info.set_domain(kDomain);
  info.set_reason(std::string(ReasonName(details->reason)));
  for (const auto& [key, value] : details->metadata) (*info.mutable_metadata())[key] = value;
  proto.add_details()->PackFrom(info);
  if (!details->field.empty()) {
    google::rpc::BadRequest bad;
    google::rpc::BadRequest::FieldViolation& violation = *bad.add_field_violations();
    violation.set_field(details->field);
    violation.set_description(std::string(status.message()));
    proto.add_details()->PackFrom(bad);
  }
  if (details->retry_after) {
    google::rpc::RetryInfo retry;
    absl::Duration rest = *details->retry_after;
    retry.mutable_retry_delay()->set_seconds(absl::IDivDuration(rest, absl::Seconds(1), &rest));
    retry.mutable_retry_delay()->set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(rest)));
    proto.add_details()->PackFrom(retry);
  }
  return proto;
}

absl::Status FromProto(const hail::type::v1::Status& proto) {
  if (proto.code() == 0) return absl::OkStatus();
  // Codes outside google.rpc.Code become UNKNOWN.
  const absl::Status bare(static_cast<absl::StatusCode>(proto.code()), proto.message());
  std::optional<ErrorDetails> details = DecodeDetails(proto);
  if (!details) return bare;
  return MakeError(bare.code(), proto.message(), *std::move(details));
}

}  // namespace hail::rpc
