#include "tests/integration/patient_client.h"

#include <algorithm>
#include <random>

#include "absl/time/clock.h"
#include "common/errors/error.h"
#include "common/rpc/status.h"

namespace hail::testing {
namespace {

constexpr absl::Duration kAttempt = absl::Seconds(5);
constexpr absl::Duration kAll = absl::Seconds(30);
constexpr absl::Duration kFirstWait = absl::Milliseconds(100);
constexpr absl::Duration kMostWait = absl::Seconds(2);

bool ToBeRetried(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::DEADLINE_EXCEEDED ||
         code == grpc::StatusCode::RESOURCE_EXHAUSTED || code == grpc::StatusCode::CANCELLED;
}

}  // namespace

PatientOutcome CallPatiently(const std::function<grpc::Status(grpc::ClientContext*)>& attempt) {
  thread_local std::minstd_rand random{std::random_device()()};
  const absl::Time began = absl::Now();
  PatientOutcome outcome;
  absl::Duration wait = kFirstWait;
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kAttempt));
    outcome.status = attempt(&context);
    ++outcome.attempts;
    outcome.took = absl::Now() - began;
    if (!ToBeRetried(outcome.status.error_code()) || outcome.took > kAll) return outcome;
    const auto details = DetailsOf(rpc::FromGrpc(outcome.status));
    const absl::Duration asked = details && details->retry_after ? *details->retry_after : absl::ZeroDuration();
    absl::SleepFor(std::max(asked, wait * std::uniform_real_distribution<double>(0.5, 1.0)(random)));
    wait = std::min(2 * wait, kMostWait);
  }
}

}  // namespace hail::testing
