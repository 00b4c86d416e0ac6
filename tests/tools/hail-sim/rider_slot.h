// One rider's phone: its agent, stream, calls, and record of received messages. On the simulation's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/time/clock.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"
#include "tests/tools/hail-sim/audit.h"
#include "tests/tools/hail-sim/calls.h"
#include "tests/tools/hail-sim/phone_context.h"
#include "tests/tools/hail-sim/rider_agent.h"

namespace hail::sim {

class RiderSlot final : public RiderOut {
 public:
  RiderSlot(PhoneContext* context, hail::rider::v1::RiderService::Stub* stub, std::string rider_id,
            std::string request_id, const Trip& trip, std::string product_id, const Odds& odds, std::uint64_t seed,
            const RiderScript* script = nullptr);

  void Begin();
  // Reads the ride's outcome, repeatedly until a definite answer or `deadline` (wall); then calls `done`.
  void Check(absl::Time deadline, std::function<void()> done);
  void CallOff() { agent_.CallOff(); }
  // Ends the stream, if any, and ignores later messages.
  void HangUp();

  const RiderAgent& agent() const { return agent_; }
  // The result of Check: the ride, or the reason of its failure. Unset: no definite answer.
  const std::optional<hail::type::v1::Ride>& checked() const { return checked_; }
  bool not_found() const { return not_found_; }
  // Compares the watched events with the result of Check.
  void Settle();

  void Call(const RiderCall& call) override;
  void Open(const hail::rider::v1::WatchRideRequest& open, bool bidirectional) override;
  void Send(const hail::rider::v1::StreamRideRequest& message) override;
  void Drop() override;
  void Wake(absl::Duration domain, RiderTimer timer, std::uint64_t token) override;
  void WakeWall(absl::Duration wall, RiderTimer timer, std::uint64_t token) override;
  void Count(const std::string& what) override;

 private:
  using Stream = BidiCall<hail::rider::v1::StreamRideRequest, hail::rider::v1::StreamRideResponse>;

  using Async = hail::rider::v1::RiderService::StubInterface::async_interface;

  // The stub for a call of this rider, which it authorizes.
  Async* For(grpc::ClientContext* call) const {
    context_->Authorize(call, {.role = "rider", .subject = agent_.rider_id()});
    return stub_->async();
  }
  template <class Request, class Response>
  void StartCall(const Request& request,
                 void (hail::rider::v1::RiderService::StubInterface::async_interface::*method)(
                     grpc::ClientContext*, const Request*, Response*, std::function<void(grpc::Status)>));
  void Replied(absl::Time wall, absl::Time sent, const RiderCall& call, const Outcome& outcome,
               const RiderReply& reply);
  void Received(absl::Time wall, std::uint64_t stream, const hail::rider::v1::WatchRideResponse& message);
  void Received(absl::Time wall, std::uint64_t stream, const hail::rider::v1::CommandResult& result);
  void Ended(absl::Time wall, std::uint64_t stream, const Outcome& outcome);
  void Saw(absl::Time wall, const hail::type::v1::Ride& ride);
  void Write(absl::Time wall, const char* kind, nlohmann::json fields);

  PhoneContext* const context_;
  hail::rider::v1::RiderService::Stub* const stub_;
  RiderAgent agent_;
  RiderAudit audit_;
  // Counts streams. Messages of an earlier stream are ignored.
  std::uint64_t stream_ = 0;
  std::shared_ptr<StreamHandle> handle_;
  std::shared_ptr<Stream> bidirectional_;
  int requests_ = 0;
  std::optional<absl::Time> acknowledged_;
  bool assigned_ = false;
  bool arrived_ = false;
  std::optional<hail::type::v1::Ride> checked_;
  bool not_found_ = false;
};

}  // namespace hail::sim
