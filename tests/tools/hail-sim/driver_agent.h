// One driver with a phone and a car: registers, goes online, answers offers, drives, sometimes gives up, takes a break
// or loses the connection and resumes. Input: messages, results and timers. Output: messages, calls and timers. No
// clock, no network, no shared state.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/time/clock.h"
#include "hail/driver/v1/driver_service.pb.h"
#include "tests/tools/hail-sim/backoff.h"
#include "tests/tools/hail-sim/motion.h"
#include "tests/tools/hail-sim/odds.h"
#include "tests/tools/hail-sim/outcome.h"
#include "tests/tools/hail-sim/random.h"
#include "tests/tools/hail-sim/ride_scripts.h"
#include "tests/tools/hail-sim/world.h"

namespace hail::sim {

// The unary calls that are not twins of commands, and their responses; a call's reply has the same index.
using DriverCall = std::variant<hail::driver::v1::RegisterDriverRequest, hail::driver::v1::GetDriverRequest,
                                hail::driver::v1::GetDriverStateRequest, hail::driver::v1::ListTripsRequest>;
using DriverReply = std::variant<hail::driver::v1::RegisterDriverResponse, hail::driver::v1::GetDriverResponse,
                                 hail::driver::v1::GetDriverStateResponse, hail::driver::v1::ListTripsResponse>;

enum class DriverTimer {
  kRegister,
  kPing,
  kDecide,
  kStep,
  kGiveUp,
  kDrop,
  kReconnect,
  kWatchdog,
  kRetry,
  kOnline,
  kWander
};

// The functions of a driver's phone.
class DriverOut {
 public:
  virtual ~DriverOut() = default;
  // Answered by OnReply.
  virtual void Call(const DriverCall& call) = 0;
  // Opens a stream in place of the present one, by WatchDriver if the agent watches. With `handover` the present one
  // stays open, as when a phone changes networks: the service has to end it.
  virtual void Open(const hail::driver::v1::OpenSession& open, bool handover) = 0;
  virtual void Send(const hail::driver::v1::StreamDriverRequest& message) = 0;
  // Makes the unary call for a message that WithDriverId returned; a command is answered by OnResult with its id.
  virtual void Twin(const hail::driver::v1::StreamDriverRequest& command) = 0;
  // Breaks the connection; this stream delivers no more messages.
  virtual void Drop() = 0;
  // Of scripted drivers only. Finds the ride's script; answered by OnScript, unless the ride is over.
  virtual void FindScript(const std::string& ride_id) = 0;
  // Of scripted drivers only. The driver does this with the ride now.
  virtual void Acts(const std::string& ride_id, const RideScript& script, DriverPhase phase, DriverAct act) = 0;
  // Calls OnTimer after this much domain time, or wall time.
  virtual void Wake(absl::Duration domain, DriverTimer timer, std::uint64_t token) = 0;
  virtual void WakeWall(absl::Duration wall, DriverTimer timer, std::uint64_t token) = 0;
  // Increments the report's counter of this name.
  virtual void Count(const std::string& what) = 0;
};

// The request that opens the same session by WatchDriver.
hail::driver::v1::WatchDriverRequest WatchOf(const hail::driver::v1::OpenSession& open);

// The answer to a command, from the stream or from the unary twin.
struct CommandAnswer {
  std::string command_id;
  Outcome outcome;
  // The ride in the answer.
  std::optional<hail::type::v1::Ride> ride;
};

enum class Decisions {
  // By the odds.
  kDrawn,
  // By the script of each ride. Such drivers also return to a place with demand after each ride.
  kScripted,
};

class DriverAgent {
 public:
  DriverAgent(hail::driver::v1::Driver profile, const LatLng& position, const Odds& odds, const World* world,
              std::uint64_t seed, DriverOut* out, Decisions decisions = Decisions::kDrawn);

  // Starts the driver's day.
  void Begin(const Now& now);
  void OnReply(const Now& now, const DriverCall& call, const Outcome& outcome, const DriverReply& reply);
  void OnMessage(const Now& now, const hail::driver::v1::StreamDriverResponse& message);
  void OnResult(const Now& now, const CommandAnswer& answer);
  // The present stream ended by itself.
  void OnStreamEnd(const Now& now, const Outcome& outcome);
  void OnTimer(const Now& now, DriverTimer timer, std::uint64_t token);
  // `declines`: how many drivers declined the ride.
  void OnScript(const Now& now, const std::string& ride_id, const RideScript& script, int declines);
  // The driver wants no more rides.
  void GoOffline(const Now& now) { SetAvailability(now, hail::driver::v1::AVAILABILITY_OFFLINE); }

