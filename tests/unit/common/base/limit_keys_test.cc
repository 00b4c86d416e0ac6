#include "common/config/limit_keys.h"

#include "common/config/load.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hail::config {
namespace {

using limits::Class;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Schema LimitSchema() {
  Schema schema;
  AddLimitKeys(&schema);
  return schema;
}

const limits::Rates& Of(const LimitSettings& settings, Class what) {
  return settings.rates.of_class[static_cast<std::size_t>(what)];
}

TEST(LimitKeysTest, TheDefaultsAreThoseOfTheLibrary) {
  const LimitSettings settings = ReadLimitSettings(ValuesWith(LimitSchema()));
  const limits::CallLimits shipped = limits::CallLimits::Shipped();
  EXPECT_EQ(settings.rates.of_class, shipped.of_class);
  EXPECT_EQ(settings.rates.of_network, shipped.of_network);
  EXPECT_EQ(settings.rates.buckets, shipped.buckets);
  EXPECT_EQ(settings.subject_share, 1.0 / 16);
  EXPECT_EQ(settings.network_share, 1.0 / 4);
  EXPECT_EQ(settings.streams_of_subject, 3u);
  EXPECT_EQ(settings.connections_of_network, 1000);
  EXPECT_EQ(settings.audit_file, "");
}

TEST(LimitKeysTest, SettingsFollow) {
  const LimitSettings settings = ReadLimitSettings(ValuesWith(LimitSchema(), {{"limits.request_ride", "5/h"},
                                                                              {"limits.read", "off"},
                                                                              {"limits.address", "7/s,100/min"},
                                                                              {"limits.subject_share", "0.5"},
                                                                              {"limits.connections_per_address", "0"},
                                                                              {"audit.file", "/var/log/hail/audit"}}));
  EXPECT_THAT(Of(settings, Class::kRequestRide), ElementsAre(limits::Rate{5, absl::Hours(1)}));
  EXPECT_THAT(Of(settings, Class::kRead), IsEmpty());
  EXPECT_THAT(settings.rates.of_network,
              ElementsAre(limits::Rate{7, absl::Seconds(1)}, limits::Rate{100, absl::Minutes(1)}));
  EXPECT_EQ(settings.subject_share, 0.5);
  EXPECT_EQ(settings.connections_of_network, 0);
  EXPECT_EQ(settings.audit_file, "/var/log/hail/audit");
}

TEST(LimitKeysTest, BadRatesAreRefused) {
  for (const char* rates : {"fast", "0/s", "1/fortnight"}) {
    const std::vector<std::string> arguments{"--set", std::string("limits.quote_ride=") + rates};
    EXPECT_THAT(Load({.name = "test"}, LimitSchema(), arguments, {}).problems,
                ElementsAre(HasSubstr("must be off, or up to three rates")))
        << rates;
  }
}

}  // namespace
}  // namespace hail::config
