#include "tests/tools/hail-sim/records.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>

#include "common/csv/csv.h"
#include "common/errors/status_macros.h"
#include "tests/tools/hail-sim/random.h"

namespace hail::sim {
namespace {

absl::StatusOr<LatLng> Point(const CsvReader& csv, std::size_t latitude, std::size_t longitude) {
  HAIL_ASSIGN_OR_RETURN(const double lat, csv.Number(latitude));
  HAIL_ASSIGN_OR_RETURN(const double lon, csv.Number(longitude));
  return LatLng{lat, lon};
}

absl::StatusOr<absl::Time> Instant(const CsvReader& csv, std::size_t column) {
  HAIL_ASSIGN_OR_RETURN(const double seconds, csv.Number(column));
  return absl::UnixEpoch() + absl::Seconds(seconds);
}

bool WholeMinute(const Trip& trip) { return absl::ToUnixSeconds(trip.request_time) % 60 == 0; }

}  // namespace

absl::StatusOr<std::vector<Trip>> ReadTrips(const std::string& path, const Window& window, std::uint64_t seed) {
  enum { kId, kTime, kPickupLat, kPickupLon, kDropoffLat, kDropoffLon, kPassengers, kDuration };
  HAIL_ASSIGN_OR_RETURN(CsvReader csv,
                        CsvReader::Open(path, {"trip_id", "request_time_utc", "pickup_lat", "pickup_lon", "dropoff_lat",
                                               "dropoff_lon", "passengers", "duration_s"}));
  std::vector<Trip> trips;
  while (true) {
    HAIL_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) break;
    HAIL_ASSIGN_OR_RETURN(const absl::Time time, Instant(csv, kTime));
    if (!window.Contains(time)) continue;
    HAIL_ASSIGN_OR_RETURN(const LatLng pickup, Point(csv, kPickupLat, kPickupLon));
    HAIL_ASSIGN_OR_RETURN(const LatLng dropoff, Point(csv, kDropoffLat, kDropoffLon));
    Trip trip{csv.Text(kId), time, pickup, dropoff};
    if (!csv.Text(kDuration).empty()) {
      HAIL_ASSIGN_OR_RETURN(const double seconds, csv.Number(kDuration));
      trip.duration = absl::Seconds(seconds);
    }
    if (!csv.Text(kPassengers).empty()) {
      HAIL_ASSIGN_OR_RETURN(const double passengers, csv.Number(kPassengers));
      // Within the range of an int, for any value in the table.
      trip.seats = static_cast<int>(std::clamp(passengers, 1.0, 1000.0));
    }
    trips.push_back(std::move(trip));
  }
  // Not all of them: some of New York's meters recorded seconds.
  const auto rounded = static_cast<std::size_t>(std::count_if(trips.begin(), trips.end(), WholeMinute));
  if (10 * rounded >= 9 * trips.size()) {
    for (Trip& trip : trips) {
      if (WholeMinute(trip)) trip.request_time += absl::Seconds(Random(seed, trip.trip_id).Between(0, 60));
    }
  }
  std::stable_sort(trips.begin(), trips.end(),
                   [](const Trip& a, const Trip& b) { return a.request_time < b.request_time; });
  return trips;
}

absl::StatusOr<std::vector<Start>> ReadStarts(const std::string& path, const Window& window) {
  enum { kTime, kTaxi, kLat, kLon };
  HAIL_ASSIGN_OR_RETURN(CsvReader csv, CsvReader::Open(path, {"time_utc", "taxi_id", "lat", "lon"}));
  std::vector<Start> starts;
  std::set<std::string> known;
  while (true) {
    HAIL_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) break;
    HAIL_ASSIGN_OR_RETURN(const absl::Time time, Instant(csv, kTime));
    if (time >= window.to) break;
    if (time < window.from || known.contains(csv.Text(kTaxi))) continue;
    HAIL_ASSIGN_OR_RETURN(const LatLng position, Point(csv, kLat, kLon));
    known.insert(csv.Text(kTaxi));
    starts.push_back({csv.Text(kTaxi), position});
  }
  return starts;
}

absl::StatusOr<std::vector<Reject>> ReadRejects(const std::string& path) {
  enum { kWhy, kPickupLat, kPickupLon, kDropoffLat, kDropoffLon };
  HAIL_ASSIGN_OR_RETURN(CsvReader csv,
                        CsvReader::Open(path, {"why", "pickup_lat", "pickup_lon", "dropoff_lat", "dropoff_lon"}));
  std::vector<Reject> rejects;
  while (true) {
    HAIL_ASSIGN_OR_RETURN(const bool more, csv.Next());
    if (!more) break;
    HAIL_ASSIGN_OR_RETURN(const LatLng pickup, Point(csv, kPickupLat, kPickupLon));
    HAIL_ASSIGN_OR_RETURN(const LatLng dropoff, Point(csv, kDropoffLat, kDropoffLon));
    rejects.push_back({csv.Text(kWhy), pickup, dropoff});
  }
  return rejects;
}

}  // namespace hail::sim
