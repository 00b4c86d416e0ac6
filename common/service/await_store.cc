#include "common/service/await_store.h"

#include <algorithm>

#include "absl/time/time.h"
#include "common/logging/log.h"
#include "common/rpc/service_host.h"
#include "common/rpc/termination.h"
#include "common/service/serve.h"

namespace hail {
namespace {

// Wall time between two attempts.
constexpr absl::Duration kFirstPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestPause = absl::Seconds(2);

}  // namespace

absl::Status AwaitStore(const config::ServiceSettings& settings, const ServiceTls* tls,
                        const std::function<absl::Status()>& open) {
  absl::Status status = open();
  if (!absl::IsUnavailable(status)) return status;

  const rpc::NotServingHost host(ListenersOf(settings, tls));
  // Without bound addresses the service still waits for the store: an unreachable port also says that it does not
  // serve.
  if (!host.bound()) Log(LogLevel::kWarn, "health_not_served", {{"listen", settings.listen}});
  for (absl::Duration pause = kFirstPause; absl::IsUnavailable(status); pause = std::min(pause * 2, kLongestPause)) {
    Log(LogLevel::kWarn, "waiting_for_store", {{"status", status}});
    if (rpc::TerminationWithin(pause)) return absl::CancelledError("stopped before the store was available");
    status = open();
  }
  return status;
}

}  // namespace hail
