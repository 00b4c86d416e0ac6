// Whose a driver's session is: which stream of the driver's app opened it, which replica has it.
#pragma once

#include <cstdint>
#include <string>

namespace hail::driver {

// Which of an app's sessions a stream opens: tells a newer one from one that came late.
struct Opening {
  // This run of the app. Empty: unknown.
  std::string incarnation_id;
  // Rising within the run. 0: unknown.
  std::int64_t number = 0;
};

// A session as its claim made it.
struct SessionClaim {
  std::string driver_id;
  // Rises with each claim of this driver's session, whichever replica makes it. 0: it was never claimed.
  std::int64_t epoch = 0;
  // The process that claimed it, by its incarnation. Empty: nobody.
  std::string replica;
  // By a stream that the app opened there, not only by a unary call.
  bool by_stream = false;

  friend bool operator==(const SessionClaim&, const SessionClaim&) = default;
};

}  // namespace hail::driver
