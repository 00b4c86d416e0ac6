// The people of the simulation: hail-sim's riders and drivers, with phones on the simulated network.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "hail/driver/v1/driver_service.pb.h"
#include "hail/rider/v1/rider_service.pb.h"
#include "tests/simulation/network.h"
#include "tests/tools/hail-sim/audit.h"
#include "tests/tools/hail-sim/driver_agent.h"
#include "tests/tools/hail-sim/rider_agent.h"

namespace hail::simulation {

class Universe;

class RiderPhone final : private sim::RiderOut {
 public:
  RiderPhone(Universe* universe, std::string rider_id, std::string request_id, const sim::Trip& trip,
             std::uint64_t seed);

  void Begin();
  const sim::RiderAgent& agent() const { return agent_; }
  // Cancels the ride by a unary call, whatever state the agent is in.
  void CancelNow();
  // Compares the events that the phone received with the stored ones.
  void Settle();

 private:
  using Stream = ClientCall<rider::v1::StreamRideRequest, rider::v1::StreamRideResponse>;
  using Watch = ClientCall<rider::v1::WatchRideRequest, rider::v1::WatchRideResponse>;

  void Call(const sim::RiderCall& call) override;
  void Open(const rider::v1::WatchRideRequest& open, bool bidirectional) override;
  void Send(const rider::v1::StreamRideRequest& message) override;
  void Drop() override;
  void Wake(absl::Duration domain, sim::RiderTimer timer, std::uint64_t token) override;
  void WakeWall(absl::Duration wall, sim::RiderTimer timer, std::uint64_t token) override;
  void Count(const std::string&) override {}

  void Received(std::uint64_t stream, const rider::v1::WatchRideResponse& message);
  void Ended(std::uint64_t stream, const absl::Status& status);
  void OnSent(const rider::v1::WatchRideResponse& message);

  Universe* const universe_;
  sim::RiderAgent agent_;
  sim::RiderAudit audit_;
  std::uint64_t stream_ = 0;
  // One of the two is set, or none.
  std::shared_ptr<Stream> call_;
  std::shared_ptr<Watch> watch_;
  std::int64_t resumed_from_ = 0;
  // When the present stream was opened (wall).
  absl::Time opened_;
  // When the present stream first sent a message about the ride (wall).
  absl::Time answered_ = absl::InfiniteFuture();
  int resumed_in_ = 0;
};

class DriverPhone final : private sim::DriverOut {
 public:
  DriverPhone(Universe* universe, driver::v1::Driver profile, const LatLng& position, std::uint64_t seed);

  void Begin();
  const sim::DriverAgent& agent() const { return agent_; }
  const std::string& live_ride() const { return audit_.live_ride(); }
  // The reply to a confirmation of this driver was lost.
  void ReplyLost() { reply_lost_ = true; }

 private:
  using Stream = ClientCall<driver::v1::StreamDriverRequest, driver::v1::StreamDriverResponse>;
  using Watch = ClientCall<driver::v1::WatchDriverRequest, driver::v1::StreamDriverResponse>;

  void Call(const sim::DriverCall& call) override;
  void Open(const driver::v1::OpenSession& open, bool handover) override;
  void Send(const driver::v1::StreamDriverRequest& message) override;
  void Twin(const driver::v1::StreamDriverRequest& command) override;
  // These drivers have no scripts.
  void FindScript(const std::string&) override {}
  void Acts(const std::string&, const sim::RideScript&, sim::DriverPhase, sim::DriverAct) override {}
  void Drop() override;
  void Wake(absl::Duration domain, sim::DriverTimer timer, std::uint64_t token) override;
  void WakeWall(absl::Duration wall, sim::DriverTimer timer, std::uint64_t token) override;
  void Count(const std::string& what) override;

  void Received(std::uint64_t stream, const driver::v1::StreamDriverResponse& message);
  void Ended(std::uint64_t stream, const absl::Status& status);
  void Answered(const driver::v1::StreamDriverRequest& command, const sim::CommandAnswer& answer);
  // Called when a message leaves `replica` of driver-service for this phone.
  void OnSent(const std::string& replica, const driver::v1::StreamDriverResponse& message);
  void NoteAccept(const driver::v1::StreamDriverRequest& command);
  // Takes no more rides after the current one, for a while.
  void BreakOnTrip();
  // Goes offline by unary calls while the phone opens a stream, perhaps at another replica.
  void WishElsewhere();
  // Reports that the car waits, at the pickup or on the trip; perhaps twice.
  void Wait(const type::v1::Ride& ride);
  // Sends an invalid step along with a valid one.
  void Mischief(const driver::v1::StreamDriverRequest& step);
  // Sends a command of the phone's own, the way that its agent sends: on the stream, or by a unary call.
  void Pass(const driver::v1::StreamDriverRequest& command);

  Universe* const universe_;
  sim::DriverAgent agent_;
  sim::DriverAudit audit_;
  sim::Random random_;
  sim::Random waits_;
  // The error that the device's clock adds to the age of a position, while the storm lasts.
  absl::Duration clock_error_;
  // The number of coming messages that carry wrong positions.
  int wrong_places_ = 0;
  std::uint64_t stream_ = 0;
  // One of the two is set, or none.
  std::shared_ptr<Stream> call_;
  std::shared_ptr<Watch> watch_;
  std::map<std::uint64_t, std::shared_ptr<void>> handed_over_;
  std::map<std::string, driver::v1::StreamDriverRequest> commands_;
  // Assignments, and whether the phone suppresses their acknowledgement as long as the storm lasts.
  std::map<std::string, bool> unseen_;
  // Offers accepted at least once.
  std::set<std::string> accepted_;
  // When each offer expires (wall), as the phone computed it on receipt.
  std::map<std::string, absl::Time> offer_ends_;
  bool reply_lost_ = false;
  std::int64_t mischief_ = 0;
};

// A client that names other people's rides and drivers.
class Stranger {
 public:
  Stranger(Universe* universe, int number);

 private:
  void Pry();

  Universe* const universe_;
  const std::string name_;
  sim::Random random_;
  std::shared_ptr<ClientCall<rider::v1::WatchRideRequest, rider::v1::WatchRideResponse>> watching_;
};

}  // namespace hail::simulation
