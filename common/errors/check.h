// Invariants, checked in every build: a process whose own state contradicts itself ends before it writes any more.
#pragma once

namespace hail::detail {

[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

}  // namespace hail::detail

// Ends the process at once, with one line on stderr, unless `condition` holds. For what only a bug of this process can
// break. Input, the bytes of a store and the answers of other processes are checked where they come in, and are errors
// (error.h).
#define HAIL_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::hail::detail::CheckFailed(#condition, __FILE__, __LINE__))
