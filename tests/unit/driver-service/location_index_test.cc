#include "driver-service/domain/location_index.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <ostream>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
#include "driver-service/domain/earth_point.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hail::driver {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr LatLng kCenter{37.7793, -122.4193};
const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

std::shared_ptr<const CarProfile> Car(const std::string& region, std::vector<std::string> products, int seats) {
  return std::make_shared<const CarProfile>(CarProfile{region, std::move(products), seats});
}

Fix At(const LatLng& point, std::uint64_t seq = 1, std::int64_t session = 1) {
  return {.point = point, .session_epoch = session, .position_seq = seq, .observed = kNow};
}

std::vector<std::string> Ids(const std::vector<NearDriver>& found) {
  std::vector<std::string> ids;
  for (const NearDriver& driver : found) ids.push_back(driver.driver_id);
  return ids;
}

void Add(LocationIndex& index, const std::string& id, const LatLng& point) {
  index.SetCar(id, Car("sf", {"economy"}, 4));
  index.Update(id, At(point));
  index.SetOnMap(id, true);
}

TEST(LocationIndex, NearestFirstWithinTheRadius) {
  LocationIndex index;
  Add(index, "b", Toward(kCenter, 90, 500));
  Add(index, "a", Toward(kCenter, 270, 200));
  Add(index, "c", Toward(kCenter, 180, 1001));
  const std::vector<NearDriver> found = index.Nearest(kCenter, 10, 1000, {});
  EXPECT_THAT(Ids(found), ElementsAre("a", "b"));
  EXPECT_NEAR(found[0].distance_m, 200, 0.1);
  EXPECT_THAT(Ids(index.Nearest(kCenter, 1, 1000, {})), ElementsAre("a"));
  EXPECT_THAT(index.Nearest(kCenter, 0, 1000, {}), IsEmpty());
  EXPECT_THAT(index.Nearest(kCenter, 10, 0, {}), IsEmpty());
}

TEST(LocationIndex, EqualDistancesAreInOrderOfId) {
  LocationIndex index;
  for (const char* id : {"c", "a", "b"}) Add(index, id, kCenter);
  EXPECT_THAT(Ids(index.Nearest(kCenter, 2, 1000, {})), ElementsAre("a", "b"));
}

TEST(LocationIndex, OnlyOfferableDriversWithCarAndPositionAreFound) {
  LocationIndex index;
  index.SetCar("no position", Car("sf", {"economy"}, 4));
  index.SetOnMap("no position", true);
  index.Update("no car", At(kCenter));
  index.SetOnMap("no car", true);
  index.SetCar("not offerable", Car("sf", {"economy"}, 4));
  index.Update("not offerable", At(kCenter));
  EXPECT_THAT(index.Nearest(kCenter, 10, 1000, {}), IsEmpty());
  EXPECT_EQ(index.on_map_count(), 0u);

  index.Update("no position", At(kCenter));
  index.SetCar("no car", Car("sf", {"economy"}, 4));
  index.SetOnMap("not offerable", true);
  EXPECT_EQ(index.Nearest(kCenter, 10, 1000, {}).size(), 3u);
  EXPECT_EQ(index.on_map_count(), 3u);

  index.SetOnMap("no car", false);
  index.Remove("not offerable");
  index.Remove("unknown");
  EXPECT_THAT(Ids(index.Nearest(kCenter, 10, 1000, {})), ElementsAre("no position"));
  EXPECT_EQ(index.on_map_count(), 1u);
  EXPECT_FALSE(index.Find("not offerable").has_value());
}

