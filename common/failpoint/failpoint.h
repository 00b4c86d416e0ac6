// Places where a test may end the process, or make a thread wait, at a moment of its choice.
//
//   HAIL_FAILPOINT(kCommitBefore);
//
// In every ordinary build this is nothing: the name is checked by the compiler, no code is made of it. Only files that
// are compiled with HAIL_FAILPOINTS defined have failpoints, and only the services of tests/crash are made of such
// files. There the environment variable HAILTEST_FAILPOINTS names a file that is mapped into memory and shared with
// the process that runs the test: a table of FailpointRecord, in the order of kFailpoints. What is counted in it
// survives SIGKILL; what is set in it takes effect at the next passing. Without the variable nothing happens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

namespace hail {

// All failpoints there are. A new one is used in one place, and comes with its row in kFailpoints.
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
    // All jobs of a batch have run; COMMIT has not been said.
    {Failpoint::kCommitBefore, "commit.before", true, true},
    // COMMIT has returned; nobody knows.
    {Failpoint::kCommitAfter, "commit.after", true, true},
    // What a unary call comes to is certain; the reply has not been handed to gRPC.
    {Failpoint::kReplyUnary, "reply.unary", true, true},
    // The same of a command that came on a stream.
    {Failpoint::kReplyStream, "reply.stream", true, true},
    // An event is committed; not yet published on the bus.
    {Failpoint::kPublishBefore, "publish.before", true, false},
    // A watched ride's feed has subscribed, and not read yet; the same of a driver's feed.
    {Failpoint::kFeedReadRide, "feed.read_ride", true, false},
    {Failpoint::kFeedReadDriver, "feed.read_driver", true, false},
    // A raised epoch is committed; the start at that epoch has not been sent.
    {Failpoint::kStartNewEpoch, "start.new_epoch", true, false},
    // rider-service has been asked for a driver's rides; the snapshot has not come.
    {Failpoint::kFeedSubscribed, "feed.subscribed", false, true},
    // The dispatch link is up; nothing has been started on it.
    {Failpoint::kLinkUp, "link.up", false, true},
    // An offer stands; its driver has not been sent it.
    {Failpoint::kOfferMade, "offer.made", false, true},
    // A driver is RESERVED; ConfirmAssignment has not been sent.
    {Failpoint::kConfirmBefore, "confirm.before", false, true},
    // Its answer has come; neither the core nor the driver knows it yet.
    {Failpoint::kConfirmReplied, "confirm.replied", false, true},
};

// One row of the shared table: 72 bytes, numbers as the machine has them.
struct FailpointRecord {
  // Ends with a zero.
  char name[32];
  // 1: rider-service has it; 2: driver-service; 3: both.
  std::uint64_t services;
  std::uint64_t passed;
  // The process ends with SIGKILL when `passed` has come to this or is beyond it, once: it is set to 0 first. 0: never.
  std::uint64_t kill_at;
  std::uint64_t killed;
  // Each passing takes so long, before it may end.
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
