#include "common/tls/peer_names.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hail::tls {
namespace {

using ::testing::HasSubstr;

const InternalPeers kPeers = {.services = NameList({"spiffe://hail/driver-service", "driver-service.hail"}),
                              .service_role = auth::Role::kDriverService,
                              .operators = NameList({"spiffe://hail/operator"})};

TEST(NameListTest, UrisAreComparedByteForByteAndHostsWithoutCase) {
  const NameList list({"spiffe://hail/Edge", "Edge.Hail"});
  EXPECT_TRUE(list.Has({.uris = {"https://x", "spiffe://hail/Edge"}}));
  EXPECT_FALSE(list.Has({.uris = {"spiffe://hail/edge"}}));
  EXPECT_FALSE(list.Has({.uris = {"spiffe://hail/Edge/"}}));
  EXPECT_FALSE(list.Has({.uris = {"spiffe://evil/Edge"}}));
  EXPECT_TRUE(list.Has({.dns = {"EDGE.hail"}}));
  EXPECT_FALSE(list.Has({.dns = {"edge.hail.evil.com"}}));
  // Each kind of name has its own place.
  EXPECT_FALSE(list.Has({.dns = {"spiffe://hail/Edge"}}));
  EXPECT_FALSE(list.Has({.uris = {"edge.hail"}}));
}

TEST(NameListTest, AWildcardMatchesNothing) {
  EXPECT_FALSE(NameList({"edge.hail"}).Has({.dns = {"*.hail", "*"}}));
  EXPECT_FALSE(NameList().Has({.uris = {""}, .dns = {""}}));
}

TEST(NameListTest, EntriesAreChecked) {
  EXPECT_EQ(SplitNames(" a, spiffe://b/c,,d "), (std::vector<std::string>{"a", "spiffe://b/c", "d"}));
  EXPECT_EQ(NameFault("spiffe://hail/edge"), "");
  EXPECT_EQ(NameFault("edge.hail"), "");
  EXPECT_THAT(NameFault("*.hail"), HasSubstr("wildcard"));
  EXPECT_THAT(NameFault("spiffe://hail/*"), HasSubstr("wildcard"));
  EXPECT_THAT(NameFault("spiffe://"), HasSubstr("after the scheme"));
  EXPECT_THAT(NameFault("a\nb"), HasSubstr("character"));
  EXPECT_THAT(NameFault(""), HasSubstr("empty"));
}

TEST(InternalCallerTest, TheNameSaysTheRole) {
  const auth::Caller service = InternalCaller({.dns = {"DRIVER-SERVICE.hail"}}, kPeers);
  ASSERT_NE(service.identity(), nullptr);
  EXPECT_EQ(service.identity()->role, auth::Role::kDriverService);
  EXPECT_EQ(service.identity()->subject, "driver-service.hail");
  const auth::Caller person = InternalCaller({.uris = {"spiffe://hail/operator"}}, kPeers);
  ASSERT_NE(person.identity(), nullptr);
  EXPECT_EQ(person.identity()->role, auth::Role::kOperator);
  EXPECT_EQ(person.identity()->subject, "spiffe://hail/operator");
  EXPECT_EQ(person.identity()->rider, "");
}

TEST(InternalCallerTest, WhoIsOnNoListOrOnTwoIsNobody) {
  for (const PeerNames& peer : {PeerNames{}, PeerNames{.uris = {"spiffe://hail/edge"}, .dns = {"edge"}},
                                PeerNames{.uris = {"spiffe://hail/operator"}, .dns = {"driver-service.hail"}}}) {
    const auth::Caller caller = InternalCaller(peer, kPeers);
    EXPECT_EQ(caller.identity(), nullptr);
    EXPECT_FALSE(caller.unchecked());
  }
}

}  // namespace
}  // namespace hail::tls
