// How well strangers can locate a driver.
#include "driver-service/domain/seen_cars.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <optional>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hail::driver {
namespace {

constexpr LatLng kCity{37.7793, -122.4193};
const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
constexpr double kNearestM = 100;
// The limit for all attacks on one car together.
constexpr int kCalls = 10'000;

// One call's answer about the only car.
struct Answer {
  LatLng place;
  absl::Duration eta;
};
using Ask = std::function<std::optional<Answer>(const LatLng& from, double radius_m)>;

// East and north of `origin`, metres.
struct Flat {
  double x = 0;
  double y = 0;
};
Flat FlatOf(const LatLng& origin, const LatLng& point) {
  const double north = DistanceM(origin, {point.latitude_deg, origin.longitude_deg});
  const double east = DistanceM(point, {point.latitude_deg, origin.longitude_deg});
  return {point.longitude_deg < origin.longitude_deg ? -east : east,
          point.latitude_deg < origin.latitude_deg ? -north : north};
}
LatLng At(const LatLng& origin, const Flat& at) { return Toward(Toward(origin, 0, at.y), 90, at.x); }

// Where circles around known places meet, by least squares (Gauss-Newton).
LatLng Trilaterated(const std::vector<std::pair<LatLng, double>>& circles, const LatLng& start) {
  std::vector<std::pair<Flat, double>> flat;
  for (const auto& [from, distance_m] : circles) flat.emplace_back(FlatOf(start, from), distance_m);
  Flat guess;
  for (int round = 0; round < 30; ++round) {
    double xx = 1e-9, xy = 0, yy = 1e-9, x = 0, y = 0;
    for (const auto& [from, distance_m] : flat) {
      const double dx = guess.x - from.x, dy = guess.y - from.y;
      const double length = std::max(1e-6, std::hypot(dx, dy));
      const double ux = dx / length, uy = dy / length, off = distance_m - length;
      xx += ux * ux, xy += ux * uy, yy += uy * uy, x += ux * off, y += uy * off;
    }
    const double det = xx * yy - xy * xy;
    guess.x += (yy * x - xy * y) / det;
    guess.y += (xx * y - xy * x) / det;
  }
  return At(start, guess);
}

LatLng Mean(const std::vector<LatLng>& places) {
  LatLng sum;
  for (const LatLng& place : places) {
    sum.latitude_deg += place.latitude_deg / static_cast<double>(places.size());
    sum.longitude_deg += place.longitude_deg / static_cast<double>(places.size());
  }
  return sum;
}

// The edge between `low` (no) and `high` (yes), by bisection.
double EdgeOf(double low, double high, const std::function<bool(double)>& yes) {
  for (int halvings = 0; halvings < 30; ++halvings) {
    const double middle = (low + high) / 2;
    (yes(middle) ? high : low) = middle;
  }
  return high;
}

// All known ways to locate a car, each as good as possible. `calls` counts the calls.
std::vector<std::pair<std::string, LatLng>> Estimates(const Ask& ask_once, const LatLng& about, std::mt19937& random,
                                                      int* calls) {
  const Ask ask = [&](const LatLng& from, double radius_m) {
    ++*calls;
    return ask_once(from, radius_m);
  };
  const StraightLine model;
  const auto distance_of = [&](absl::Duration eta, const LatLng& from) {
    return absl::ToDoubleSeconds(eta) * model.speed_mps[static_cast<std::size_t>(LocalHour(from, kNow))] /
           model.circuity;
  };
  std::uniform_real_distribution<double> bearing(0, 360), away(50, 1500);
  std::vector<std::pair<std::string, LatLng>> estimates;

  std::vector<LatLng> places;
  std::vector<std::pair<LatLng, double>> by_eta, by_eta_less_half_a_step;
  for (int i = 0; i < 3000; ++i) {
    const LatLng from = Toward(about, bearing(random), away(random));
    const auto answer = ask(from, 5000);
    if (!answer) continue;
    places.push_back(answer->place);
    by_eta.emplace_back(from, distance_of(answer->eta, from));
    by_eta_less_half_a_step.emplace_back(from, distance_of(answer->eta - absl::Seconds(7.5), from));
  }
  estimates.emplace_back("mean of the places shown", Mean(places));
  estimates.emplace_back("trilateration by ETA", Trilaterated(by_eta, about));
  estimates.emplace_back("trilateration by ETA, steps evened out", Trilaterated(by_eta_less_half_a_step, about));

  std::vector<std::pair<LatLng, double>> by_radius, by_step;
  for (int i = 0; i < 80; ++i) {
    const LatLng from = Toward(about, bearing(random), 1000);
    by_radius.emplace_back(from, EdgeOf(1, 5000, [&](double radius_m) { return ask(from, radius_m).has_value(); }));
  }
  estimates.emplace_back("walking along the radius", Trilaterated(by_radius, about));
  for (int i = 0; i < 80; ++i) {
    const double direction = bearing(random);
    const auto from_at = [&](double metres) { return Toward(about, direction, metres); };
    const auto first = ask(from_at(1200), 5000);
    if (!first) continue;
    const double edge_m = EdgeOf(1200, 2000, [&](double metres) {
      const auto answer = ask(from_at(metres), 5000);
      return answer && answer->eta > first->eta;
    });
    // At that distance the travel time is exactly the step of the ETA.
    by_step.emplace_back(from_at(edge_m), distance_of(first->eta, from_at(edge_m)));
  }
  estimates.emplace_back("walking along the steps of the ETA", Trilaterated(by_step, about));
  return estimates;
}

class SeenCarsTest : public testing::Test {
 protected:
  void Put(const std::string& id, const LatLng& point, absl::Time observed = kNow) {
    index_.SetCar(id, std::make_shared<const CarProfile>(CarProfile{"sf", {"economy"}, 4}));
    index_.Update(id, {.point = point, .position_seq = ++seq_, .observed = observed, .heading_deg = heading_});
    index_.SetOnMap(id, true);
  }
  std::vector<SeenCar> Seen(const LatLng& from, double radius_m, std::size_t limit = 10, absl::Time now = kNow) const {
    return CarsSeen(search_, travel_times_, now, {from, "sf", "", 0}, radius_m, limit);
  }

