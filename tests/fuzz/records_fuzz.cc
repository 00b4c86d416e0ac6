// hail-sim's tables: recorded trips, starts and rejects, plain or gzip, and instants.
#include <cmath>

#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/memory_file.h"
#include "tests/tools/hail-sim/instant.h"
#include "tests/tools/hail-sim/records.h"

namespace hail::fuzz {
namespace {

bool Finite(const LatLng& point) { return std::isfinite(point.latitude_deg) && std::isfinite(point.longitude_deg); }

void Read(Input& input) {
  const int kind = input.Below(4);
  if (kind == 3) {
    const auto time = sim::ParseInstant(input.Rest());
    if (time.ok()) Require(*time >= absl::InfinitePast(), "an instant is a time");
    return;
  }
  const MemoryFile file(input.Rest());
  if (kind == 0) {
    const auto trips = sim::ReadTrips(file.path(), {}, 1);
    if (!trips.ok()) return;
    absl::Time before = absl::InfinitePast();
    for (const sim::Trip& trip : *trips) {
      Require(trip.seats >= 1 && Finite(trip.pickup) && Finite(trip.dropoff), "a trip can be asked for");
      Require(trip.request_time >= before, "trips are in order");
      before = trip.request_time;
    }
  } else if (kind == 1) {
    const auto starts = sim::ReadStarts(file.path(), {});
    if (!starts.ok()) return;
    for (const sim::Start& start : *starts) Require(Finite(start.position), "a taxi is somewhere");
  } else {
    const auto rejects = sim::ReadRejects(file.path());
    if (!rejects.ok()) return;
    for (const sim::Reject& reject : *rejects) Require(Finite(reject.pickup), "a reject has its numbers");
  }
}

}  // namespace
}  // namespace hail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hail::fuzz::Input input(data, size);
  hail::fuzz::Read(input);
  return 0;
}
