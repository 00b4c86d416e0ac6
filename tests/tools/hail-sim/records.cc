#include "tests/tools/hail-sim/records.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>

#include "common/csv/csv.h"
#include "tests/tools/hail-sim/random.h"

namespace hail::sim {
namespace {

absl::StatusOr<LatLng> Point(const CsvReader& csv, std::size_t latitude, std::size_t longitude) {
  const absl::StatusOr<double> lat = csv.Number(latitude);
  if (!lat.ok()) return lat.status();
  const absl::StatusOr<double> lon = csv.Number(longitude);
  if (!lon.ok()) return lon.status();
  return LatLng{*lat, *lon};
}

absl::StatusOr<absl::Time> Instant(const CsvReader& csv, std::size_t column) {
  const absl::StatusOr<double> seconds = csv.Number(column);
  if (!seconds.ok()) return seconds.status();
  return absl::UnixEpoch() + absl::Seconds(*seconds);
}

bool WholeMinute(const Trip& trip) { return absl::ToUnixSeconds(trip.request_time) % 60 == 0; }

}  // namespace

absl::StatusOr<std::vector<Trip>> ReadTrips(const std::string& path, const Window& window, std::uint64_t seed) {
  enum { kId, kTime, kPickupLat, kPickupLon, kDropoffLat, kDropoffLon, kPassengers, kDuration };
  absl::StatusOr<CsvReader> csv = CsvReader::Open(path, {"trip_id", "request_time_utc", "pickup_lat", "pickup_lon",
                                                         "dropoff_lat", "dropoff_lon", "passengers", "duration_s"});
  if (!csv.ok()) return csv.status();
  std::vector<Trip> trips;
  while (true) {
    const absl::StatusOr<bool> more = csv->Next();
    if (!more.ok()) return more.status();
    if (!*more) break;
    const absl::StatusOr<absl::Time> time = Instant(*csv, kTime);
    if (!time.ok()) return time.status();
    if (!window.Contains(*time)) continue;
    const absl::StatusOr<LatLng> pickup = Point(*csv, kPickupLat, kPickupLon);
    if (!pickup.ok()) return pickup.status();
    const absl::StatusOr<LatLng> dropoff = Point(*csv, kDropoffLat, kDropoffLon);
    if (!dropoff.ok()) return dropoff.status();
    Trip trip{csv->Text(kId), *time, *pickup, *dropoff};
    if (!csv->Text(kDuration).empty()) {
      const absl::StatusOr<double> seconds = csv->Number(kDuration);
      if (!seconds.ok()) return seconds.status();
      trip.duration = absl::Seconds(*seconds);
    }
    if (!csv->Text(kPassengers).empty()) {
      const absl::StatusOr<double> passengers = csv->Number(kPassengers);
      if (!passengers.ok()) return passengers.status();
      // Within what an int holds, whatever the table says.
      trip.seats = static_cast<int>(std::clamp(*passengers, 1.0, 1000.0));
    }
    trips.push_back(std::move(trip));
  }
  // Not all of them: some of New York's meters knew the second.
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
  absl::StatusOr<CsvReader> csv = CsvReader::Open(path, {"time_utc", "taxi_id", "lat", "lon"});
  if (!csv.ok()) return csv.status();
  std::vector<Start> starts;
  std::set<std::string> known;
  while (true) {
    const absl::StatusOr<bool> more = csv->Next();
    if (!more.ok()) return more.status();
    if (!*more) break;
    const absl::StatusOr<absl::Time> time = Instant(*csv, kTime);
    if (!time.ok()) return time.status();
    if (*time >= window.to) break;
    if (*time < window.from || known.contains(csv->Text(kTaxi))) continue;
    const absl::StatusOr<LatLng> position = Point(*csv, kLat, kLon);
    if (!position.ok()) return position.status();
    known.insert(csv->Text(kTaxi));
    starts.push_back({csv->Text(kTaxi), *position});
  }
  return starts;
}

absl::StatusOr<std::vector<Reject>> ReadRejects(const std::string& path) {
  enum { kWhy, kPickupLat, kPickupLon, kDropoffLat, kDropoffLon };
  absl::StatusOr<CsvReader> csv =
      CsvReader::Open(path, {"why", "pickup_lat", "pickup_lon", "dropoff_lat", "dropoff_lon"});
  if (!csv.ok()) return csv.status();
  std::vector<Reject> rejects;
  while (true) {
    const absl::StatusOr<bool> more = csv->Next();
    if (!more.ok()) return more.status();
    if (!*more) break;
    const absl::StatusOr<LatLng> pickup = Point(*csv, kPickupLat, kPickupLon);
    if (!pickup.ok()) return pickup.status();
    const absl::StatusOr<LatLng> dropoff = Point(*csv, kDropoffLat, kDropoffLon);
    if (!dropoff.ok()) return dropoff.status();
    rejects.push_back({csv->Text(kWhy), *pickup, *dropoff});
  }
  return rejects;
}

}  // namespace hail::sim
