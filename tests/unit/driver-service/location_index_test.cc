#include "driver-service/domain/location_index.h"

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include "absl/strings/str_cat.h"
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
  index.SetOfferable(id, true);
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
  index.SetOfferable("no position", true);
  index.Update("no car", At(kCenter));
  index.SetOfferable("no car", true);
  index.SetCar("not offerable", Car("sf", {"economy"}, 4));
  index.Update("not offerable", At(kCenter));
  EXPECT_THAT(index.Nearest(kCenter, 10, 1000, {}), IsEmpty());
  EXPECT_EQ(index.offerable_count(), 0u);

  index.Update("no position", At(kCenter));
  index.SetCar("no car", Car("sf", {"economy"}, 4));
  index.SetOfferable("not offerable", true);
  EXPECT_EQ(index.Nearest(kCenter, 10, 1000, {}).size(), 3u);
  EXPECT_EQ(index.offerable_count(), 3u);

  index.SetOfferable("no car", false);
  index.Remove("not offerable");
  index.Remove("never heard of");
  EXPECT_THAT(Ids(index.Nearest(kCenter, 10, 1000, {})), ElementsAre("no position"));
  EXPECT_EQ(index.offerable_count(), 1u);
  EXPECT_FALSE(index.Find("not offerable").has_value());
}

TEST(LocationIndex, FiltersByWhatIsAskedFor) {
  LocationIndex index;
  Add(index, "economy", kCenter);
  index.SetCar("van", Car("sf", {"economy", "xl"}, 6));
  index.Update("van", At(Toward(kCenter, 0, 100)));
  index.SetOfferable("van", true);
  index.SetCar("nyc", Car("nyc", {"economy"}, 4));
  Fix old = At(Toward(kCenter, 0, 200));
  old.observed = kNow - absl::Seconds(31);
  index.Update("nyc", old);
  index.SetOfferable("nyc", true);

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
  EXPECT_FALSE(index.Update("d", At(kCenter, 5, 10)));
  EXPECT_FALSE(index.Update("d", At(kCenter, 4, 10)));
  EXPECT_FALSE(index.Update("d", At(kCenter, 900, 9)));
  EXPECT_EQ(index.Find("d")->position_seq, 5u);
  EXPECT_TRUE(index.Update("d", At(kCenter, 1, 11)));  // a later session counts from the start
  EXPECT_EQ(index.Find("d")->session_epoch, 11);
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
  EXPECT_EQ(index.offerable_count(), 1u);
}

// Against going through all drivers one by one, where both ways of looking are used: few cars and many, near and far.
TEST(LocationIndex, FindsWhatBruteForceFinds) {
  std::mt19937_64 random(7);
  auto uniform = [&](double low, double high) { return std::uniform_real_distribution<double>(low, high)(random); };
  struct Known {
    std::string id;
    Fix fix;
    std::shared_ptr<const CarProfile> car;
    bool offerable = false;
  };
  for (const int count : {10, 400, 1200}) {
    LocationIndex index;
    std::vector<Known> all(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < all.size(); ++i) {
      Known& known = all[i];
      known.id = absl::StrCat("d", i);
      known.car = Car(i % 7 == 0 ? "nyc" : "sf",
                      i % 3 == 0 ? std::vector<std::string>{"economy", "xl"} : std::vector<std::string>{"economy"},
                      i % 3 == 0 ? 6 : 4);
      index.SetCar(known.id, known.car);
    }
    std::uint64_t seq = 0;
    for (int round = 0; round < 30; ++round) {
      for (int change = 0; change < count / 2; ++change) {
        Known& known = all[random() % all.size()];
        known.fix =
            At(Toward(kCenter, uniform(0, 360), uniform(0, 1) < 0.5 ? uniform(0, 3000) : uniform(0, 40000)), ++seq);
        known.fix.observed = kNow - absl::Seconds(uniform(0, 60));
        known.offerable = random() % 4 != 0;
        ASSERT_TRUE(index.Update(known.id, known.fix));
        index.SetOfferable(known.id, known.offerable);
      }
      const LatLng point = Toward(kCenter, uniform(0, 360), uniform(0, 20000));
      const NearestFilter filter{.region_id = random() % 2 ? "sf" : "",
                                 .product_id = random() % 2 ? "xl" : "",
                                 .seats = random() % 2 ? 5 : 0,
                                 .fresh_after = kNow - absl::Seconds(uniform(0, 60))};
      const double radius_m = uniform(0, 1) < 0.5 ? uniform(100, 3000) : uniform(100, 50000);
      const std::size_t limit = 1 + random() % 20;
      auto accept = [](const std::string& id) { return id.back() != '3'; };

      std::vector<std::pair<double, std::string>> expected;
      for (const Known& known : all) {
        if (!known.offerable || known.fix.observed < filter.fresh_after || !accept(known.id)) continue;
        if (!filter.region_id.empty() && known.car->region_id != filter.region_id) continue;
        if (!filter.product_id.empty() && known.car->product_ids.size() < 2) continue;
        if (known.car->seats < filter.seats) continue;
        const double distance_m = DistanceM(point, known.fix.point);
        if (distance_m <= radius_m) expected.emplace_back(distance_m, known.id);
      }
      std::sort(expected.begin(), expected.end());
      if (expected.size() > limit) expected.resize(limit);
      std::vector<std::pair<double, std::string>> found;
      for (const NearDriver& driver : index.Nearest(point, limit, radius_m, filter, accept)) {
        found.emplace_back(driver.distance_m, driver.driver_id);
      }
      ASSERT_EQ(found, expected) << count << " drivers, round " << round;
      ASSERT_EQ(index.offerable_count(), static_cast<std::size_t>(std::count_if(
                                             all.begin(), all.end(), [](const Known& k) { return k.offerable; })));
    }
  }
}

TEST(LocationIndex, WorksAcrossTheDateLineAndAtThePole) {
  LocationIndex index;
  for (int i = 0; i < 60; ++i) Add(index, absl::StrCat("far", i), Toward(kCenter, i * 6, 1000));
  Add(index, "fiji", {-17.0, 179.999});
  Add(index, "pole", {89.9999, 10});
  EXPECT_THAT(Ids(index.Nearest({-17.0, -179.999}, 5, 2000, {})), ElementsAre("fiji"));
  EXPECT_THAT(Ids(index.Nearest({89.9999, -170}, 5, 2000, {})), ElementsAre("pole"));
}

// For the thread sanitizer; and no driver may be found twice, or outside what the query asked for.
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
        if (t == 0) index.SetOfferable(id, random() % 2 == 0);
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
  EXPECT_EQ(index.Nearest(kCenter, 1000, 100'000, {}).size(), index.offerable_count());
}

}  // namespace
}  // namespace hail::driver
