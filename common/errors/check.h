// Invariants, checked in every build: a process whose own state contradicts itself ends before it writes again.
#pragma once

namespace hail::detail {

[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

}  // namespace hail::detail

// Ends the process at once, with one line on stderr, unless `condition` holds. Use it only for conditions that a bug of
// this process can break. Input, stored bytes and the answers of other processes are checked where they arrive, and
// yield errors (error.h).
#define HAIL_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::hail::detail::CheckFailed(#condition, __FILE__, __LINE__))
