// Errors passed on, in one line each.
#pragma once

#include <utility>

#include "absl/status/status.h"

// Returns what `expression`, an absl::Status, says unless it is OK.
#define HAIL_RETURN_IF_ERROR(expression)                           \
  if (absl::Status hail_status = (expression); hail_status.ok()) { \
  } else                                                           \
    return hail_status

// Assigns to `target`, which may declare a variable, what `expression`, an absl::StatusOr, holds; or returns its
// status. Not alone behind an `if`: it is more than one statement.
#define HAIL_ASSIGN_OR_RETURN(target, expression) \
  HAIL_ASSIGN_OR_RETURN_(HAIL_JOIN_(hail_result_, __LINE__), target, expression)

#define HAIL_ASSIGN_OR_RETURN_(result, target, expression) \
  auto result = (expression);                              \
  if (!result.ok()) return std::move(result).status();     \
  target = *std::move(result)
#define HAIL_JOIN_(left, right) HAIL_JOIN_NOW_(left, right)
#define HAIL_JOIN_NOW_(left, right) left##right
