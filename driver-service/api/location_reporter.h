// Sends the positions of drivers on a trip to rider-service, for their riders.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/time/time.h"
#include "common/exec/executor.h"
#include "common/time/clock.h"
#include "driver-service/api/rider_calls.h"
#include "driver-service/api/trip_positions.h"

namespace hail::driver {

// Everything except Start and Stop runs on `loop`.
class LocationReporter final {
 public:
  // All must outlive this; the handlers of rider's streams run on `loop`.
  LocationReporter(const Clock& clock, Executor& loop, TripPositions& trips, RiderCalls& rider);

  // Opens the stream.
  void Start();
  // Ends the stream. Must be called before the loop is stopped; idempotent.
  void Stop();

 private:
  // Sends now, or once the minimum interval since the last message has passed.
  void SendSoon();
  void Send();

  const Clock& clock_;
  Executor& loop_;
  TripPositions& trips_;
  // Used on the loop only: the present link.
  std::uint64_t link_ = 0;
  // Wall time of the last Send.
  absl::Time sent_ = absl::InfinitePast();
  const std::unique_ptr<RiderCalls::Locations> stream_;
};

}  // namespace hail::driver