  LocationIndex index_;
  CarSearch search_{index_, absl::Seconds(30), 12'000};
  StraightLineTravelTimes travel_times_;
  std::uint64_t seq_ = 0;
  std::optional<float> heading_;
};

// One car each, so that they run side by side: under the thread sanitizer the calls take seconds.
class OneCarTest : public SeenCarsTest, public testing::WithParamInterface<unsigned> {};

TEST_P(OneCarTest, NoEstimatorOfTenThousandCallsGetsNearerThan100M) {
  std::mt19937 random(GetParam());
  std::uniform_real_distribution<double> bearing(0, 360), away(0, 6000);
  const LatLng car = Toward(kCity, bearing(random), away(random));
  Put("driver", car);
  int calls = 0;
  const Ask ask = [&](const LatLng& from, double radius_m) -> std::optional<Answer> {
    const auto seen = Seen(from, radius_m);
    if (seen.empty()) return std::nullopt;
    return Answer{seen[0].place, seen[0].eta};
  };
  for (const auto& [how, estimate] : Estimates(ask, car, random, &calls)) {
    EXPECT_GT(DistanceM(estimate, car), kNearestM) << how;
    EXPECT_LT(DistanceM(estimate, car), 400) << how << ": the estimator itself is bad";
  }
  EXPECT_LE(calls, kCalls);
}

INSTANTIATE_TEST_SUITE_P(Cars, OneCarTest, testing::Range(1u, 13u));

// The answers of an earlier version: the place to four decimals, and the time from the car's real place.
TEST_F(SeenCarsTest, TheSameEstimatorsFindACarThatIsShownAsItIs) {
  std::mt19937 random(2);
  const LatLng car = Toward(kCity, 77, 1234);
  const auto rounded = [](double degrees) { return std::round(degrees * 1e4) / 1e4; };
  int calls = 0;
  const Ask ask = [&](const LatLng& from, double radius_m) -> std::optional<Answer> {
    if (DistanceM(from, car) > radius_m) return std::nullopt;
    return Answer{{rounded(car.latitude_deg), rounded(car.longitude_deg)},
                  StraightLine().Estimate(car, from, kNow).time};
  };
  const auto estimates = Estimates(ask, Toward(car, 10, 50), random, &calls);
  EXPECT_LT(DistanceM(estimates[0].second, car), 10) << estimates[0].first;
  EXPECT_LT(DistanceM(estimates[1].second, car), 1) << estimates[1].first;
  EXPECT_LT(DistanceM(estimates[3].second, car), 1) << estimates[3].first;
}

// ---- A car that is followed

// The grid on which cars are shown, as an observer can read it from the source: rows and columns of kCity's band.
constexpr double kRowsPerDegree = 1482;
const double kColumnsPerDegree =
    std::floor(360 * kRowsPerDegree * std::cos((std::floor(kCity.latitude_deg) + 0.5) * std::numbers::pi / 180)) / 360;
struct Cell {
  int row = 0;
  int column = 0;
  bool operator==(const Cell&) const = default;
};
Cell CellOf(const LatLng& point) {
  return {static_cast<int>(std::floor((point.latitude_deg - std::floor(kCity.latitude_deg)) * kRowsPerDegree)),
          static_cast<int>(std::floor((point.longitude_deg + 180) * kColumnsPerDegree))};
}
LatLng MiddleOf(double row, double column) {
  return {std::floor(kCity.latitude_deg) + (row + 0.5) / kRowsPerDegree, (column + 0.5) / kColumnsPerDegree - 180};
}
const std::vector<Cell> kShifts = [] {
  std::vector<Cell> shifts;
  for (int row = -2; row <= 2; ++row) {
    for (int column = -2; column <= 2; ++column) {
      if (std::abs(row) == 2 || std::abs(column) == 2) shifts.push_back({row, column});
    }
  }
  return shifts;
}();

constexpr int kDrives = 6;

// An earlier version displaced a car anew in each block of kBlock cells a side.
constexpr int kBlock = 16;
Cell BlockOf(const Cell& cell) { return {cell.row / kBlock, cell.column / kBlock}; }
LatLng ShownByBlocks(int driver, const LatLng& car) {
  const Cell cell = CellOf(car);
  const Cell block = BlockOf(cell);
  std::seed_seq seed{driver, block.row, block.column};
  std::mt19937 random(seed);
  const Cell shift = kShifts[random() % kShifts.size()];
  return MiddleOf(cell.row + shift.row, cell.column + shift.column);
}

// Follows a car's shown place. A car moves to the next cell at most between two calls, and can change its displacement
// only where blocks meet, so each jump excludes some of the displacements; what is left stays so while the car stands.
class Follower {
 public:
  void See(const LatLng& place) {
    const Cell shown = CellOf(place);
    if (last_) {
      std::vector<Cell> left;
      for (const Cell& shift : kShifts) {
        if (std::any_of(left_.begin(), left_.end(),
                        [&](const Cell& before) { return Follows(before, shift, shown); })) {
          left.push_back(shift);
        }
      }
      if (!left.empty()) left_ = std::move(left);
    }
    last_ = shown;
  }
  LatLng Estimate() const {
    double row = 0, column = 0;
    for (const Cell& shift : left_) {
      row += (last_->row - shift.row) / static_cast<double>(left_.size());
      column += (last_->column - shift.column) / static_cast<double>(left_.size());
    }
    return MiddleOf(row, column);
  }