TEST(LocationIndex, FiltersByWhatIsAskedFor) {
  LocationIndex index;
  Add(index, "economy", kCenter);
  index.SetCar("van", Car("sf", {"economy", "xl"}, 6));
  index.Update("van", At(Toward(kCenter, 0, 100)));
  index.SetOnMap("van", true);
  index.SetCar("nyc", Car("nyc", {"economy"}, 4));
  Fix old = At(Toward(kCenter, 0, 200));
  old.observed = kNow - absl::Seconds(31);
  index.Update("nyc", old);
  index.SetOnMap("nyc", true);

  EXPECT_THAT(Ids(index.Nearest(kCenter, 10, 1000, {})), ElementsAre("economy", "van", "nyc"));
  EXPECT_THAT(Ids(index.Nearest(kCenter, 10, 1000, {.region_id = "sf"})), ElementsAre("economy", "van"));
  EXPECT_THAT(Ids(index.Nearest(kCenter, 10, 1000, {.product_id = "xl"})), ElementsAre("van"));
  EXPECT_THAT(Ids(index.Nearest(kCenter, 10, 1000, {.seats = 5})), ElementsAre("van"));
  EXPECT_THAT(Ids(index.Nearest(kCenter, 10, 1000, {.fresh_after = kNow - absl::Seconds(30)})),
              ElementsAre("economy", "van"));
  EXPECT_THAT(Ids(index.Nearest(kCenter, 10, 1000, {.fresh_after = kNow - absl::Seconds(31)})),
              ElementsAre("economy", "van", "nyc"));
  EXPECT_THAT(Ids(index.Nearest(kCenter, 1, 1000, {}, [](const std::string& id) { return id != "economy"; })),
              ElementsAre("van"));
}

TEST(LocationIndex, AnOlderFixNeverReplacesANewer) {
  LocationIndex index;
  EXPECT_TRUE(index.Update("d", At(Toward(kCenter, 0, 100), 5, 10)));
  EXPECT_FALSE(index.Update("d", At(Toward(kCenter, 0, 100), 5, 10)));
  EXPECT_FALSE(index.Update("d", At(kCenter, 4, 10)));
  EXPECT_FALSE(index.Update("d", At(kCenter, 900, 9)));
  Fix older = At(kCenter, 6, 10);
  older.observed -= absl::Seconds(3);
  EXPECT_FALSE(index.Update("d", older));
  EXPECT_EQ(index.Find("d")->position_seq, 5u);
  EXPECT_TRUE(index.Update("d", At(kCenter, 1, 11)));  // a later session counts from the start
  EXPECT_EQ(index.Find("d")->session_epoch, 11);
  EXPECT_GT(index.Find("d")->observed, kNow);
}

