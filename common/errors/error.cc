#include "common/errors/error.h"

#include <utility>

#include "absl/strings/cord.h"
#include "common/errors/payload.h"
#include "common/proto/time.h"
#include "google/rpc/error_details.pb.h"

namespace hail {
namespace {

constexpr char kDomain[] = "hail";
constexpr char kUnknownReason[] = "unknown_reason";

template <typename Message>
void Attach(const char* type_url, const Message& message, absl::Status* status) {
  status->SetPayload(type_url, absl::Cord(message.SerializeAsString()));
}

template <typename Message>
bool Find(const absl::Status& status, const char* type_url, Message* message) {
  const absl::optional<absl::Cord> payload = status.GetPayload(type_url);
  return payload.has_value() && message->ParseFromString(std::string(*payload));
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, std::string_view message, ErrorDetails details) {
  if (code == absl::StatusCode::kOk) {
    // An OK status drops its payload and would let the failure pass for a success.
    code = absl::StatusCode::kInternal;
    details.reason = Reason::kInternal;
  }
  absl::Status status(code, std::string(message));
  google::rpc::ErrorInfo info;
  info.set_domain(kDomain);
  info.set_reason(std::string(ReasonName(details.reason)));
  info.mutable_metadata()->insert(details.metadata.begin(), details.metadata.end());
  Attach(kErrorInfo, info, &status);
  if (!details.field.empty()) {
    google::rpc::BadRequest bad;
    google::rpc::BadRequest::FieldViolation& violation = *bad.add_field_violations();
    violation.set_field(std::move(details.field));
    violation.set_description(std::string(message));
    Attach(kBadRequest, bad, &status);
  }
  if (details.retry_after) {
    google::rpc::RetryInfo retry;
    Encode(*details.retry_after, retry.mutable_retry_delay());
    Attach(kRetryInfo, retry, &status);
  }
  return status;
}

std::optional<ErrorDetails> DetailsOf(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  if (!Find(status, kErrorInfo, &info) || info.domain() != kDomain) return std::nullopt;
  ErrorDetails details;
  details.metadata.insert(info.metadata().begin(), info.metadata().end());
  if (const std::optional<Reason> known = ReasonFromName(info.reason())) {
    details.reason = *known;
  } else {
    details.metadata[kUnknownReason] = info.reason();
  }
  if (google::rpc::BadRequest bad; Find(status, kBadRequest, &bad) && bad.field_violations_size() > 0) {
    details.field = bad.field_violations(0).field();
  }
  if (google::rpc::RetryInfo retry; Find(status, kRetryInfo, &retry)) {
    details.retry_after = DecodeDuration(retry.retry_delay());
  }
  return details;
}

bool HasReason(const absl::Status& status, Reason reason) {
  google::rpc::ErrorInfo info;
  return Find(status, kErrorInfo, &info) && info.domain() == kDomain && info.reason() == ReasonName(reason);
}

absl::Status InvalidField(std::string_view field, std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = Reason::kInvalidField, .field = std::string(field)});
}

absl::Status NotFound(Reason reason, std::string_view message) {
  return MakeError(absl::StatusCode::kNotFound, message, {.reason = reason});
}

absl::Status FailedPrecondition(Reason reason, std::string_view message, std::map<std::string, std::string> metadata) {
  return MakeError(absl::StatusCode::kFailedPrecondition, message, {.reason = reason, .metadata = std::move(metadata)});
}

absl::Status Overloaded(std::string_view message, absl::Duration retry_after) {
  return MakeError(absl::StatusCode::kResourceExhausted, message,
                   {.reason = Reason::kOverloaded, .retry_after = retry_after});
}

absl::Status Unavailable(Reason reason, std::string_view message) {
  return MakeError(absl::StatusCode::kUnavailable, message, {.reason = reason, .retry_after = absl::Seconds(1)});
}

absl::Status Internal(std::string_view message) {
  return MakeError(absl::StatusCode::kInternal, message, {.reason = Reason::kInternal});
}

}  // namespace hail
