#include "tests/tools/hail-sim/city.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "tests/tools/hail-sim/motion.h"
#include "tests/tools/hail-sim/random.h"

namespace hail::sim {

namespace {

// A place where many trips start and end.
struct HotSpot {
  LatLng center;
  double weight;
};

// The distance of people from a hot spot's centre: standard deviation of a normal distribution, in metres, for each
// axis.
constexpr double kSpotSigmaM = 400;
// The minimum distance of a trip.
constexpr double kShortestTripM = 300;
// The maximum time for most rides from the request until the rider is in the car: match, way to the pickup, boarding.
constexpr absl::Duration kBeforeTrip = absl::Seconds(330);
constexpr int kDraws = 200;

}  // namespace

struct City {
  const char* name;
  std::vector<HotSpot> spots;
  // A trip's straight line in metres is log-normal with this median and sigma.
  double trip_median_m;
  double trip_sigma;
  // The share of a day's trips in each hour of local time, in percent.
  std::array<double, 24> demand;
  // Local time − UTC in the season of the data.
  absl::Duration utc_offset;
};

namespace {

// San Francisco. All figures are counted from the 18,376 taxi trips of Thursday 2008-05-22 in CRAWDAD epfl/mobility
// (Piorkowski, Sarafijanovic-Djukic, Grossglauser, COMSNETS 2009):
//   spots    the 18 busiest cells of 0.01 degrees by pickups, weight = pickups; the airport (595) among them
//   length   straight line p25 1.39 km, p50 2.34 km, p75 4.03 km: log-normal with that median, sigma =
//   ln(p75/p25)/1.349 demand   pickups by hour
// They agree with what the city's transport authority found for ride-hailing in 2016 (SFCTA, "TNCs Today", 2017): trips
// concentrated in the downtown and north-eastern core.
const City& SanFrancisco() {
  static const City city = {"san_francisco",
                            {{{37.790, -122.400}, 2799},
                             {{37.790, -122.410}, 2094},
                             {{37.790, -122.420}, 1034},
                             {{37.780, -122.410}, 720},
                             {{37.800, -122.410}, 655},
                             {{37.780, -122.400}, 645},
                             {{37.616, -122.387}, 595},
                             {{37.798, -122.400}, 539},
                             {{37.800, -122.437}, 531},
                             {{37.780, -122.420}, 524},
                             {{37.760, -122.420}, 520},
                             {{37.790, -122.430}, 500},
                             {{37.800, -122.420}, 491},
                             {{37.770, -122.430}, 374},
                             {{37.770, -122.420}, 332},
                             {{37.770, -122.450}, 259},
                             {{37.760, -122.430}, 249},
                             {{37.750, -122.420}, 243}},
                            2'338,
                            0.787,
                            {3.82, 2.87, 1.86, 0.73, 0.91, 1.46, 2.18, 3.33, 4.88, 4.69, 4.05, 4.36,
                             4.02, 4.49, 4.01, 3.66, 3.74, 4.60, 5.86, 6.60, 6.61, 7.33, 7.36, 6.59},
                            -absl::Hours(7)};
  return city;
}

// New York.
//   spots    the 14 busiest cells of 0.01 degrees by pickups among the 9,451 yellow-taxi trips of 2013-01-01
//   00:00–00:56
//            in the TLC's trip records (released under freedom-of-information law; by way of the ACM DEBS 2015
//            challenge). New Year's night, but the places are the usual ones: 94 % of pickups are in Manhattan or at an
//            airport (TLC, "2014 Taxicab Fact Book"), which adds the two airports here.
//   length   the same trips: straight line p25 1.23 km, p50 2.22 km, p75 3.92 km
//   demand   peak between 18:00 and 20:00 (TLC Factbook 2016), least from 5:00 to 6:00, at about a seventh of the peak
//            (mean counts 4,271 to 28,916, of the TLC's records); the hours between follow those anchors smoothly and
//            are not counted
const City& NewYork() {
  static const City city = {"new_york",
                            {{{40.760, -73.970}, 527},
                             {{40.740, -73.990}, 523},
                             {{40.750, -73.980}, 497},
                             {{40.730, -73.990}, 468},
                             {{40.740, -73.980}, 404},
                             {{40.730, -74.000}, 356},
                             {{40.740, -74.000}, 348},
                             {{40.720, -73.990}, 341},
                             {{40.770, -73.960}, 335},
                             {{40.750, -73.990}, 322},
                             {{40.780, -73.955}, 310},
                             {{40.760, -73.980}, 260},
                             {{40.780, -73.980}, 235},
                             {{40.730, -73.980}, 217},
                             {{40.773, -73.872}, 160},
                             {{40.645, -73.785}, 160}},
                            2'219,
                            0.858,
                            {4.0, 2.9, 2.1, 1.5, 1.1, 0.9, 2.0, 3.6, 4.6, 4.7, 4.5, 4.6,
                             4.9, 4.9, 5.1, 4.9, 4.2, 5.0, 6.1, 6.3, 5.9, 5.8, 5.6, 4.8},
                            -absl::Hours(4)};
  return city;
}

LatLng Near(const LatLng& center, double sigma_m, Random& random) {
  return Toward(center, random.Between(0, 360), std::abs(random.Normal()) * sigma_m);
}

const HotSpot& Spot(const City& city, Random& random) {
  double total = 0;
  for (const HotSpot& spot : city.spots) total += spot.weight;
  double rest = random.Between(0, total);
  for (const HotSpot& spot : city.spots) {
    rest -= spot.weight;
    if (rest < 0) return spot;
  }
  return city.spots.back();
}

double Demand(const City& city, absl::Time time) {
  const std::int64_t hour = absl::ToInt64Hours(time + city.utc_offset - absl::UnixEpoch()) % 24;
  return city.demand[static_cast<std::size_t>((hour + 24) % 24)];
}

// A trip with a length near a draw from the city's distribution: the best of a few places.
Trip DrawTrip(const City& city, Random& random) {
  Trip trip;
  trip.pickup = Near(Spot(city, random).center, kSpotSigmaM, random);
  const double wanted = random.LogNormal(city.trip_median_m, city.trip_sigma);
  double best = -1;
  for (int i = 0; i < 8; ++i) {
    const LatLng place = Near(Spot(city, random).center, kSpotSigmaM, random);
    const double length = DistanceM(trip.pickup, place);
    if (length < kShortestTripM) continue;
    const double off = std::abs(std::log(length / wanted));
    if (best < 0 || off < best) {
      best = off;
      trip.dropoff = place;
    }
  }
  if (best < 0) trip.dropoff = Toward(trip.pickup, random.Between(0, 360), 2 * kShortestTripM);
  return trip;
}

}  // namespace

absl::StatusOr<const City*> FindCity(const std::string& name) {
  for (const City* city : {&SanFrancisco(), &NewYork()}) {
    if (name == city->name) return city;
  }
  return absl::InvalidArgumentError(absl::StrCat("no city '", name, "': there are san_francisco and new_york"));
}

std::vector<Trip> DrawTrips(const City& city, std::uint64_t seed, absl::Time start, absl::Duration length, int rides) {
  Random random(seed, city.name);
  const double most = *std::max_element(city.demand.begin(), city.demand.end());
  // The last time at which the shortest trip can be requested.
  const absl::Duration last = std::max(length - kBeforeTrip - DriveTime(kShortestTripM), absl::Seconds(1));
  std::vector<Trip> trips;
  for (int i = 0; i < rides; ++i) {
    Trip trip;
    for (int draw = 0; draw < kDraws; ++draw) {
      const absl::Time time = start + last * random.Unit();
      if (!random.Chance(Demand(city, time) / most)) continue;
      trip = DrawTrip(city, random);
      trip.request_time = time;
      trip.duration = DriveTime(DistanceM(trip.pickup, trip.dropoff)) * random.Between(0.85, 1.15);
      if (time + kBeforeTrip + *trip.duration <= start + length) break;
    }
    trip.trip_id = absl::StrCat("trip-", i);
    trips.push_back(trip);
  }
  std::stable_sort(trips.begin(), trips.end(),
                   [](const Trip& a, const Trip& b) { return a.request_time < b.request_time; });
  return trips;
}

std::vector<Start> DrawStarts(const City& city, std::uint64_t seed, int drivers) {
  Random random(seed, "starts");
  std::vector<Start> starts;
  for (int i = 0; i < drivers; ++i) {
    starts.push_back({absl::StrCat("cab-", i), Near(Spot(city, random).center, 3 * kSpotSigmaM, random)});
  }
  return starts;
}

std::vector<Start> DrawStarts(const std::vector<Trip>& trips, std::uint64_t seed, int drivers) {
  Random random(seed, "starts");
  std::vector<Start> starts;
  for (int i = 0; i < drivers && !trips.empty(); ++i) {
    starts.push_back({absl::StrCat("cab-", i), Near(trips[random.Index(trips.size())].pickup, kSpotSigmaM, random)});
  }
  return starts;
}

}  // namespace hail::sim
