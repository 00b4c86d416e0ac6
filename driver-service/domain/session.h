// The owner of a driver's session: the replica that has it, and the stream of the driver's app that opened it.
#pragma once

#include <cstdint>
#include <string>

namespace hail::driver {

// Identifies a session of an app, to distinguish a newer stream from a late one.
struct Opening {
  // This run of the app. Empty: unknown.
  std::string incarnation_id;
  // Rising within the run. 0: unknown.
  std::int64_t number = 0;
  // Whether the app can send on the stream. If not, only its unary calls show that it is there.
  bool sends = true;
};

// A session, as of its claim.
struct SessionClaim {
  std::string driver_id;
  // Rises with each claim of this driver's session by any replica. 0: it was never claimed.
  std::int64_t epoch = 0;
  // The incarnation of the process that claimed it. Empty: no owner.
  std::string replica;
  // Whether a stream of the app claimed it, not only a unary call.
  bool by_stream = false;

  friend bool operator==(const SessionClaim&, const SessionClaim&) = default;
};

}  // namespace hail::driver
