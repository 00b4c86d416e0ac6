// A city full of drivers for benchmarks: San Francisco with its hot spots. The same seed gives the same city with every
// standard library, because our own arithmetic draws the numbers.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "common/geo/lat_lng.h"
#include "driver-service/domain/location_index.h"

namespace hail::bench {

class City {
 public:
  static constexpr char kRegion[] = "sf";
  static constexpr char kProduct[] = "xl";

  explicit City(std::uint64_t seed) : random_(seed) {}

  std::uint64_t Below(std::uint64_t end) { return random_() % end; }

  // A number from 0 up to, not including, 1.
  double Unit() { return static_cast<double>(random_() >> 11) * 0x1p-53; }

  // A place where people are: 60 % around a hot spot, the others anywhere in a square of 12 km.
  LatLng Place() {
    if (Unit() < 0.6) {
      const HotSpot& spot = kHotSpots[Below(kHotSpots.size())];
      // Distances of a normal distribution in two dimensions (Box and Muller).
      return Toward(spot.center, 360 * Unit(), spot.spread_m * std::sqrt(-2 * std::log(1 - Unit())));
    }
    return Toward(Toward(kCenter, 90, 12'000 * (Unit() - 0.5)), 0, 12'000 * (Unit() - 0.5));
  }

  // 10 to 50 m further, where a car is a few seconds later.
  LatLng Drive(const LatLng& from) { return Toward(from, 360 * Unit(), 10 + 40 * Unit()); }

  static std::string DriverId(std::size_t number) { return absl::StrFormat("driver-%07d", number); }

  // The cars of drivers: all of one region, half of them with kProduct.
  static std::shared_ptr<const driver::CarProfile> Car(std::size_t number) {
    switch (number % 4) {
      case 0:
        return std::make_shared<driver::CarProfile>(driver::CarProfile{kRegion, {"economy", kProduct}, 6});
      case 1:
        return std::make_shared<driver::CarProfile>(driver::CarProfile{kRegion, {"economy", "comfort", kProduct}, 6});
      case 2:
        return std::make_shared<driver::CarProfile>(driver::CarProfile{kRegion, {"economy"}, 4});
      default:
        return std::make_shared<driver::CarProfile>(driver::CarProfile{kRegion, {"economy", "comfort"}, 4});
    }
  }

 private:
  struct HotSpot {
    LatLng center;
    double spread_m;
  };

  static constexpr LatLng kCenter{37.7600, -122.4400};
  static constexpr std::array<HotSpot, 8> kHotSpots{{
      {{37.7936, -122.3965}, 500},   // Ferry Building
      {{37.7880, -122.4075}, 400},   // Union Square
      {{37.7765, -122.3947}, 300},   // Caltrain
      {{37.7599, -122.4190}, 600},   // Mission
      {{37.7609, -122.4350}, 300},   // Castro
      {{37.8080, -122.4177}, 400},   // Fisherman's Wharf
      {{37.7694, -122.4862}, 1000},  // Golden Gate Park
      {{37.6152, -122.3899}, 400},   // the airport
  }};

  std::mt19937_64 random_;
};

}  // namespace hail::bench
