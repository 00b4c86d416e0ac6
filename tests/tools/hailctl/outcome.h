// How a hailctl command ends: its exit code, and what people are told when something was refused.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "grpcpp/support/status.h"
#include "hail/type/v1/status.pb.h"

namespace hail::ctl {

// Exit codes. Scripts switch on them; `hailctl --help` and docs/first-ride.md list them.
enum ExitCode : int {
  kOk = 0,
  // A bug, or an answer that makes no sense.
  kInternalError = 1,
  // The command line, or a field of the request, is wrong.
  kUsage = 2,
  // No such ride, driver or offer, or not the caller's.
  kNotFound = 3,
  // Understood and refused: the state of things forbids it.
  kRefused = 4,
  // No answer of Hail's, or too busy: trying again later may help.
  kUnavailable = 5,
  // The watched ride ended without bringing anybody anywhere: canceled, or no driver found.
  kRideFailed = 6,
};

// Why a call failed, with the details that Hail's errors carry.
struct Failure {
  grpc::StatusCode code = grpc::StatusCode::UNKNOWN;
  std::string message;
  // google.rpc.ErrorInfo.reason, of common/errors/reason.h. Empty: the error did not come from Hail.
  std::string reason;
  // It came with an answer, but not from Hail: the network, a proxy or a library made it, and its code says little.
  bool foreign = false;
  std::map<std::string, std::string> metadata;
  // google.rpc.BadRequest: the path of the field at fault. Empty: none.
  std::string field;
  std::optional<absl::Duration> retry_after;
};

// Reads the details in the trailer of a failed call.
Failure FailureOf(const grpc::Status& status);
// The same for the outcome of a command on a stream. `status` must not be OK.
Failure FailureOf(const hail::type::v1::Status& status);

ExitCode ExitCodeOf(const Failure& failure);

// "NOT_FOUND", …: the canonical name.
std::string CodeName(grpc::StatusCode code);

// What somebody at a command line can do about it; empty when there is nothing to add.
std::string HintFor(const Failure& failure);

// Tells the failure on standard error, as a line of JSON or in words with the hint.
ExitCode Report(const Failure& failure, bool json);

}  // namespace hail::ctl
