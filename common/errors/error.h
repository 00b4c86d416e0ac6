// Errors as values: an absl::Status with a Reason and, where it helps, the field at fault, metadata and a retry delay.
// Mapped to gRPC in one place: common/rpc/status.h.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/errors/reason.h"

namespace hail {

// The content of an error besides code and message.
struct ErrorDetails {
  Reason reason = Reason::kInternal;
  // The path of the field at fault, as in the contract ("pickup.position.latitude_deg"). Empty: none.
  std::string field;
  // For ErrorInfo.metadata.
  std::map<std::string, std::string> metadata;
  // For RetryInfo.
  std::optional<absl::Duration> retry_after;
};

// An error of `code` with `details` attached. An OK `code` becomes INTERNAL, so that an error never passes for a
// success.
absl::Status MakeError(absl::StatusCode code, std::string_view message, ErrorDetails details);

// The details of `status`; nullopt for a status that MakeError did not make.
std::optional<ErrorDetails> DetailsOf(const absl::Status& status);

// Whether `status` was made with `reason`.
bool HasReason(const absl::Status& status, Reason reason);

// Short forms.
absl::Status InvalidField(std::string_view field, std::string_view message);
absl::Status NotFound(Reason reason, std::string_view message);
absl::Status FailedPrecondition(Reason reason, std::string_view message,
                                std::map<std::string, std::string> metadata = {});
absl::Status Overloaded(std::string_view message, absl::Duration retry_after);
// Retry after one second: by then the service is usually back, or another replica answers.
absl::Status Unavailable(Reason reason, std::string_view message);
absl::Status Internal(std::string_view message);

}  // namespace hail
