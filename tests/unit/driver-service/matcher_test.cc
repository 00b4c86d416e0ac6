#include "driver-service/domain/matcher.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace hail::driver {
namespace {

// A ride whose candidates are `ids`, nearest first.
WaitingRide RideWith(std::vector<std::string> ids) {
  WaitingRide ride;
  ride.candidates = [ids](std::size_t limit) {
    std::vector<NearDriver> found;
    for (std::size_t i = 0; i < std::min(limit, ids.size()); ++i)
      found.push_back({ids[i], static_cast<double>(i), {}, {}});
    return found;
  };
  return ride;
}

std::vector<std::string> Match(const std::vector<WaitingRide>& rides) {
  std::vector<std::string> pairs;
  for (const Proposal& p : NearestFirstMatcher().Match(rides))
    pairs.push_back(absl::StrCat(p.ride, ":", p.driver.driver_id));
  return pairs;
}

TEST(NearestFirstMatcher, EachTakesTheNearestThatIsLeft) {
  EXPECT_EQ(Match({RideWith({"a", "b"}), RideWith({"a", "b"}), RideWith({"a", "b"})}),
            (std::vector<std::string>{"0:a", "1:b"}));
  EXPECT_EQ(Match({RideWith({}), RideWith({"c"})}), (std::vector<std::string>{"1:c"}));
  EXPECT_TRUE(Match({}).empty());
}

TEST(NearestFirstMatcher, LooksFurtherWhenAllNearAreTaken) {
  std::vector<std::string> ids;
  for (int i = 0; i < 40; ++i) ids.push_back(absl::StrCat("d", i));
  std::vector<WaitingRide> rides(50, RideWith(ids));
  const std::vector<std::string> pairs = Match(rides);
  ASSERT_EQ(pairs.size(), 40u);
  EXPECT_EQ(pairs[0], "0:d0");
  EXPECT_EQ(pairs[39], "39:d39");
}

}  // namespace
}  // namespace hail::driver
