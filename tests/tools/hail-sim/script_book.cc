#include "tests/tools/hail-sim/script_book.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/tools/hail-sim/calls.h"
#include "tests/tools/hail-sim/channel.h"
#include "tests/tools/hail-sim/outcome_of.h"

namespace hail::sim {

namespace ipb = hail::internal::v1;

namespace {

// What comes before "ride …".
const char* WordsFor(DriverPhase phase, DriverAct act) {
  switch (act) {
    case DriverAct::kGoOn:
      if (phase == DriverPhase::kOffered) return "accepts";
      return phase == DriverPhase::kToPickup ? "drives to the pickup of" : "is at the pickup of";
    case DriverAct::kDecline:
      return "declines";
    case DriverAct::kGiveUp:
      return "will give up";
    case DriverAct::kStandStill:
      return "stands still with";
    case DriverAct::kWait:
      return "waits for the rider of";
  }
  return "";
}

// An id that no ride has.
constexpr char kNoRide[] = "sandbox-asks-whether-rides-can-be-read";

}  // namespace

ScriptBook::ScriptBook(PhoneContext* context, const std::string& address,
                       std::shared_ptr<grpc::ChannelCredentials> credentials, Say say)
    : context_(context),
      address_(address),
      say_(std::move(say)),
      stub_(ipb::AssignmentService::NewStub(MakeChannel(address, std::move(credentials)))),
      random_(1, "script book") {}

absl::Status ScriptBook::AwaitService(absl::Time deadline, const std::function<bool()>& stopped) {
  Backoff backoff;
  Outcome outcome;
  while (!stopped()) {
    grpc::ClientContext call;
    call.set_deadline(absl::ToChronoTime(context_->clock.Read().wall + kCallDeadline));
    ipb::GetRideRequest request;
    request.set_ride_id(kNoRide);
    ipb::GetRideResponse response;
    outcome = OutcomeOf(stub_->GetRide(&call, request, &response));
    if (outcome.reason == "RIDE_NOT_FOUND") return absl::OkStatus();
    if (!outcome.Retryable() || context_->clock.Read().wall >= deadline) break;
    absl::SleepFor(backoff.Next(random_, outcome.retry_after));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("no rides can be read at ", address_,
                   ", which must be rider-service's internal address: ", outcome.Name(), " ", outcome.message));
}

void ScriptBook::Find(const std::string& ride_id, Found found) {
  Read(ride_id, std::move(found), std::make_shared<Backoff>());
}

void ScriptBook::Read(const std::string& ride_id, Found found, std::shared_ptr<Backoff> backoff) {
  ipb::GetRideRequest request;
  request.set_ride_id(ride_id);
  StartUnary<ipb::GetRideRequest, ipb::GetRideResponse>(
      [this](grpc::ClientContext* call, const ipb::GetRideRequest* message, ipb::GetRideResponse* response,
             std::function<void(grpc::Status)> done) {
        stub_->async()->GetRide(call, message, response, std::move(done));
      },
      std::move(request), kCallDeadline,
      [this, ride_id, found = std::move(found), backoff = std::move(backoff)](absl::Time, const grpc::Status& status,
                                                                              const ipb::GetRideResponse& response) {
        context_->inbox.Post([this, ride_id, found, backoff, outcome = OutcomeOf(status), ride = response.ride()] {
          if (outcome.Retryable()) {
            const absl::Duration wait = backoff->Next(random_, outcome.retry_after);
            context_->at(context_->clock.Read().wall + wait,
                         [this, ride_id, found, backoff] { Read(ride_id, found, backoff); });
            return;
          }
          if (!outcome.ok()) {
            say_(absl::StrCat("cannot read ride ", ride_id, ": ", outcome.Name(), " ", outcome.message));
            return;
          }
          std::optional<std::string_view> label;
          if (const auto at = ride.labels().find(std::string(kSandboxLabel)); at != ride.labels().end()) {
            label = at->second;
          }
          const RideScript* script = FindRideScript(label);
          if (script == nullptr) {
            script = FindRideScript(std::nullopt);
            say_(absl::StrCat("ride ", ride_id, " has the label sandbox=", std::string(*label), ", which is none of ",
                              RideScriptNames(), ": taken as ", script->name));
          }
          const auto declines = declines_.find(ride_id);
          found(*script, declines == declines_.end() ? 0 : declines->second);
        });
      },
      &context_->in_flight);
}

void ScriptBook::Acts(const std::string& driver_id, const std::string& ride_id, const RideScript& script,
                      DriverPhase phase, DriverAct act) {
  // Not when the answer has arrived: the next driver may have the offer by then.
  if (act == DriverAct::kDecline) ++declines_[ride_id];
  say_(absl::StrCat(driver_id, " ", WordsFor(phase, act), " ride ", ride_id, " (", script.name, ")"));
}

}  // namespace hail::sim