 private:
  bool Follows(const Cell& before, const Cell& shift, const Cell& shown) const {
    const Cell from{last_->row - before.row, last_->column - before.column};
    const Cell to{shown.row - shift.row, shown.column - shift.column};
    if (std::abs(to.row - from.row) > 1 || std::abs(to.column - from.column) > 1) return false;
    return before == shift || !(BlockOf(from) == BlockOf(to));
  }

  std::optional<Cell> last_;
  std::vector<Cell> left_ = kShifts;
};

// Drives around for 25 minutes, then stands for 5; one call a second. The errors of the follower at each second.
std::vector<double> ErrorsOfFollower(std::mt19937& random, const std::function<LatLng(const LatLng& car)>& shown) {
  std::uniform_int_distribution<int> leg_s(20, 90);
  std::uniform_real_distribution<double> speed_mps(6, 14);
  LatLng car = kCity;
  Follower follower;
  std::vector<double> errors;
  int left_s = 0;
  double bearing = 0, step_m = 0;
  for (int second = 0; second < 1800; ++second) {
    if (left_s-- == 0) {
      left_s = leg_s(random);
      bearing = 10 + 90 * static_cast<double>(random() % 4);
      step_m = speed_mps(random);
    }
    if (second < 1500) car = Toward(car, bearing, step_m);
    follower.See(shown(car));
    errors.push_back(DistanceM(follower.Estimate(), car));
  }
  return errors;
}

// The middle of a straight drive of 6 km, as the mean of the places shown.
double ErrorOfStraightDrive(std::mt19937& random, const std::function<LatLng(const LatLng& car)>& shown) {
  std::uniform_real_distribution<double> any(0, 360);
  const double bearing = any(random);
  std::vector<LatLng> places;
  for (int second = -300; second <= 300; ++second) places.push_back(shown(Toward(kCity, bearing, 10.0 * second)));
  return DistanceM(Mean(places), kCity);
}

TEST_F(SeenCarsTest, WhoFollowsADrivingCarGetsNoNearerThan100M) {
  std::mt19937 random(6);
  for (int drive = 0; drive < kDrives; ++drive) {
    const std::string id = absl::StrCat("driver-", drive);
    const auto shown = [&](const LatLng& car) {
      Put(id, car);
      return Seen(car, 5000).at(0).place;
    };
    const std::vector<double> errors = ErrorsOfFollower(random, shown);
    EXPECT_GT(*std::min_element(errors.begin(), errors.end()), kNearestM) << id;
    EXPECT_LT(errors.back(), 400) << id << ": the estimator itself is bad";
    EXPECT_GT(ErrorOfStraightDrive(random, shown), kNearestM) << id;
    index_.Remove(id);
  }
}

TEST_F(SeenCarsTest, TheSameFollowerFindsACarWhoseDisplacementChangesOnTheWay) {
  std::mt19937 random(6);
  std::vector<double> straight;
  for (int drive = 0; drive < kDrives; ++drive) {
    const auto shown = [&](const LatLng& car) { return ShownByBlocks(drive, car); };
    const std::vector<double> errors = ErrorsOfFollower(random, shown);
    EXPECT_LT(*std::min_element(errors.begin(), errors.end()), 10) << drive;
    EXPECT_GT(std::count_if(errors.begin(), errors.end(), [](double error) { return error < kNearestM; }), 120)
        << drive;
    straight.push_back(ErrorOfStraightDrive(random, shown));
  }
  std::sort(straight.begin(), straight.end());
  EXPECT_LT(straight[kDrives / 2], kNearestM);
}

TEST_F(SeenCarsTest, APlaceShownIsNeitherNearNorFarAnywhereOnEarth) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> lat(-80, 80), lng(-180, 180);
  double nearest = 1e9, furthest = 0;
  for (int i = 0; i < 200'000; ++i) {
    LatLng car{lat(random), lng(random)};
    // Also at the edges of bands and of the map.
    if (i % 5 == 0) car.latitude_deg = std::round(car.latitude_deg) + (i % 2 == 0 ? 1e-4 : -1e-4);
    if (i % 7 == 0) car.longitude_deg = i % 2 == 0 ? 180 - 1e-5 : -180;
    const double off = DistanceM(car, PlaceShown(absl::StrCat("d", i), car));
    nearest = std::min(nearest, off);
    furthest = std::max(furthest, off);
  }
  EXPECT_GT(nearest, 103);
  EXPECT_LT(furthest, 275);
  for (const LatLng& edge : {LatLng{90, 0}, LatLng{-90, 180}, LatLng{89.9999, 179.9999}}) {
    EXPECT_LE(std::abs(PlaceShown("d", edge).latitude_deg), 90);
    EXPECT_LE(std::abs(PlaceShown("d", edge).longitude_deg), 180);
  }
}

TEST_F(SeenCarsTest, WhereInItsCellACarIsChangesNoAnswer) {
  std::mt19937 random(4);
  std::uniform_real_distribution<double> bearing(0, 360), away(0, 3000);
  const LatLng cell = kCity;
  // Of the cell's corner: within it, both ways.
  for (const double step : {1e-5, 2e-5, 3e-5}) {
    const LatLng moved{cell.latitude_deg + step, cell.longitude_deg + step};
    ASSERT_EQ(PlaceShown("d", cell), PlaceShown("d", moved)) << "choose another place for this test";
    for (int i = 0; i < 500; ++i) {
      const LatLng from = Toward(cell, bearing(random), away(random));
      const double radius_m = away(random);
      Put("d", cell);
      const auto before = Seen(from, radius_m);
      Put("d", moved);
      const auto after = Seen(from, radius_m);
      ASSERT_EQ(before.size(), after.size());
      if (before.empty()) continue;
      EXPECT_EQ(before[0].place, after[0].place);
      EXPECT_EQ(before[0].eta, after[0].eta);
      EXPECT_EQ(before[0].distance_m, after[0].distance_m);
    }
  }
}

TEST_F(SeenCarsTest, AskingEachEveningAveragesNothing) {
  std::set<double> latitudes;
  for (int day = 0; day < 30; ++day) {
    const absl::Time evening = kNow + day * absl::Hours(24) + day * absl::Minutes(7);
    Put("ada", Toward(kCity, 12.0 * day, 5), evening);
    const auto seen = Seen(kCity, 1000, 1, evening);
    ASSERT_EQ(seen.size(), 1u);
    latitudes.insert(seen[0].place.latitude_deg);
  }
  // Parked within 5 m of one place: in one cell, or in the next one.
  EXPECT_LE(latitudes.size(), 2u);
}

TEST_F(SeenCarsTest, DriversAtOnePlaceAreShownAtDifferentOnes) {
  std::set<std::pair<double, double>> places;
  for (int i = 0; i < 200; ++i) {
    const LatLng place = PlaceShown(absl::StrCat("driver-", i), kCity);
    places.insert({place.latitude_deg, place.longitude_deg});
  }
  EXPECT_EQ(places.size(), 16u);
}

TEST_F(SeenCarsTest, NearestAsShownAreFoundInACrowdAndAreQuickestFirst) {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> bearing(0, 360), away(0, 700);
  std::vector<double> shown;
  for (int i = 0; i < 900; ++i) {
    const std::string id = absl::StrCat("d", i);
    const LatLng car = Toward(kCity, bearing(random), away(random));
    Put(id, car);
    shown.push_back(DistanceM(PlaceShown(id, car), kCity));
  }
  std::sort(shown.begin(), shown.end());
  const auto seen = Seen(kCity, 2000, 20);
  ASSERT_EQ(seen.size(), 20u);
  std::vector<double> found;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    found.push_back(seen[i].distance_m);
    EXPECT_EQ(seen[i].eta % absl::Seconds(15), absl::ZeroDuration());
    EXPECT_GT(seen[i].eta, absl::ZeroDuration());
    if (i > 0) {
      EXPECT_GE(seen[i].eta, seen[i - 1].eta);
    }
  }
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, std::vector<double>(shown.begin(), shown.begin() + 20));
}

TEST_F(SeenCarsTest, HeadingsAreCoarse) {
  for (const auto& [heading, shown] : {std::pair{350.f, 0.f}, {10.f, 0.f}, {30.f, 45.f}, {181.f, 180.f}}) {
    heading_ = heading;
    Put("d", kCity);
    EXPECT_EQ(Seen(kCity, 1000)[0].heading_deg, shown);
  }
  heading_.reset();
  Put("d", kCity);
  EXPECT_EQ(Seen(kCity, 1000)[0].heading_deg, std::nullopt);
}

}  // namespace
}  // namespace hail::driver
