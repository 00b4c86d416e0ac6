// One driver's phone: its agent, stream, calls, and record of received messages. On the simulation's thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/time/clock.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"
#include "tests/tools/hail-sim/audit.h"
#include "tests/tools/hail-sim/calls.h"
#include "tests/tools/hail-sim/driver_agent.h"
#include "tests/tools/hail-sim/phone_context.h"
#include "tests/tools/hail-sim/script_book.h"

namespace hail::sim {

class DriverSlot final : public DriverOut {
 public:
  // `scripts` decides about rides in place of the odds; null: the odds decide.
  DriverSlot(PhoneContext* context, hail::driver::v1::DriverService::Stub* stub, hail::driver::v1::Driver profile,
             const LatLng& position, const Odds& odds, const World* world, std::uint64_t seed,
             ScriptBook* scripts = nullptr);

  void Begin();
  void GoOffline();
  // Ends all streams and ignores later messages.
  void HangUp();

  const DriverAgent& agent() const { return agent_; }
  // The driver's current ride, by the stream. Empty: none.
  const std::string& live_ride() const { return audit_.live_ride(); }

  void Call(const DriverCall& call) override;
  void Open(const hail::driver::v1::OpenSession& open, bool handover) override;
  void Send(const hail::driver::v1::StreamDriverRequest& message) override;
  void Twin(const hail::driver::v1::StreamDriverRequest& command) override;
  void Drop() override;
  void FindScript(const std::string& ride_id) override;
  void Acts(const std::string& ride_id, const RideScript& script, DriverPhase phase, DriverAct act) override;
  void Wake(absl::Duration domain, DriverTimer timer, std::uint64_t token) override;
  void WakeWall(absl::Duration wall, DriverTimer timer, std::uint64_t token) override;
  void Count(const std::string& what) override;

 private:
  using Async = hail::driver::v1::DriverService::StubInterface::async_interface;
  using Stream = BidiCall<hail::driver::v1::StreamDriverRequest, hail::driver::v1::StreamDriverResponse>;

  // The stub for a call of this driver, which it authorizes.
  Async* For(grpc::ClientContext* call) const {
    context_->Authorize(call, {.role = "driver", .subject = agent_.driver_id()});
    return stub_->async();
  }
  // The same for a call of the operator's backend. It has a subject for each driver, because an edge limits each
  // subject, and all of a fleet is registered at once.
  Async* ForServer(grpc::ClientContext* call) const {
    context_->Authorize(call, ServerToken(agent_.driver_id()));
    return stub_->async();
  }
  template <class Request, class Response>
  void StartCall(const Request& request,
                 void (Async::*method)(grpc::ClientContext*, const Request*, Response*,
                                       std::function<void(grpc::Status)>),
                 std::function<void(absl::Time, const Outcome&, const Response&)> done);
  void Received(absl::Time wall, std::uint64_t stream, const hail::driver::v1::StreamDriverResponse& message);
  void Ended(absl::Time wall, std::uint64_t stream, const Outcome& outcome);
  void Answered(absl::Time wall, const CommandAnswer& answer);
  void Offered(absl::Time wall, const hail::driver::v1::Offer& offer);
  void Write(absl::Time wall, const char* kind, nlohmann::json fields);

  PhoneContext* const context_;
  hail::driver::v1::DriverService::Stub* const stub_;
  ScriptBook* const scripts_;
  DriverAgent agent_;
  DriverAudit audit_;
  // Counts streams. Messages of an earlier stream are ignored, except `replaced`.
  std::uint64_t stream_ = 0;
  // The same stream twice, if the agent does not watch; `sending_` is null otherwise.
  std::shared_ptr<StreamHandle> present_;
  std::shared_ptr<Stream> sending_;
  std::map<std::uint64_t, std::shared_ptr<StreamHandle>> handed_over_;
};

}  // namespace hail::sim
