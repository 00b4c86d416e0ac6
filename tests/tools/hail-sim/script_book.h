// The scripts of rides. Drivers do not see labels, so the book reads each ride as an operator does, on rider-service's
// internal port (docs/decisions/0036-the-sandbox-reads-labels.md).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "grpcpp/security/credentials.h"
#include "hail/internal/v1/assignment_service.grpc.pb.h"
#include "tests/tools/hail-sim/backoff.h"
#include "tests/tools/hail-sim/phone_context.h"
#include "tests/tools/hail-sim/ride_scripts.h"

namespace hail::sim {

// On the simulation's thread.
class ScriptBook {
 public:
  using Say = std::function<void(const std::string& line)>;
  using Found = std::function<void(const RideScript& script, int declines)>;

  // `address`: rider-service's internal one. `say` gets a line for people.
  ScriptBook(PhoneContext* context, const std::string& address, std::shared_ptr<grpc::ChannelCredentials> credentials,
             Say say);

  // Blocks until rides can be read, or `deadline` (wall). FAILED_PRECONDITION if they cannot.
  absl::Status AwaitService(absl::Time deadline, const std::function<bool()>& stopped);

  // Calls `found` once, when the ride was read; repeats the call until then. Never, if there is no such ride.
  void Find(const std::string& ride_id, Found found);

  // Notes what a driver does with a ride.
  void Acts(const std::string& driver_id, const std::string& ride_id, const RideScript& script, DriverPhase phase,
            DriverAct act);

 private:
  void Read(const std::string& ride_id, Found found, std::shared_ptr<Backoff> backoff);

  PhoneContext* const context_;
  const std::string address_;
  const Say say_;
  std::unique_ptr<hail::internal::v1::AssignmentService::Stub> stub_;
  Random random_;
  // By ride.
  std::map<std::string, int> declines_;
};

}  // namespace hail::sim
