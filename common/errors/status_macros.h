// Macros that pass errors on.
#pragma once

#include <utility>

#include "absl/status/status.h"

// Returns `expression`, an absl::Status, unless it is OK.
#define HAIL_RETURN_IF_ERROR(expression)                           \
  if (absl::Status hail_status = (expression); hail_status.ok()) { \
  } else                                                           \
    return hail_status

// Assigns the value of `expression`, an absl::StatusOr, to `target`, which may declare a variable; or returns its
// status. Do not use it as the only statement of an `if`: it expands to several.
#define HAIL_ASSIGN_OR_RETURN(target, expression) \
  HAIL_ASSIGN_OR_RETURN_(HAIL_JOIN_(hail_result_, __LINE__), target, expression)

#define HAIL_ASSIGN_OR_RETURN_(result, target, expression) \
  auto result = (expression);                              \
  if (!result.ok()) return std::move(result).status();     \
  target = *std::move(result)
#define HAIL_JOIN_(left, right) HAIL_JOIN_NOW_(left, right)
#define HAIL_JOIN_NOW_(left, right) left##right
