// Matchers for errors and results.
//
//   EXPECT_THAT(store.Find("ride-1"), IsOkAndHolds(Field(&Ride::epoch, 2)));
//   EXPECT_THAT(store.Find("ride-2"), HasReason(Reason::kRideNotFound));
//
// Each takes an absl::Status or an absl::StatusOr; when it fails, the status is printed.
#pragma once

#include <gmock/gmock.h>

#include <optional>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/errors/error.h"
#include "common/errors/reason.h"

namespace hail {

// The text that a failing test prints for a reason.
inline void PrintTo(Reason reason, std::ostream* out) { *out << ReasonName(reason); }

namespace matchers {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <typename T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

}  // namespace matchers

MATCHER(IsOk, "") {
  *result_listener << "whose status is " << matchers::StatusOf(arg);
  return arg.ok();
}

MATCHER_P(IsOkAndHolds, value, "") {
  if (arg.ok()) return testing::ExplainMatchResult(value, *arg, result_listener);
  *result_listener << "whose status is " << arg.status();
  return false;
}

MATCHER_P(StatusIs, code, "") {
  *result_listener << "whose status is " << matchers::StatusOf(arg);
  return matchers::StatusOf(arg).code() == code;
}

MATCHER_P(HasReason, reason, "") {
  *result_listener << "whose status is " << matchers::StatusOf(arg);
  return HasReason(matchers::StatusOf(arg), reason);
}

// Two protobuf messages are equal if their serialized bytes are equal.
MATCHER_P(EqualsProto, message, "") {
  *result_listener << "which is " << arg.ShortDebugString();
  return arg.SerializeAsString() == message.SerializeAsString();
}

}  // namespace hail
