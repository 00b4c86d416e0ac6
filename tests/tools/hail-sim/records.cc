#include "tests/tools/hail-sim/records.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>

#include "tests/tools/hail-sim/csv.h"
#include "tests/tools/hail-sim/random.h"

namespace hail::sim {
namespace {

absl::StatusOr<LatLng> Point(const CsvReader& csv, const std::string& latitude, const std::string& longitude) {
  const absl::StatusOr<double> lat = csv.Number(latitude);
  if (!lat.ok()) return lat.status();
  const absl::StatusOr<double> lon = csv.Number(longitude);
  if (!lon.ok()) return lon.status();
  return LatLng{*lat, *lon};
}

absl::StatusOr<absl::Time> Instant(const CsvReader& csv, const std::string& column) {
  const absl::StatusOr<double> seconds = csv.Number(column);
  if (!seconds.ok()) return seconds.status();
  return absl::UnixEpoch() + absl::Seconds(*seconds);
}

bool WholeMinute(const Trip& trip) { return absl::ToUnixSeconds(trip.request_time) % 60 == 0; }

}  // namespace

absl::StatusOr<std::vector<Trip>> ReadTrips(const std::string& path, const Window& window, std::uint64_t seed) {
  absl::StatusOr<CsvReader> csv = CsvReader::Open(path, {"trip_id", "request_time_utc", "pickup_lat", "pickup_lon",
                                                         "dropoff_lat", "dropoff_lon", "passengers", "duration_s"});
  if (!csv.ok()) return csv.status();
  std::vector<Trip> trips;
  while (true) {
    const absl::StatusOr<bool> more = csv->Next();
    if (!more.ok()) return more.status();
    if (!*more) break;
    const absl::StatusOr<absl::Time> time = Instant(*csv, "request_time_utc");
    if (!time.ok()) return time.status();
    if (!window.Contains(*time)) continue;
    const absl::StatusOr<LatLng> pickup = Point(*csv, "pickup_lat", "pickup_lon");
    if (!pickup.ok()) return pickup.status();
    const absl::StatusOr<LatLng> dropoff = Point(*csv, "dropoff_lat", "dropoff_lon");
    if (!dropoff.ok()) return dropoff.status();
    Trip trip{csv->Text("trip_id"), *time, *pickup, *dropoff};
    if (!csv->Text("duration_s").empty()) {
      const absl::StatusOr<double> seconds = csv->Number("duration_s");
      if (!seconds.ok()) return seconds.status();
      trip.duration = absl::Seconds(*seconds);
    }
    if (!csv->Text("passengers").empty()) {
      const absl::StatusOr<double> passengers = csv->Number("passengers");
      if (!passengers.ok()) return passengers.status();
      trip.seats = std::max(1, static_cast<int>(*passengers));
    }
    trips.push_back(std::move(trip));
  }
  if (!trips.empty() && std::all_of(trips.begin(), trips.end(), WholeMinute)) {
    for (Trip& trip : trips) trip.request_time += absl::Seconds(Random(seed, trip.trip_id).Between(0, 60));
  }
  std::stable_sort(trips.begin(), trips.end(),
                   [](const Trip& a, const Trip& b) { return a.request_time < b.request_time; });
  return trips;
}

absl::StatusOr<std::vector<Start>> ReadStarts(const std::string& path, const Window& window) {
  absl::StatusOr<CsvReader> csv = CsvReader::Open(path, {"time_utc", "taxi_id", "lat", "lon"});
  if (!csv.ok()) return csv.status();
  std::vector<Start> starts;
  std::set<std::string> known;
  while (true) {
    const absl::StatusOr<bool> more = csv->Next();
    if (!more.ok()) return more.status();
    if (!*more) break;
    const absl::StatusOr<absl::Time> time = Instant(*csv, "time_utc");
    if (!time.ok()) return time.status();
    if (*time >= window.to) break;
    if (*time < window.from || known.contains(csv->Text("taxi_id"))) continue;
    const absl::StatusOr<LatLng> position = Point(*csv, "lat", "lon");
    if (!position.ok()) return position.status();
    known.insert(csv->Text("taxi_id"));
    starts.push_back({csv->Text("taxi_id"), *position});
  }
  return starts;
}

absl::StatusOr<std::vector<Reject>> ReadRejects(const std::string& path) {
  absl::StatusOr<CsvReader> csv =
      CsvReader::Open(path, {"why", "pickup_lat", "pickup_lon", "dropoff_lat", "dropoff_lon"});
  if (!csv.ok()) return csv.status();
  std::vector<Reject> rejects;
  while (true) {
    const absl::StatusOr<bool> more = csv->Next();
    if (!more.ok()) return more.status();
    if (!*more) break;
    const absl::StatusOr<LatLng> pickup = Point(*csv, "pickup_lat", "pickup_lon");
    if (!pickup.ok()) return pickup.status();
    const absl::StatusOr<LatLng> dropoff = Point(*csv, "dropoff_lat", "dropoff_lon");
    if (!dropoff.ok()) return dropoff.status();
    rejects.push_back({csv->Text("why"), *pickup, *dropoff});
  }
  return rejects;
}

}  // namespace hail::sim
