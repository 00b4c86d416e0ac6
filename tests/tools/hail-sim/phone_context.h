// State shared by all simulated phones.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/time/clock.h"
#include "grpcpp/client_context.h"
#include "tests/tools/hail-sim/audit.h"
#include "tests/tools/hail-sim/inbox.h"
#include "tests/tools/hail-sim/ledger.h"
#include "tests/tools/hail-sim/report.h"
#include "tests/tools/tokens/token_source.h"

namespace hail::sim {

// Used on the simulation's thread, except for `inbox` and `in_flight`.
class PhoneContext {
 public:
  PhoneContext(const TimeScale& scale, Ledger* ledger) : clock(scale), ledger(ledger) {}

  // Adds a token for `bearer` to a call, if there are tokens. Each call and each stream goes through here.
  void Authorize(grpc::ClientContext* call, const TokenFor& bearer) const {
    if (tokens == nullptr) return;
    const std::string token = tokens->Authorization(bearer, clock.Read().wall);
    if (!token.empty()) call->AddMetadata("authorization", token);
  }

  // Runs `task` on the simulation's thread at `wall` or soon after.
  std::function<void(absl::Time wall, std::function<void()> task)> at;

  // Null: calls have none.
  std::shared_ptr<TokenSource> tokens;
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