TEST(LocationIndex, ADriverWhoseFixIsInDoubtIsNotFoundAnywhere) {
  LocationIndex index;
  Add(index, "d", Toward(kCenter, 0, 14'000));
  std::uint64_t number = 1;
  const auto judge = [&](const LatLng& point) {
    ++number;
    Fix fix = At(point, number);
    fix.observed += absl::Seconds(number);
    return index.Judge("d", fix);
  };
  EXPECT_EQ(judge(kCenter), FixVerdict::kTooFar);
  EXPECT_TRUE(index.IsDoubted("d"));
  EXPECT_THAT(index.Nearest(kCenter, 10, 50'000, {}), IsEmpty());
  EXPECT_EQ(index.on_map_count(), 0u);
  // Other changes do not put the driver back at the doubted place.
  index.SetOnMap("d", false);
  index.SetOnMap("d", true);
  index.SetCar("d", Car("sf", {"xl"}, 6));
  EXPECT_EQ(judge(kCenter), FixVerdict::kTooFar);
  EXPECT_THAT(index.Nearest(kCenter, 10, 50'000, {}), IsEmpty());
  EXPECT_EQ(judge(kCenter), FixVerdict::kTakenInstead);
  EXPECT_FALSE(index.IsDoubted("d"));
  EXPECT_EQ(index.given_up_count(), 1u);
  EXPECT_THAT(Ids(index.Nearest(kCenter, 10, 50, {.product_id = "xl"})), ElementsAre("d"));

  // An outlier: back at the known place.
  EXPECT_EQ(judge(Toward(kCenter, 90, 14'000)), FixVerdict::kTooFar);
  EXPECT_THAT(index.Nearest(kCenter, 10, 50'000, {}), IsEmpty());
  EXPECT_EQ(judge(kCenter), FixVerdict::kTaken);
  EXPECT_THAT(Ids(index.Nearest(kCenter, 10, 50, {})), ElementsAre("d"));
  EXPECT_EQ(index.given_up_count(), 1u);

  // Another replica owns the session now and has judged the fix itself.
  EXPECT_EQ(judge(Toward(kCenter, 90, 14'000)), FixVerdict::kTooFar);
  Fix seen = At(Toward(kCenter, 0, 200), 1, 2);
  seen.observed += absl::Seconds(100);
  EXPECT_TRUE(index.Update("d", seen));
  EXPECT_FALSE(index.IsDoubted("d"));
  EXPECT_THAT(Ids(index.Nearest(kCenter, 10, 300, {})), ElementsAre("d"));

  // Removing a driver removes the doubt.
  seen.observed += absl::Seconds(1);
  seen.point = Toward(kCenter, 90, 14'000);
  EXPECT_EQ(index.Judge("d", seen), FixVerdict::kTooFar);
  index.Remove("d");
  EXPECT_FALSE(index.IsDoubted("d"));
  Add(index, "d", kCenter);
  EXPECT_THAT(Ids(index.Nearest(kCenter, 10, 50, {})), ElementsAre("d"));
}

TEST(LocationIndex, FollowsAMovingDriver) {
  LocationIndex index;
  Add(index, "d", kCenter);
  std::uint64_t seq = 1;
  for (double way = 500; way <= 20000; way += 500) {
    const LatLng point = Toward(kCenter, 45, way);
    ASSERT_TRUE(index.Update("d", At(point, ++seq)));
    ASSERT_THAT(Ids(index.Nearest(point, 10, 10, {})), ElementsAre("d"));
    ASSERT_THAT(index.Nearest(kCenter, 10, way - 1, {}), IsEmpty());
  }
  EXPECT_EQ(index.on_map_count(), 1u);
}

// All drivers in a list, searched one by one.
class BruteForce {
 public:
  struct Known {
    std::optional<Fix> fix;
    std::shared_ptr<const CarProfile> car;
    bool offerable = false;
  };

  std::map<std::string, Known> drivers;

  std::size_t on_map_count() const {
    return static_cast<std::size_t>(std::count_if(drivers.begin(), drivers.end(), [](const auto& entry) {
      return entry.second.offerable && entry.second.car != nullptr && entry.second.fix.has_value();
    }));
  }

  // By the square of the chord, then by id.
  std::vector<std::pair<std::int64_t, std::string>> Nearest(const LatLng& point, std::size_t limit, double radius_m,
                                                            const NearestFilter& filter,
                                                            absl::FunctionRef<bool(const std::string&)> accept) const {
    std::vector<std::pair<std::int64_t, std::string>> found;
    for (const auto& [id, known] : drivers) {
      if (!known.offerable || known.car == nullptr || !known.fix.has_value() || !accept(id)) continue;
      if (known.fix->observed < filter.fresh_after || known.car->seats < filter.seats) continue;
      if (!filter.region_id.empty() && known.car->region_id != filter.region_id) continue;
      const std::vector<std::string>& products = known.car->product_ids;
      if (!filter.product_id.empty() && std::count(products.begin(), products.end(), filter.product_id) == 0) continue;
      const std::int64_t squared_chord = SquaredChord(ToEarthPoint(point), ToEarthPoint(known.fix->point));
      const std::int64_t longest = ChordUnder(radius_m);
      if (squared_chord <= longest * longest) found.emplace_back(squared_chord, id);
    }
    std::sort(found.begin(), found.end());
    if (found.size() > limit) found.resize(limit);
    return found;
  }
};

// Where the drivers of a comparison are.
struct Place {
  const char* name;
  LatLng center;
  double spread_m;
  // Coordinates are multiples of this: the same points and the same distances come again and again. 0: any.
  double step_deg;
};

const Place kPlaces[] = {
    {"ACity", kCenter, 8000, 0},
    {"ACrowd", kCenter, 60, 0},
    {"WithinTheErrorOfAUnit", kCenter, 0.02, 0},
    {"AGrid", {40, -74}, 1000, 0.001},
    {"AGridAtTheEquator", {0, 90}, 1000, 0.001},
    {"TheNorthPole", {90, 0}, 3000, 0},
    {"NearTheSouthPole", {-89.98, 120}, 4000, 0},
    {"TheDateLine", {-17, 180}, 5000, 0},
    {"AGridOnTheDateLine", {52, -180}, 1000, 0.001},
    {"ACountry", {47, 8}, 300'000, 0},
    {"TheEarth", {10, 20}, 20'000'000, 0},
};

void PrintTo(const Place& place, std::ostream* out) { *out << place.name; }

class AgainstBruteForce : public testing::TestWithParam<Place> {};

INSTANTIATE_TEST_SUITE_P(LocationIndex, AgainstBruteForce, testing::ValuesIn(kPlaces),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(AgainstBruteForce, FindsTheSame) {
  const Place& place = GetParam();
  const std::vector<std::shared_ptr<const CarProfile>> cars = {
      Car("sf", {"economy"}, 4), Car("sf", {"xl", "economy"}, 6), Car("nyc", {"economy", "xl"}, 6), Car("sf", {}, 6)};
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    std::mt19937_64 random(seed);
    auto uniform = [&](double low, double high) { return std::uniform_real_distribution<double>(low, high)(random); };
    auto round = [&](double deg) {
      return place.step_deg == 0 ? deg : std::round(deg / place.step_deg) * place.step_deg;
    };
    auto somewhere = [&] {
      // Denser towards the middle; and some are far from all others.
      const double way = random() % 50 == 0 ? uniform(0, 2e7) : place.spread_m * uniform(0, 1) * uniform(0, 1);
      const LatLng point = Toward(place.center, uniform(0, 360), way);
      return LatLng{round(point.latitude_deg), round(point.longitude_deg)};
    };
    const std::size_t count = std::size_t{1} << (seed % 12);
    LocationIndex index;
    BruteForce all;
    std::uint64_t seq = 0;
    for (int step = 0; step < 2000; ++step) {
      const std::string id = absl::StrCat("d", random() % count);
      BruteForce::Known& known = all.drivers[id];
      switch (random() % 16) {
        case 0:
          known.offerable = random() % 8 != 0;
          index.SetOnMap(id, known.offerable);
          break;
        case 1:
          // Equal cars are not always the same object.
          known.car = cars[random() % cars.size()];
          index.SetCar(id, random() % 2 == 0 ? known.car : std::make_shared<CarProfile>(*known.car));
          break;
        case 2:
          if (random() % 4 != 0) break;
          all.drivers.erase(id);
          index.Remove(id);
          break;
        case 3:
          if (random() % 8 != 0) break;
          known.car = nullptr;
          index.SetCar(id, nullptr);
          break;
        default:
          if (known.car == nullptr && random() % 2 == 0) {
            known.car = cars[random() % cars.size()];
            known.offerable = true;
            index.SetCar(id, known.car);
            index.SetOnMap(id, true);
          }
          // Half drive on from where they are.
          const bool drives = known.fix.has_value() && random() % 2 == 0;
          Fix fix = At(drives ? Toward(known.fix->point, uniform(0, 360), uniform(0, 50)) : somewhere(), ++seq);
          fix.observed = kNow + absl::Milliseconds(4 * step + 1 + static_cast<int>(random() % 4));
          ASSERT_TRUE(index.Update(id, fix));
          known.fix = fix;
      }
      if (step % 10 != 0) continue;
      const LatLng point = somewhere();
      NearestFilter filter;
      if (random() % 2 == 0) filter.region_id = "sf";
      if (random() % 2 == 0) filter.product_id = "xl";
      if (random() % 2 == 0) filter.seats = 5;
      if (random() % 2 == 0)
        filter.fresh_after = kNow + absl::Milliseconds(4 * step - static_cast<int>(random() % 4000));
      const std::size_t limit = random() % 8 == 0 ? 10'000 : 1 + random() % 20;
      // From less than the spread to more than half way around the earth.
      const double radius_m = random() % 4 == 0 ? uniform(0, 3e7) : place.spread_m * uniform(0, 1.5) + 1e-3;
      auto accept = [&](const std::string& driver_id) { return seed % 2 == 0 || driver_id.back() != '3'; };
      std::vector<std::pair<std::int64_t, std::string>> found;
      for (const NearDriver& driver : index.Nearest(point, limit, radius_m, filter, accept)) {
        found.emplace_back(SquaredChord(ToEarthPoint(point), ToEarthPoint(driver.fix.point)), driver.driver_id);
        const double distance_m = DistanceM(point, driver.fix.point);
        // Near the antipode a chord hardly grows with the distance.
        ASSERT_NEAR(driver.distance_m, distance_m, distance_m < 1e6 ? 0.02 : distance_m < 1.9e7 ? 0.2 : 500);
        const BruteForce::Known& expected = all.drivers[driver.driver_id];
        ASSERT_EQ(driver.fix.position_seq, expected.fix->position_seq);
        ASSERT_EQ(driver.car->product_ids, expected.car->product_ids);
      }
      ASSERT_EQ(found, all.Nearest(point, limit, radius_m, filter, accept)) << "seed " << seed << ", step " << step;
      ASSERT_EQ(index.on_map_count(), all.on_map_count());
      const auto at = all.drivers.find(id);
      ASSERT_EQ(index.Find(id).has_value(), at != all.drivers.end() && at->second.fix.has_value());
    }
    for (const auto& [id, known] : all.drivers) index.Remove(id);
    EXPECT_EQ(index.on_map_count(), 0u);
    EXPECT_THAT(index.Nearest(place.center, 10, 3e7, {}), IsEmpty());
  }
}

TEST(LocationIndex, NinetyDriversAtOnePointAreAllFound) {
  LocationIndex index;
  for (int i = 10; i < 100; ++i) Add(index, absl::StrCat("d", i), kCenter);
  EXPECT_EQ(index.Nearest(kCenter, 1000, 1, {}).size(), 90u);
  EXPECT_THAT(Ids(index.Nearest(Toward(kCenter, 0, 5), 2, 10, {})), ElementsAre("d10", "d11"));
}

TEST(LocationIndex, MoreKindsOfCarsThanASearchRemembers) {
  LocationIndex index;
  for (int i = 0; i < 300; ++i) {
    const std::string id = absl::StrCat("d", i);
    index.SetCar(id, Car("sf", {absl::StrCat("product", i % 150)}, 4));
    index.Update(id, At(kCenter));
    index.SetOnMap(id, true);
  }
  EXPECT_THAT(Ids(index.Nearest(kCenter, 10, 10, {.product_id = "product7"})), ElementsAre("d157", "d7"));
}

TEST(LocationIndex, WorksAcrossTheDateLineAndAtThePole) {
  LocationIndex index;
  for (int i = 0; i < 60; ++i) Add(index, absl::StrCat("far", i), Toward(kCenter, i * 6, 1000));
  Add(index, "fiji", {-17.0, 179.999});
  Add(index, "pole", {89.9999, 10});
  EXPECT_THAT(Ids(index.Nearest({-17.0, -179.999}, 5, 2000, {})), ElementsAre("fiji"));
  EXPECT_THAT(Ids(index.Nearest({89.9999, -170}, 5, 2000, {})), ElementsAre("pole"));
}

// Each query finds all standing drivers, while other drivers pass them, cross tiles, come and go. Leaves split and join
// under the queries.
TEST(LocationIndex, WhoStandsStillIsAlwaysFoundAndNobodyTwice) {
  constexpr int kStanding = 60;
  constexpr int kDriving = 400;
  const LatLng pole{89.999, 0};
  LocationIndex index;
  for (int i = 0; i < kStanding; ++i) Add(index, absl::StrCat("standing", i), Toward(pole, i * 61, i * 100));
  std::atomic<int> writers{2};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(static_cast<std::uint64_t>(t));
      for (std::uint64_t n = 1; n <= 20'000; ++n) {
        // Each driver belongs to one thread.
        const std::string id = absl::StrCat("driving", t, "-", random() % (kDriving / 2));
        // Drivers crowd at a few points, then spread out.
        const double way =
            n / 2000 % 2 == 0 ? static_cast<double>(random() % 4) * 1500 : static_cast<double>(random() % 6000);
        ASSERT_TRUE(index.Update(id, At(Toward(pole, static_cast<double>(random() % 360), way), n)));
        if (random() % 10 == 0) index.SetCar(id, Car("sf", {"economy"}, 4 + static_cast<int>(random() % 3)));
        if (random() % 10 == 0) index.SetOnMap(id, random() % 4 != 0);
        if (random() % 100 == 0) index.Remove(id);
        // A call that changes nothing must not hide a driver.
        const std::string standing = absl::StrCat("standing", random() % kStanding);
        index.SetCar(standing, Car("sf", {"economy"}, 4));
        index.SetOnMap(standing, true);
      }
      --writers;
    });
  }
  std::mt19937_64 random(9);
  do {
    const bool all = random() % 2 == 0;
    // Finds all drivers, or all those no further away than the outermost standing driver.
    std::vector<std::string> ids =
        Ids(index.Nearest(pole, all ? 10'000 : kStanding + kDriving, all ? 100'000 : 5901, {.region_id = "sf"}));
    std::sort(ids.begin(), ids.end());
    ASSERT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end());
    ASSERT_EQ(std::count_if(ids.begin(), ids.end(), [](const std::string& id) { return id.starts_with("standing"); }),
              kStanding);
    // Standing drivers are every 100 m, so the fifth driver found is at most 400 m away; driving ones may be nearer.
    const std::vector<NearDriver> few = index.Nearest(pole, 5, 100'000, {.region_id = "sf"});
    ASSERT_EQ(few.size(), 5u);
    ASSERT_LE(few.back().distance_m, 401);
  } while (writers > 0);
}

// For the thread sanitizer. No query may find a driver twice.
TEST(LocationIndex, TakesChangesAndQueriesFromManyThreads) {
  LocationIndex index;
  constexpr int kDrivers = 100;
  for (int i = 0; i < kDrivers; ++i) Add(index, absl::StrCat("d", i), kCenter);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(static_cast<std::uint64_t>(t));
      for (std::uint64_t n = 2; n < 4000; ++n) {
        const std::string id = absl::StrCat("d", random() % kDrivers);
        index.Update(id,
                     At(Toward(kCenter, static_cast<double>(random() % 360), static_cast<double>(random() % 5000)), n));
        if (t == 0) index.SetOnMap(id, random() % 2 == 0);
        index.Find(id);
        if (t == 1 && n % 50 == 0) {
          index.Remove(id);
          index.SetCar(id, Car("sf", {"economy"}, 4));
        }
      }
    });
  }
  std::thread reader([&] {
    while (!stop) {
      std::vector<std::string> ids = Ids(index.Nearest(kCenter, kDrivers, 4000, {.region_id = "sf"}));
      std::sort(ids.begin(), ids.end());
      EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
    }
  });
  for (std::thread& thread : threads) thread.join();
  stop = true;
  reader.join();
  EXPECT_EQ(index.Nearest(kCenter, 1000, 100'000, {}).size(), index.on_map_count());
}

}  // namespace
}  // namespace hail::driver
