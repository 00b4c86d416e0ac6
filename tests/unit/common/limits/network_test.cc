#include "common/limits/network.h"

#include <gtest/gtest.h>

#include <string>

namespace hail::limits {
namespace {

std::string Parsed(std::string_view text) {
  const auto network = ParseNetwork(text);
  return network ? network->Text() : "none";
}

std::string OfPeer(std::string_view peer) {
  const auto network = NetworkOfPeer(peer);
  return network ? network->Text() : "none";
}

TEST(NetworkTest, OneIpv4AddressOrTheFirstHalfOfAnIpv6Address) {
  EXPECT_EQ(Parsed("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(Parsed("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
  EXPECT_EQ(Parsed("[2001:db8:1:2::9]"), "2001:db8:1:2::/64");
  EXPECT_EQ(Parsed("fe80::1%eth0"), "fe80::/64");
  EXPECT_EQ(ParseNetwork("2001:db8:1:2::1"), ParseNetwork("2001:db8:1:2:ffff::1"));
  EXPECT_NE(ParseNetwork("2001:db8:1:2::1"), ParseNetwork("2001:db8:1:3::1"));
  EXPECT_NE(ParseNetwork("192.0.2.1"), ParseNetwork("192.0.2.2"));
}

TEST(NetworkTest, AnIpv4AddressInsideIpv6IsThatAddress) {
  EXPECT_EQ(ParseNetwork("::ffff:192.0.2.1"), ParseNetwork("192.0.2.1"));
  EXPECT_TRUE(ParseNetwork("::ffff:127.0.0.1")->loopback());
}

TEST(NetworkTest, WhatIsNoAddressIsNone) {
  for (const char* text : {"", " ", "unknown", "192.0.2", "192.0.2.1:80", "1.2.3.4.5", "localhost", "[", "[]",
                           "::1::", "192.0.2.1, 192.0.2.2", "0x7f000001"}) {
    EXPECT_EQ(Parsed(text), "none") << text;
  }
  EXPECT_EQ(Parsed(std::string(100'000, '1')), "none");
}

TEST(NetworkTest, ReadsPeersAsGrpcNamesThem) {
  EXPECT_EQ(OfPeer("ipv4:192.0.2.1:41234"), "192.0.2.1");
  EXPECT_EQ(OfPeer("ipv6:[2001:db8::7]:41234"), "2001:db8::/64");
  EXPECT_EQ(OfPeer("ipv6:%5B2001:db8::7%5D:41234"), "2001:db8::/64");
  EXPECT_EQ(OfPeer("ipv6:%5B::ffff:192.0.2.1%5D:41234"), "192.0.2.1");
  EXPECT_EQ(OfPeer("ipv6:[::1]:41234"), "::1");
  EXPECT_EQ(OfPeer("unix:/tmp/socket"), "none");
  EXPECT_EQ(OfPeer("ipv4:"), "none");
  EXPECT_EQ(OfPeer(""), "none");
}

TEST(NetworkTest, KnowsLoopback) {
  EXPECT_TRUE(ParseNetwork("127.0.0.1")->loopback());
  EXPECT_TRUE(ParseNetwork("127.9.9.9")->loopback());
  EXPECT_TRUE(ParseNetwork("::1")->loopback());
  EXPECT_FALSE(ParseNetwork("128.0.0.1")->loopback());
  EXPECT_FALSE(ParseNetwork("::2")->loopback());
  EXPECT_FALSE(ParseNetwork("::")->loopback());
}

constexpr char kStranger[] = "ipv4:198.51.100.7:999";
constexpr char kEdge[] = "ipv4:10.0.0.5:999";
constexpr char kHere[] = "ipv4:127.0.0.1:999";

std::string ClientOf(std::string_view peer, bool edge, std::string_view forwarded_for) {
  const auto network = ClientNetwork(peer, edge, forwarded_for);
  return network ? network->Text() : "none";
}

TEST(ClientNetworkTest, TheEdgeSaysWhoItsClientIs) {
  EXPECT_EQ(ClientOf(kEdge, true, "203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(ClientOf(kHere, false, "203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(ClientOf(kEdge, true, "2001:db8::9"), "2001:db8::/64");
  // An edge's own call, or one for this machine.
  EXPECT_EQ(ClientOf(kEdge, true, ""), "none");
  EXPECT_EQ(ClientOf(kHere, false, ""), "none");
  EXPECT_EQ(ClientOf(kHere, false, "127.0.0.1"), "none");
}

TEST(ClientNetworkTest, OnlyWhatTheEdgeAppendedCounts) {
  EXPECT_EQ(ClientOf(kEdge, true, "1.1.1.1, 203.0.113.9"), "203.0.113.9");
  EXPECT_EQ(ClientOf(kEdge, true, "127.0.0.1,10.0.0.1,203.0.113.9 "), "203.0.113.9");
  // Nothing before the last comma replaces what is not readable behind it.
  EXPECT_EQ(ClientOf(kEdge, true, "1.1.1.1, unknown"), "none");
  EXPECT_EQ(ClientOf(kEdge, true, "1.1.1.1,"), "none");
}

TEST(ClientNetworkTest, AStrangersWordCountsForNothing) {
  EXPECT_EQ(ClientOf(kStranger, false, "203.0.113.9"), "198.51.100.7");
  EXPECT_EQ(ClientOf(kStranger, false, "127.0.0.1"), "198.51.100.7");
  EXPECT_EQ(ClientOf(kStranger, false, ""), "198.51.100.7");
  // The edge's address alone makes no edge.
  EXPECT_EQ(ClientOf(kEdge, false, "203.0.113.9"), "10.0.0.5");
}

}  // namespace
}  // namespace hail::limits
