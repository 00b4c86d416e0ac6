#include "driver-service/domain/driver.h"

#include "common/errors/error.h"
#include "gtest/gtest.h"

namespace hail::driver {
namespace {

Driver Good() {
  return {.driver_id = "d1",
          .display_name = "Dora",
          .region_id = "sf",
          .vehicle = {.make = "Toyota", .model = "Prius", .color = "white", .plate = "7ABC123", .seats = 4},
          .product_ids = {"economy", "comfort"}};
}

std::string FieldAtFault(const Driver& driver) {
  const auto details = DetailsOf(CheckDriver(driver, "driver"));
  return details.has_value() && details->reason == Reason::kInvalidField ? details->field : "none";
}

TEST(CheckDriver, TakesADriver) {
  EXPECT_TRUE(CheckDriver(Good(), "driver").ok());
  Driver bare = Good();
  bare.display_name = "";
  bare.vehicle = {.plate = "X", .seats = 8};
  EXPECT_TRUE(CheckDriver(bare, "driver").ok());
}

TEST(CheckDriver, NamesTheFieldAtFault) {
  struct Case {
    std::string field;
    void (*spoil)(Driver&);
  };
  const Case cases[] = {
      {"driver.driver_id", [](Driver& d) { d.driver_id = ""; }},
      {"driver.driver_id", [](Driver& d) { d.driver_id = std::string(129, 'x'); }},
      {"driver.display_name", [](Driver& d) { d.display_name = std::string(129, 'x'); }},
      {"driver.display_name", [](Driver& d) { d.display_name = "a\nb"; }},
      {"driver.region_id", [](Driver& d) { d.region_id = ""; }},
      {"driver.vehicle.make", [](Driver& d) { d.vehicle.make = std::string(65, 'x'); }},
      {"driver.vehicle.model", [](Driver& d) { d.vehicle.model = std::string(65, 'x'); }},
      {"driver.vehicle.color", [](Driver& d) { d.vehicle.color = std::string(65, 'x'); }},
      {"driver.vehicle.plate", [](Driver& d) { d.vehicle.plate = ""; }},
      {"driver.vehicle.plate", [](Driver& d) { d.vehicle.plate = " - "; }},
      {"driver.vehicle.plate", [](Driver& d) { d.vehicle.plate = std::string(33, 'x'); }},
      {"driver.vehicle.seats", [](Driver& d) { d.vehicle.seats = 0; }},
      {"driver.vehicle.seats", [](Driver& d) { d.vehicle.seats = 9; }},
      {"driver.product_ids", [](Driver& d) { d.product_ids = {}; }},
      {"driver.product_ids", [](Driver& d) { d.product_ids.assign(17, "p"); }},
      {"driver.product_ids[1]",
       [](Driver& d) {
         d.product_ids = {"a", ""};
       }},
      {"driver.product_ids[1]",
       [](Driver& d) {
         d.product_ids = {"a", "b c"};
       }},
      {"driver.product_ids[2]",
       [](Driver& d) {
         d.product_ids = {"a", "b", "a"};
       }},
  };
  for (const Case& c : cases) {
    Driver driver = Good();
    c.spoil(driver);
    EXPECT_EQ(FieldAtFault(driver), c.field);
  }
}

TEST(SameProfile, LooksAtAllButTheTimes) {
  Driver other = Good();
  other.create_time = absl::Now();
  other.update_time = absl::Now();
  EXPECT_TRUE(SameProfile(Good(), other));
  void (*const changes[])(Driver&) = {
      [](Driver& d) { d.driver_id = "x"; },     [](Driver& d) { d.display_name = "x"; },
      [](Driver& d) { d.region_id = "x"; },     [](Driver& d) { d.vehicle.make = "x"; },
      [](Driver& d) { d.vehicle.model = "x"; }, [](Driver& d) { d.vehicle.color = "x"; },
      [](Driver& d) { d.vehicle.plate = "x"; }, [](Driver& d) { d.vehicle.seats = 5; },
      [](Driver& d) { d.product_ids = {"x"}; },
  };
  for (auto change : changes) {
    other = Good();
    change(other);
    EXPECT_FALSE(SameProfile(Good(), other));
  }
}

TEST(DriverTest, PlatesAreComparedByTheirLettersAndDigits) {
  EXPECT_EQ(NormalPlate("TWIN 001"), "TWIN001");
  EXPECT_EQ(NormalPlate("twin-001."), "TWIN001");
  EXPECT_EQ(NormalPlate("7abc\t123"), "7ABC123");
  EXPECT_EQ(NormalPlate("ab é 1"), "ABé1") << "other bytes are kept";
  EXPECT_EQ(NormalPlate(" -_/"), "");
}

}  // namespace
}  // namespace hail::driver
