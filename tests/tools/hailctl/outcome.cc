#include "tests/tools/hailctl/outcome.h"

#include <iostream>

#include "common/errors/error.h"
#include "common/rpc/status.h"
#include "common/text/text.h"
#include "nlohmann/json.hpp"

namespace hail::ctl {
namespace {

Failure FailureOf(const absl::Status& status) {
  Failure failure;
  failure.code = static_cast<grpc::StatusCode>(status.code());
  failure.message = std::string(status.message());
  const std::optional<ErrorDetails> details = DetailsOf(status);
  if (!details.has_value()) {
    failure.foreign = !status.ok();
    return failure;
  }
  failure.reason = std::string(ReasonName(details->reason));
  failure.field = details->field;
  failure.metadata = details->metadata;
  failure.retry_after = details->retry_after;
  // Pass a newer service's unknown reason on by its name.
  if (const auto unknown = failure.metadata.find("unknown_reason"); unknown != failure.metadata.end()) {
    failure.reason = unknown->second;
    failure.metadata.erase(unknown);
  }
  return failure;
}

std::string Metadata(const Failure& failure, const std::string& key) {
  const auto found = failure.metadata.find(key);
  return found == failure.metadata.end() ? "" : found->second;
}

}  // namespace

Failure FailureOf(const grpc::Status& status) { return FailureOf(rpc::FromGrpc(status)); }

Failure FailureOf(const google::rpc::Status& status) { return FailureOf(rpc::FromProto(status)); }

ExitCode ExitCodeOf(const Failure& failure) {
  if (failure.foreign) return kUnavailable;
  switch (failure.code) {
    case grpc::StatusCode::OK:
      return kOk;
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::OUT_OF_RANGE:
      return kUsage;
    case grpc::StatusCode::NOT_FOUND:
      return kNotFound;
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::ALREADY_EXISTS:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::ABORTED:
      return kRefused;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
    case grpc::StatusCode::CANCELLED:
      return kUnavailable;
    default:
      return kInternalError;
  }
}

std::string CodeName(grpc::StatusCode code) { return absl::StatusCodeToString(static_cast<absl::StatusCode>(code)); }

std::string HintFor(const Failure& failure) {
  const std::string& reason = failure.reason;
  if (reason == "RIDER_BUSY") {
    const std::string ride = Metadata(failure, "ride_id");
    return "the rider's live ride is " + ride + "; with its --rider-id, `hailctl ride watch " + ride +
           "` follows it and `hailctl ride cancel " + ride + "` ends it";
  }
  if (reason == "OUTSIDE_SERVICE_AREA") {
    return "Hail serves San Francisco with SFO, and New York; pickup and drop-off must be in the same area";
  }
  if (reason == "RIDE_NOT_FOUND") return "`hailctl ride list --rider-id …` shows the rider's rides";
  if (reason == "DRIVER_NOT_FOUND") return "`hailctl driver register` makes a driver known";
  if (reason == "REQUEST_ID_REUSED") return "use a new --request-id for another ride, or none";
  if (reason == "PLATE_IN_USE") return "another driver is online with that plate; one of the two has to go offline";
  if (reason == "QUOTE_EXPIRED" || reason == "QUOTE_USED") return "get a new one with `hailctl ride quote`";
  if (reason == "QUOTE_MISMATCH") return "repeat the quote's --rider-id, --product, --seats, --from and --to exactly";
  if (reason == "ILLEGAL_TRANSITION") return "`hailctl driver show` shows where the ride is; steps come in order";
  if (reason == "ASSIGNMENT_ENDED" || reason == "OFFER_EXPIRED" || reason == "OFFER_REVOKED" ||
      reason == "OFFER_NOT_FOUND") {
    return "nothing is left to do for this driver; `hailctl driver show` shows the current ride";
  }
  if (reason == "OVERLOADED" || reason == "STREAM_TOO_SLOW" || reason == "STORE_UNAVAILABLE" ||
      reason == "REPLICA_TOO_OLD" || reason == "PEER_UNAVAILABLE" || reason == "DRAINING") {
    return "try again in a moment";
  }
  if (reason == "TOKEN_MISSING") {
    return "--token-file or --token-key gives the calls a token; `hailctl token` makes one for development";
  }
  if (reason == "TOKEN_EXPIRED") return "get a new token: they live for an hour at most";
  if (reason == "TOKEN_INVALID") return "the service has other keys, or the token is for another one; its log says why";
  if (reason == "ROLE_NOT_ALLOWED") return "this takes a token of another role";
  if (reason == "RATE_LIMITED") return "try again in a moment";
  if (reason == "OUTCOME_UNKNOWN") return "the outcome is unknown; repeat the same command to see it";
  if (!failure.foreign) return "";
  // Not Hail's error: the call did not reach the service.
  if (failure.code == grpc::StatusCode::UNAVAILABLE) {
    return "is the service running? --rider and --driver, or HAILCTL_RIDER and HAILCTL_DRIVER, say where it is";
  }
  if (failure.code == grpc::StatusCode::DEADLINE_EXCEEDED) return "--timeout allows it more time";
  return "this error is not Hail's, but the network's or a proxy's: try again in a moment";
}

ExitCode Report(const Failure& failure, bool json) {
  if (json) {
    nlohmann::json error = {{"code", CodeName(failure.code)}, {"message", failure.message}};
    if (!failure.reason.empty()) error["reason"] = failure.reason;
    if (!failure.field.empty()) error["field"] = failure.field;
    if (!failure.metadata.empty()) error["metadata"] = failure.metadata;
    if (failure.retry_after.has_value()) error["retry_after_s"] = absl::ToDoubleSeconds(*failure.retry_after);
    // A message may quote input of a broken client.
    std::cerr << Shown(nlohmann::json{{"error", error}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace))
              << '\n';
  } else {
    const std::string what = failure.field.empty() ? failure.message : failure.field + ": " + failure.message;
    const std::string why = failure.reason.empty() ? CodeName(failure.code) : failure.reason;
    std::cerr << Shown("hailctl: " + what + " [" + why + "]") << '\n';
    const std::string hint = HintFor(failure);
    if (!hint.empty()) std::cerr << Shown("  " + hint) << '\n';
  }
  return ExitCodeOf(failure);
}

}  // namespace hail::ctl
