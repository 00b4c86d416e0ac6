// One rider who wants one ride: looks at products, quotes, requests, watches, sometimes cancels, sometimes loses the
// connection and resumes. Input: replies, messages and timers. Output: calls and timers. No clock, no network, no
// shared state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "common/time/clock.h"
#include "hail/rider/v1/rider_service.pb.h"
#include "tests/tools/hail-sim/backoff.h"
#include "tests/tools/hail-sim/odds.h"
#include "tests/tools/hail-sim/outcome.h"
#include "tests/tools/hail-sim/random.h"
#include "tests/tools/hail-sim/records.h"
#include "tests/tools/hail-sim/rider_scripts.h"

namespace hail::sim {

// The unary calls, and their responses; a call's reply has the same index.
using RiderCall = std::variant<hail::rider::v1::ListProductsRequest, hail::rider::v1::QuoteRideRequest,
                               hail::rider::v1::RequestRideRequest, hail::rider::v1::GetRideRequest,
                               hail::rider::v1::GetActiveRideRequest, hail::rider::v1::ListRidesRequest,
                               hail::rider::v1::CancelRideRequest, hail::rider::v1::ListNearbyCarsRequest>;
using RiderReply = std::variant<hail::rider::v1::ListProductsResponse, hail::rider::v1::QuoteRideResponse,
                                hail::rider::v1::RequestRideResponse, hail::rider::v1::GetRideResponse,
                                hail::rider::v1::GetActiveRideResponse, hail::rider::v1::ListRidesResponse,
                                hail::rider::v1::CancelRideResponse, hail::rider::v1::ListNearbyCarsResponse>;

enum class RiderTimer { kRequest, kQuote, kCancel, kDrop, kReconnect, kWatchdog, kScript };

// The functions of a rider's phone.
class RiderOut {
 public:
  virtual ~RiderOut() = default;
  // Answered by OnReply.
  virtual void Call(const RiderCall& call) = 0;
  // Opens the stream, StreamRide or WatchRide, in place of any older one.
  virtual void Open(const hail::rider::v1::WatchRideRequest& open, bool bidirectional) = 0;
  virtual void Send(const hail::rider::v1::StreamRideRequest& message) = 0;
  // Breaks the connection; this stream delivers no more messages.
  virtual void Drop() = 0;
  // Calls OnTimer after this much domain time, or wall time.
  virtual void Wake(absl::Duration domain, RiderTimer timer, std::uint64_t token) = 0;
  virtual void WakeWall(absl::Duration wall, RiderTimer timer, std::uint64_t token) = 0;
  // Increments the report's counter of this name.
  virtual void Count(const std::string& what) = 0;
};

class RiderAgent {
 public:
  // `product_id` is the product for riders who did not get quotes, and for riders with a script. `script` decides
  // before the odds; null: only the odds do.
  RiderAgent(std::string rider_id, std::string request_id, const Trip& trip, std::string product_id, const Odds& odds,
             std::uint64_t seed, RiderOut* out, const RiderScript* script = nullptr);

  // The rider starts to want a ride.
  void Begin(const Now& now);
  void OnReply(const Now& now, const RiderCall& call, const Outcome& outcome, const RiderReply& reply);
  void OnUpdate(const Now& now, const hail::rider::v1::WatchRideResponse& message);
  void OnCommandResult(const Now& now, const hail::rider::v1::CommandResult& result, const Outcome& outcome);
  // The present stream ended by itself.
  void OnStreamEnd(const Now& now, const Outcome& outcome);
  void OnTimer(const Now& now, RiderTimer timer, std::uint64_t token);
  // The rider cancels the ride, or does not request one any more.
  void CallOff();

  const std::string& rider_id() const { return rider_id_; }
  const std::string& request_id() const { return request_id_; }
  // Empty until the request was acknowledged.
  const std::string& ride_id() const { return ride_id_; }
  // The ride as last received.
  const hail::type::v1::Ride& ride() const { return ride_; }
  // Whether RequestRide was called, or could not be called for a final reason.
  bool asked() const { return asked_; }
  // Set once Hail refused finally.
  const std::optional<Outcome>& refusal() const { return refusal_; }
  // The agent does nothing more.
  bool done() const { return done_; }
  // The time of the request (domain).
  absl::Time request_time() const { return request_time_; }
  // When a stream last delivered a message about this ride (wall).
  absl::Time last_news() const { return last_news_; }

 private:
  void Quote();
  void Request(const Now& now);
  void Acknowledged(const Now& now, const hail::type::v1::Ride& ride);
  void Refused(const Outcome& outcome);
  void Open(const Now& now);
  void Learn(const Now& now, const hail::type::v1::Ride& ride);
  void Cancel();
  void Reconnect(absl::Duration wall);

  const std::string rider_id_;
  const std::string request_id_;
  const Trip trip_;
  const Odds odds_;
  Random random_;
  RiderOut* const out_;
  const RiderScript* const script_;

  std::string product_id_;
  std::string quote_token_;
  bool asked_ = false;
  bool repeats_request_ = false;
  bool bidirectional_ = false;
  bool connected_ = false;
  bool canceling_ = false;
  bool called_off_ = false;
  bool done_ = false;
  std::optional<Outcome> refusal_;
  std::string ride_id_;
  hail::type::v1::Ride ride_;
  std::optional<std::int64_t> cursor_;
  std::optional<absl::Duration> draining_;
  absl::Time request_time_ = absl::InfinitePast();
  absl::Time last_heard_ = absl::InfinitePast();
  absl::Time last_news_ = absl::InfinitePast();
  // Separates timers of the present stream from those of earlier ones.
  std::uint64_t stream_ = 0;
  Backoff call_backoff_;
  Backoff stream_backoff_;
};

}  // namespace hail::sim
