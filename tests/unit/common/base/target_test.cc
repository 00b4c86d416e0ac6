#include "common/rpc/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hail::rpc {
namespace {

using ::testing::ElementsAre;

TEST(Target, OneAddressIsOneProcess) {
  for (const char* text : {"rider:50061", "[::1]:50061", "dns:rider:50061"}) {
    const Target target = ParseTarget(text);
    EXPECT_THAT(target.addresses, ElementsAre(text));
    EXPECT_FALSE(target.replicas) << text;
  }
}

TEST(Target, ANameIsAllItsAddresses) {
  const Target target = ParseTarget("dns:///rider:50061");
  EXPECT_THAT(target.addresses, ElementsAre("rider:50061"));
  EXPECT_TRUE(target.replicas);
}

TEST(Target, AListIsEachOfIt) {
  EXPECT_THAT(ParseTarget("ipv4:10.0.0.1:1,10.0.0.2:2").addresses, ElementsAre("10.0.0.1:1", "10.0.0.2:2"));
  EXPECT_THAT(ParseTarget("ipv4:10.0.0.1:1").addresses, ElementsAre("10.0.0.1:1"));
  EXPECT_THAT(ParseTarget("ipv4:10.0.0.1:1,").addresses, ElementsAre("10.0.0.1:1", "")) << "for a check to refuse";
  EXPECT_TRUE(ParseTarget("ipv4:10.0.0.1:1").replicas);
}

}  // namespace
}  // namespace hail::rpc
