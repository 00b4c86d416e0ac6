#include "tests/integration/patient_client.h"

#include <random>

#include "absl/time/clock.h"
#include "common/rpc/retry.h"
#include "common/rpc/status.h"

namespace hail::testing {
namespace {

constexpr absl::Duration kAttempt = absl::Seconds(5);
constexpr absl::Duration kAll = absl::Seconds(30);

}  // namespace

PatientOutcome CallPatiently(const std::function<grpc::Status(grpc::ClientContext*)>& attempt) {
  thread_local std::minstd_rand random{std::random_device()()};
  const absl::Time began = absl::Now();
  PatientOutcome outcome;
  rpc::Backoff backoff;
  while (true) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kAttempt));
    outcome.status = attempt(&context);
    ++outcome.attempts;
    outcome.took = absl::Now() - began;
    const absl::Status status = rpc::FromGrpc(outcome.status);
    if (rpc::IsAnswer(status) || outcome.took > kAll) return outcome;
    absl::SleepFor(backoff.Next(std::uniform_real_distribution<double>(0, 1)(random), rpc::RetryAfter(status)));
  }
}

}  // namespace hail::testing
