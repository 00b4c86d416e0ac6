#include "driver-service/domain/car_search.h"

#include <memory>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hail::driver {
namespace {

using testing::ElementsAre;

constexpr LatLng kPickup{37.7793, -122.4193};
const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

class CarSearchTest : public testing::Test {
 protected:
  void Add(const std::string& id, double distance_m, const CarProfile& car = {"sf", {"economy"}, 4},
           absl::Duration age = absl::ZeroDuration()) {
    index_.SetCar(id, std::make_shared<const CarProfile>(car));
    index_.Update(id, {.point = Toward(kPickup, 90, distance_m), .position_seq = 1, .observed = kNow - age});
    index_.SetOnMap(id, true);
  }
  std::vector<std::string> Found(const RideNeeds& needs, double radius_m, std::size_t limit = 10) const {
    std::vector<std::string> ids;
    for (const NearDriver& driver : search_.Nearest(kNow, needs, radius_m, limit)) ids.push_back(driver.driver_id);
    return ids;
  }

  LocationIndex index_;
  CarSearch search_{index_, absl::Seconds(30), 5000};
};

TEST_F(CarSearchTest, FindsOnlyWhatTheRideCanBeGiven) {
  Add("near", 100);
  Add("of another region", 10, {"nyc", {"economy"}, 4});
  Add("of another product", 20, {"sf", {"xl"}, 4});
  Add("too small", 30, {"sf", {"economy"}, 1});
  Add("of a stale position", 40, {"sf", {"economy"}, 4}, absl::Seconds(31));
  Add("not free", 50);
  index_.SetOnMap("not free", false);
  EXPECT_THAT(Found({kPickup, "sf", "economy", 2}, 1000), ElementsAre("near"));
  EXPECT_THAT(Found({kPickup, "", "", 0}, 1000),
              ElementsAre("of another region", "of another product", "too small", "near"));
}

TEST_F(CarSearchTest, NobodyLooksFurtherThanADispatch) {
  Add("at the edge", 4990);
  Add("beyond", 5010);
  EXPECT_THAT(Found({kPickup, "sf", "economy", 1}, 100'000), ElementsAre("at the edge"));
  EXPECT_THAT(Found({kPickup, "sf", "economy", 1}, 4980), ElementsAre());
}

TEST_F(CarSearchTest, LeavesOutWhomTheRideMayNotHave) {
  Add("a", 100);
  Add("b", 200);
  const auto found =
      search_.Nearest(kNow, {kPickup, "sf", "economy", 1}, 1000, 1, [](const std::string& id) { return id != "a"; });
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].driver_id, "b");
}

}  // namespace
}  // namespace hail::driver
