// The end of a hailctl command: its exit code, and its message about a refusal.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/support/status.h"

namespace hail::ctl {

// Exit codes. Scripts switch on them; `hailctl --help` and docs/first-ride.md list them.
enum ExitCode : int {
  kOk = 0,
  // A bug, or an invalid answer.
  kInternalError = 1,
  // The command line, or a field of the request, is wrong.
  kUsage = 2,
  // No such ride, driver or offer, or not the caller's.
  kNotFound = 3,
  // Understood and refused: the present state forbids it.
  kRefused = 4,
  // No answer of Hail, or too busy: trying again later may help.
  kUnavailable = 5,
  // The watched ride ended without a trip: cancelled, or no driver found.
  kRideFailed = 6,
};

// Why a call failed, with the details that Hail's errors carry.
struct Failure {
  grpc::StatusCode code = grpc::StatusCode::UNKNOWN;
  std::string message;
  // google.rpc.ErrorInfo.reason, of common/errors/reason.h. Empty: the error did not come from Hail.
  std::string reason;
  // It came with an answer, but not from Hail: the network, a proxy or a library made it, so its code has little
  // meaning.
  bool foreign = false;
  std::map<std::string, std::string> metadata;
  // google.rpc.BadRequest: the path of the wrong field. Empty: none.
  std::string field;
  std::optional<absl::Duration> retry_after;
};

// Reads the details in the trailer of a failed call.
Failure FailureOf(const grpc::Status& status);
// The same for the outcome of a command on a stream. `status` must not be OK.
Failure FailureOf(const google::rpc::Status& status);

ExitCode ExitCodeOf(const Failure& failure);

// "NOT_FOUND", …: the canonical name.
std::string CodeName(grpc::StatusCode code);

// A hint for the user of a command line; empty if there is none.
std::string HintFor(const Failure& failure);

// Writes the failure to standard error, as a line of JSON or as text with the hint.
ExitCode Report(const Failure& failure, bool json);

}  // namespace hail::ctl
