// State shared by all simulated phones.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "common/time/clock.h"
#include "grpcpp/client_context.h"
#include "tests/tools/hail-sim/audit.h"
#include "tests/tools/hail-sim/inbox.h"
#include "tests/tools/hail-sim/ledger.h"
#include "tests/tools/hail-sim/report.h"
#include "tests/tools/tokens/token_key.h"

namespace hail::sim {

// Used on the simulation's thread, except for `inbox` and `in_flight`.
class PhoneContext {
 public:
  // Longer than a run: a stream is opened with one token.
  static constexpr absl::Duration kTokenTime = absl::Hours(24);

  PhoneContext(const TimeScale& scale, Ledger* ledger) : clock(scale), ledger(ledger) {}

  // Adds a token for the rider or driver `id` to a call, if there is a key. `audience` as in TokenKey.
  void Authorize(grpc::ClientContext* call, const char* audience, const std::string& id) const {
    if (!token_key) return;
    call->AddMetadata("authorization", "Bearer " + token_key->Token(audience, id, clock.Read().wall, kTokenTime));
  }

  // Runs `task` on the simulation's thread at `wall` or soon after.
  std::function<void(absl::Time wall, std::function<void()> task)> at;

  // Signs tokens for the edge. Unset: calls have none.
  std::optional<TokenKey> token_key;
  const SystemClock clock;
  Inbox inbox;
  CallsInFlight in_flight;
  Ledger* const ledger;
  Report report;
  AssignmentAudit assignments{report.violations};
  // Offers by id: all that were shown, and those that expired.
  std::set<std::string> offers;
  std::set<std::string> expired;
  // Wall time of the first offer of each ride, and of its acknowledgement.
  std::map<std::string, absl::Time> first_offers;
  // The time of the last message about any ride (wall).
  absl::Time last_news = absl::InfinitePast();
  // Set once the services' clock was found to differ.
  absl::Status clock_error;
};

// Deadlines (wall) of one attempt of a unary call, and of the answer to an offer, whose outcome may need a lookup: as
// in docs/clients.md.
inline constexpr absl::Duration kCallDeadline = absl::Seconds(5);
inline constexpr absl::Duration kAnswerDeadline = absl::Minutes(1);

}  // namespace hail::sim
