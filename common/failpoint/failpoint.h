// Places where a test can kill the process, or delay a thread, at a chosen moment.
//
//   HAIL_FAILPOINT(kCommitBefore);
//
// In ordinary builds the macro generates no code; the compiler only checks the name. Only files compiled with
// HAIL_FAILPOINTS have failpoints, and only the services of tests/crash contain such files. There the environment
// variable HAILTEST_FAILPOINTS names a file that is mapped into memory and shared with the test process: a table of
// FailpointRecord, in the order of kFailpoints. Counts in it survive SIGKILL; settings take effect at the next passing.
// Without the variable, failpoints do nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace hail {

// All failpoints. Each is used in one place, and has a row in kFailpoints.
enum class Failpoint {
  kCommitBefore,
  kCommitAfter,
  kReplyUnary,
  kReplyStream,
  kPublishBefore,
  kFeedReadRide,
  kFeedReadDriver,
  kStartNewEpoch,
  kFeedSubscribed,
  kLinkUp,
  kOfferMade,
  kConfirmBefore,
  kConfirmReplied,
};

struct FailpointRow {
  Failpoint point;
  const char* name;
  bool in_rider_service;
  bool in_driver_service;
};

inline constexpr FailpointRow kFailpoints[] = {
    // All jobs of a batch have run; COMMIT has not been executed.
    {Failpoint::kCommitBefore, "commit.before", true, true},
    // COMMIT has returned; no caller has the result yet.
    {Failpoint::kCommitAfter, "commit.after", true, true},
    // The result of a unary call is certain; the reply has not been passed to gRPC.
    {Failpoint::kReplyUnary, "reply.unary", true, true},
    // The same for a command on a stream.
    {Failpoint::kReplyStream, "reply.stream", true, true},
    // An event is committed; not yet published on the bus.
    {Failpoint::kPublishBefore, "publish.before", true, false},
    // The feed of a watched ride has subscribed, but has not read the store yet; the same for a driver's feed.
    {Failpoint::kFeedReadRide, "feed.read_ride", true, false},
    {Failpoint::kFeedReadDriver, "feed.read_driver", true, false},
    // A raised epoch is committed; the start at that epoch has not been sent.
    {Failpoint::kStartNewEpoch, "start.new_epoch", true, false},
    // rider-service has been asked for a driver's rides; the snapshot has not arrived.
    {Failpoint::kFeedSubscribed, "feed.subscribed", false, true},
    // The dispatch link is up; no dispatch has been started on it.
    {Failpoint::kLinkUp, "link.up", false, true},
    // An offer is pending; its driver has not received it.
    {Failpoint::kOfferMade, "offer.made", false, true},
    // A driver is RESERVED; ConfirmAssignment has not been sent.
    {Failpoint::kConfirmBefore, "confirm.before", false, true},
    // The answer to ConfirmAssignment has arrived; neither the core nor the driver knows it yet.
    {Failpoint::kConfirmReplied, "confirm.replied", false, true},
};

// One row of the shared table: 72 bytes, numbers in host byte order.
struct FailpointRecord {
  // Zero-terminated.
  char name[32];
  // 1: rider-service has it; 2: driver-service; 3: both.
  std::uint64_t services;
  std::uint64_t passed;
  // The process ends with SIGKILL once `passed` reaches this number. It is reset to 0 first, so the kill happens once.
  // 0: never.
  std::uint64_t kill_at;
  std::uint64_t killed;
  // Delay of each passing, before the kill.
  std::uint64_t delay_us;
};
static_assert(sizeof(FailpointRecord) == 72);

namespace detail {

constexpr bool RowsInOrder() {
  for (std::size_t i = 0; i < std::size(kFailpoints); ++i) {
    if (kFailpoints[i].point != static_cast<Failpoint>(i)) return false;
  }
  return kFailpoints[std::size(kFailpoints) - 1].point == Failpoint::kConfirmReplied;
}
static_assert(RowsInOrder(), "kFailpoints must have one row for each Failpoint, in the same order");

}  // namespace detail

// Thread-safe. Use HAIL_FAILPOINT.
void PassFailpoint(Failpoint point);

}  // namespace hail

#ifdef HAIL_FAILPOINTS
#define HAIL_FAILPOINT(point) ::hail::PassFailpoint(::hail::Failpoint::point)
#else
#define HAIL_FAILPOINT(point) static_cast<void>(::hail::Failpoint::point)
#endif