  const std::string& driver_id() const { return profile_.driver_id(); }
  // The app receives by WatchDriver and sends by unary calls alone. The same for the agent's whole life.
  bool watches() const { return watches_; }
  // The message as its unary call needs it.
  hail::driver::v1::StreamDriverRequest WithDriverId(hail::driver::v1::StreamDriverRequest message) const;
  LatLng position(const Now& now) const { return motion_.At(now.domain); }
  // The driver's current ride, as the driver knows it. Empty: none.
  const std::string& ride_id() const { return ride_.ride_id(); }
  // On the way to or with a rider.
  bool driving(const Now& now) const { return !ride_.ride_id().empty() && motion_.Moving(now.domain); }
  // In session and up to date: has received a snapshot on the present stream.
  bool ready() const { return ready_; }
  // Was replaced by a session this driver did not open.
  bool replaced() const { return replaced_; }
  // Commands sent and not answered.
  std::size_t unanswered() const { return commands_.size(); }

 private:
  struct Command {
    hail::driver::v1::StreamDriverRequest message;
    bool twin = false;
    // When it was last sent (wall). Nullopt: it waits for a stream.
    std::optional<absl::Time> sent;
    Backoff backoff;
  };

  void Register();
  void Open(const Now& now, bool handover);
  void Lost(absl::Duration wait, bool domain);
  void Ping(const Now& now);
  // Shows that the app has the offer.
  void Acknowledge(const Now& now, const std::string& offer_id);
  void Issue(const Now& now, hail::driver::v1::StreamDriverRequest message);
  void Dispatch(const Now& now, Command& command);
  // Whether sending a command again has no point, because its subject is over.
  bool Stale(const hail::driver::v1::StreamDriverRequest& message) const;
  void Offered(const Now& now, const hail::driver::v1::Offer& offer);
  void Decide(const Now& now, std::uint64_t token);
  void Respond(const Now& now, hail::driver::v1::OfferResponse response);
  void Adopt(const Now& now, const hail::type::v1::Ride& ride);
  // The driver has no current ride any more.
  void LetGo(const Now& now);
  // The assignment is over permanently.
  void Release(const Now& now, const std::string& ride_id, std::int64_t epoch, bool completed);
  void Plan(const Now& now);
  // Plan, for a ride with a script.
  void PlanByScript(const Now& now);
  // Drives to the pickup; returns the driving time.
  absl::Duration DriveToPickup(const Now& now);
  void Wander(const Now& now);
  void Step(const Now& now);
  void GiveUp(const Now& now);
  void SetAvailability(const Now& now, hail::driver::v1::Availability availability);
  hail::driver::v1::StreamDriverRequest TripCommand() const;

  const hail::driver::v1::Driver profile_;
  const Odds odds_;
  const World* const world_;
  Random random_;
  const bool watches_;
  DriverOut* const out_;
  const Decisions decisions_;
  Motion motion_;

  bool registered_ = false;
  bool connected_ = false;
  bool ready_ = false;
  bool replaced_ = false;
  bool wants_rides_ = true;
  std::uint64_t position_seq_ = 0;
  std::int64_t session_epoch_ = 0;
  std::string incarnation_id_;
  std::int64_t openings_ = 0;
  hail::type::v1::Cursor cursor_;
  std::optional<absl::Duration> draining_;
  absl::Time last_heard_ = absl::InfinitePast();
  absl::Time last_sent_ = absl::InfinitePast();
  // Separates timers of the present stream from those of earlier ones.
  std::uint64_t stream_ = 0;
  Backoff call_backoff_;
  Backoff stream_backoff_;

  // Commands not answered yet, by id.
  std::map<std::string, Command> commands_;
  std::uint64_t next_command_ = 0;

  // The offer shown on the screen.
  std::optional<hail::driver::v1::Offer> offer_;
  std::uint64_t offer_token_ = 0;
  std::set<std::string> offers_seen_;
  // Offers whose end was received: their answers need not be sent again.
  std::set<std::string> offers_settled_;

  // The current ride; its ride_id is empty without one.
  hail::type::v1::Ride ride_;
  // Separates timers of the present plan from those of earlier ones.
  std::uint64_t plan_ = 0;
  // When the driver gives this assignment up, as a share of the way to the pickup (below 1) or of the boarding (above
  // 1).
  std::optional<double> gives_up_;
  // Of a scripted driver: the last script found, and its ride.
  const RideScript* script_ = nullptr;
  std::string script_ride_id_;
  // The epochs of ended assignments.
  std::map<std::string, std::int64_t> over_;
};

}  // namespace hail::sim
