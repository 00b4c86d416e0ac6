#include "common/limits/connections.h"

#include <gtest/gtest.h>

namespace hail::limits {
namespace {

Network Of(const char* address) { return ParseNetwork(address).value(); }

TEST(ConnectionsTest, EachNetworkHasItsOwn) {
  Connections connections;
  EXPECT_TRUE(connections.Add(10, Of("192.0.2.1"), 2));
  EXPECT_TRUE(connections.Add(11, Of("192.0.2.1"), 2));
  EXPECT_FALSE(connections.Add(12, Of("192.0.2.1"), 2));
  EXPECT_TRUE(connections.Add(12, Of("192.0.2.2"), 2));
  connections.Remove(10);
  EXPECT_TRUE(connections.Add(10, Of("192.0.2.1"), 2));
  EXPECT_EQ(connections.size(), 3u);
}

TEST(ConnectionsTest, AllOfASlash64AreOne) {
  Connections connections;
  EXPECT_TRUE(connections.Add(10, Of("2001:db8::1"), 1));
  EXPECT_FALSE(connections.Add(11, Of("2001:db8::2"), 1));
  EXPECT_TRUE(connections.Add(11, Of("2001:db8:0:1::2"), 1));
}

TEST(ConnectionsTest, ADescriptorThatComesAgainWasClosed) {
  Connections connections;
  EXPECT_TRUE(connections.Add(10, Of("192.0.2.1"), 1));
  EXPECT_TRUE(connections.Add(10, Of("192.0.2.1"), 1));
  EXPECT_TRUE(connections.Add(10, Of("192.0.2.2"), 1));
  EXPECT_TRUE(connections.Add(11, Of("192.0.2.1"), 1));
  EXPECT_EQ(connections.size(), 2u);
}

TEST(ConnectionsTest, OtherFilesAreNothingToIt) {
  Connections connections;
  connections.Remove(5);
  EXPECT_FALSE(connections.Add(10, Of("192.0.2.1"), 0));
  EXPECT_EQ(connections.size(), 0u);
}

}  // namespace
}  // namespace hail::limits
