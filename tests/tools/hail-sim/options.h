// The parameters of a run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/time/clock.h"
#include "grpcpp/security/credentials.h"
#include "tests/tools/hail-sim/odds.h"
#include "tests/tools/hail-sim/records.h"
#include "tests/tools/tokens/token_source.h"

namespace hail::sim {

struct RunOptions {
  std::string rider_address;
  std::string driver_address;
  // Of each call. Null: calls have none.
  std::shared_ptr<TokenSource> tokens;
  // Of all channels; null: plaintext.
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  TimeScale time;
  Odds odds;
  std::uint64_t seed = 1;
  // Part of this run's rider, driver and request ids, so that runs against the same services do not collide.
  std::string run_id;
  // Rides of the same rider may follow each other.
  bool reuse_riders = false;
  // The recorded time of the run's start: a trip is requested (its recorded time − trips_from) after the start.
  absl::Time trips_from;
  // Wall time without news after which unfinished rides count as lost. Time in which a driver drives a ride does not
  // count.
  absl::Duration quiet = absl::Seconds(30);
  // Wall time after which the run is cut off. Zero: never.
  absl::Duration duration;
  int channels = 8;
  bool progress = true;
};

}  // namespace hail::sim
