#include "common/config/service_keys.h"

#include <map>
#include <utility>
#include <vector>

#include "common/config/load.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/common/tls/certificates.h"
#include "tests/unit/temp_file.h"

namespace hail::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Schema ServiceSchema() {
  Schema schema;
  AddServiceKeys({.listen = "127.0.0.1:50051",
                  .internal_listen = "127.0.0.1:50061",
                  .metrics_listen = "127.0.0.1:9464",
                  .data_dir = "hail-data/rider-service",
                  .store_file = "rider.db",
                  .bus = true,
                  .audience = "hail-rider"},
                 &schema);
  return schema;
}

std::vector<std::string> Problems(const std::vector<std::string>& sets) {
  std::vector<std::string> args;
  for (const std::string& set : sets) {
    args.push_back("--set");
    args.push_back(set);
  }
  return Load({.name = "rider-service"}, ServiceSchema(), args, {}).problems;
}

TEST(ServiceKeysTest, DefaultsNeedNothing) {
  const ServiceSettings settings = ReadServiceSettings(ValuesWith(ServiceSchema()));
  EXPECT_EQ(settings.listen, "127.0.0.1:50051");
  EXPECT_EQ(settings.internal_listen, "127.0.0.1:50061");
  EXPECT_EQ(settings.metrics_listen, "127.0.0.1:9464");
  EXPECT_EQ(settings.store_path, "hail-data/rider-service/rider.db");
  EXPECT_EQ(settings.time_scale.scale, 1);
  EXPECT_EQ(settings.log_level, LogLevel::kInfo);
  EXPECT_EQ(settings.shutdown_notice, absl::Seconds(1));
  EXPECT_EQ(settings.shutdown_grace, absl::Seconds(8));
}

TEST(ServiceKeysTest, SettingsFollow) {
  const ServiceSettings settings = ReadServiceSettings(ValuesWith(ServiceSchema(), {{"data_dir", "/var/lib/hail"},
                                                                                    {"time_scale", "30"},
                                                                                    {"time_anchor", "1000.5:2000"},
                                                                                    {"log.level", "warn"},
                                                                                    {"shutdown.grace", "3s"}}));
  EXPECT_EQ(settings.data_dir, "/var/lib/hail");
  EXPECT_EQ(settings.store_path, "/var/lib/hail/rider.db");
  EXPECT_EQ(settings.time_scale.ToDomain(absl::FromUnixMillis(1'001'500)), absl::FromUnixSeconds(2030));
  EXPECT_EQ(settings.log_level, LogLevel::kWarn);
  EXPECT_EQ(settings.shutdown_grace, absl::Seconds(3));
  EXPECT_EQ(ReadServiceSettings(ValuesWith(ServiceSchema(), {{"store.url", "sqlite:/x/y.db"}})).store_path, "/x/y.db");
  EXPECT_FALSE(settings.store_database);
  EXPECT_TRUE(ReadServiceSettings(ValuesWith(ServiceSchema(), {{"store.url", "postgres://db/city"}})).store_database);
}

TEST(ServiceKeysTest, ReflectionIsForThisMachineUnlessItIsSaidOtherwise) {
  const auto reflection = [](const std::string& listen, const std::string& value) {
    const ServiceSettings settings = ReadServiceSettings(
        ValuesWith(ServiceSchema(), {{"listen", listen}, {"reflection", value}, {"auth.mode", "insecure"}}));
    return std::pair(settings.reflection, settings.internal_reflection);
  };
  for (const char* here : {"127.0.0.1:50051", "127.8.9.1:0", "[::1]:50051", "localhost:50051"}) {
    EXPECT_EQ(reflection(here, "auto"), std::pair(true, false)) << here;
    EXPECT_EQ(reflection(here, "off"), std::pair(false, false)) << here;
  }
  for (const char* anywhere : {"0.0.0.0:50051", "[::]:50051", "10.0.0.1:50051", "127.example.com:50051", "host:0"}) {
    EXPECT_EQ(reflection(anywhere, "auto"), std::pair(false, false)) << anywhere;
    EXPECT_EQ(reflection(anywhere, "on"), std::pair(true, true)) << anywhere;
  }
  EXPECT_TRUE(ReadServiceSettings(ValuesWith(ServiceSchema())).reflection);
}

TEST(ServiceKeysTest, CallersAreCheckedUnlessListenIsOfThisMachineOrItIsSaidInWords) {
  EXPECT_THAT(Problems({"listen=0.0.0.0:50051"}), ElementsAre(HasSubstr("auth.mode=insecure to serve everybody")));
  EXPECT_THAT(Problems({"listen=0.0.0.0:50051", "auth.mode=insecure"}), ElementsAre());
  EXPECT_THAT(Problems({"listen=localhost:50051", "auth.mode=insecure"}), ElementsAre());
  EXPECT_THAT(Problems({"auth.mode=none"}), ElementsAre(HasSubstr("off, insecure, tokens")));

  EXPECT_THAT(Problems({"auth.mode=tokens"}),
              ElementsAre(HasSubstr("auth.keys: auth.mode=tokens needs it"), HasSubstr("auth.issuer")));
  EXPECT_THAT(Problems({"auth.mode=tokens", "auth.keys=keys.json", "auth.issuer=hail", "auth.audience="}),
              ElementsAre(HasSubstr("auth.audience")));
  EXPECT_THAT(Problems({"auth.mode=tokens", "auth.keys=keys.json", "auth.issuer=hail", "listen=127.0.0.1:1"}),
              ElementsAre());
  // An operator who names keys must not serve everybody by mistake.
  EXPECT_THAT(Problems({"auth.keys=keys.json"}), ElementsAre(HasSubstr("no effect unless auth.mode=tokens")));
  EXPECT_THAT(Problems({"auth.mode=tokens", "auth.keys=http://hail/keys", "auth.issuer=hail"}),
              ElementsAre(HasSubstr("file or an https URL")));
  EXPECT_THAT(Problems({"auth.mode=tokens", "auth.keys=keys.json", "auth.issuer=hail", "auth.keys_ca=ca.pem"}),
              ElementsAre(HasSubstr("auth.keys_ca")));
}

TEST(ServiceKeysTest, TheSettingsSayWhoMayCall) {
  const AuthSettings off = ReadServiceSettings(ValuesWith(ServiceSchema())).auth;
  EXPECT_EQ(off.mode, AuthMode::kOff);
  EXPECT_TRUE(off.anonymous);
  const AuthSettings tokens = ReadServiceSettings(ValuesWith(ServiceSchema(), {{"auth.mode", "tokens"},
                                                                               {"auth.keys", "https://hail/keys"},
                                                                               {"auth.keys_ca", "ca.pem"},
                                                                               {"auth.issuer", "hail"},
                                                                               {"auth.anonymous", "false"}}))
                                  .auth;
  EXPECT_EQ(tokens.mode, AuthMode::kTokens);
  EXPECT_EQ(tokens.keys, "https://hail/keys");
  EXPECT_EQ(tokens.keys_ca, "ca.pem");
  EXPECT_EQ(tokens.issuer, "hail");
  EXPECT_EQ(tokens.audience, "hail-rider");
  EXPECT_FALSE(tokens.anonymous);
}

TEST(ServiceKeysTest, BadValuesAreRefused) {
  EXPECT_THAT(Problems({"reflection=true"}), ElementsAre(HasSubstr("auto, on, off")));
  EXPECT_THAT(Problems({"time_scale=30"}), ElementsAre(HasSubstr("needs an anchor")));
  EXPECT_THAT(Problems({"time_scale=30", "time_anchor=1"}), ElementsAre(HasSubstr("WALL:DOMAIN")));
  EXPECT_THAT(Problems({"time_scale=0"}), ElementsAre(HasSubstr("time_scale")));
  EXPECT_THAT(Problems({"store.url=mysql://db"}), ElementsAre(HasSubstr("sqlite:FILE or postgres:")));
  EXPECT_THAT(Problems({"store.url=postgres://hail:hunter2@db/city?no_such=1"}),
              ElementsAre(AllOf(HasSubstr("hail:***@db"), HasSubstr("must be postgres:"), Not(HasSubstr("hunter2")))));
  EXPECT_THAT(Problems({"bus.url=nats://"}), ElementsAre(HasSubstr("must be local: or nats:")));
  EXPECT_THAT(Problems({"bus.url=nats://a:4222,b:hunter2@c"}),
              ElementsAre(AllOf(HasSubstr("***@c"), Not(HasSubstr("hunter2")))));
  EXPECT_THAT(Problems({"bus.url=nats://a:4222,tls://user:hunter2@b:4222"}), ElementsAre());
  EXPECT_THAT(Problems({"store.url=sqlite:"}), ElementsAre(HasSubstr("sqlite:FILE")));
  EXPECT_THAT(Problems({"bus.url=kafka://bus"}), ElementsAre(HasSubstr("local:")));
  EXPECT_THAT(Problems({"listen=50051"}), ElementsAre(HasSubstr("HOST:PORT")));
  EXPECT_THAT(Problems({"log.level=loud"}), ElementsAre(HasSubstr("debug, info, warn, error")));
  EXPECT_THAT(Problems({"data_dir="}), ElementsAre(HasSubstr("empty")));
  EXPECT_EQ(Problems({"time_scale=1", "time_anchor=1:2", "listen=127.0.0.1:0", "log.level=debug"}).size(), 0u);
}

// Files of one good identity, as settings.
class TlsKeysTest : public ::testing::Test {
 protected:
  std::map<std::string, std::string> Settings(std::map<std::string, std::string> changes = {}) const {
    changes.insert(
        {{"tls.certificate", certificate_}, {"tls.key", key_}, {"tls.ca", ca_}, {"tls.peers", "driver-service"}});
    return changes;
  }
  std::vector<std::string> ProblemsWith(const std::map<std::string, std::string>& changes) const {
    std::vector<std::string> sets;
    for (const auto& [key, value] : Settings(changes)) sets.push_back(key + "=" + value);
    return Problems(sets);
  }

  const hail::testing::TempDirectory folder_;
  const hail::testing::TestAuthority authority_;
  const tls::IdentityPem pem_ = authority_.Identity("DNS:rider-service");
  const std::string certificate_ = folder_.Write("tls.crt", pem_.certificate);
  const std::string key_ = folder_.Write("tls.key", pem_.key);
  const std::string ca_ = folder_.Write("ca.crt", pem_.ca);
};

TEST_F(TlsKeysTest, SettingsFollow) {
  EXPECT_FALSE(ReadServiceSettings(ValuesWith(ServiceSchema())).tls);
  const ServiceSettings settings =
      ReadServiceSettings(ValuesWith(ServiceSchema(), Settings({{"tls.edges", "spiffe://hail/edge, Edge"},
                                                                {"tls.operators", "ops"},
                                                                {"listen", "0.0.0.0:50051"},
                                                                {"auth.mode", "insecure"},
                                                                {"health_listen", "127.0.0.1:50071"}})));
  ASSERT_TRUE(settings.tls);
  EXPECT_EQ(settings.tls->files.key, key_);
  EXPECT_THAT(settings.tls->edges.names(), ElementsAre("spiffe://hail/edge", "edge"));
  EXPECT_THAT(settings.tls->peers.names(), ElementsAre("driver-service"));
  EXPECT_THAT(settings.tls->operators.names(), ElementsAre("ops"));
  EXPECT_EQ(settings.health_listen, "127.0.0.1:50071");
}

TEST_F(TlsKeysTest, ConnectionsAreAtMostAnHourOld) {
  const auto age = [&](const std::map<std::string, std::string>& changes) {
    return ReadServiceSettings(ValuesWith(ServiceSchema(), Settings(changes))).connection_age;
  };
  EXPECT_EQ(age({}), absl::Hours(1));
  EXPECT_EQ(age({{"connection.age", "2h"}}), absl::Hours(1));
  EXPECT_EQ(age({{"connection.age", "5m"}}), absl::Minutes(5));
  EXPECT_EQ(ReadServiceSettings(ValuesWith(ServiceSchema())).connection_age, absl::InfiniteDuration());
}

TEST_F(TlsKeysTest, WhatBelongsTogetherIsGivenTogether) {
  EXPECT_THAT(ProblemsWith({}), ElementsAre());
  EXPECT_THAT(
      ProblemsWith({{"tls.key", ""}, {"tls.ca", ""}, {"tls.peers", ""}}),
      ElementsAre(HasSubstr("tls.key is missing"), HasSubstr("tls.ca is missing"), HasSubstr("tls.peers is missing")));
  EXPECT_THAT(Problems({"tls.edges=a", "tls.operators=b"}),
              ElementsAre(HasSubstr("tls.edges needs"), HasSubstr("tls.operators needs")));
  EXPECT_THAT(ProblemsWith({{"tls.operators", "Driver-Service"}}), ElementsAre(HasSubstr("both have driver-service")));
  EXPECT_THAT(ProblemsWith({{"tls.peers", "a,*.hail"}}), ElementsAre(HasSubstr("\"*.hail\" that has a wildcard")));
}

TEST_F(TlsKeysTest, AListenerWithoutTlsIsOnThisMachine) {
  const std::pair<const std::string, std::string> insecure("auth.mode", "insecure");
  EXPECT_THAT(ProblemsWith({insecure, {"listen", "0.0.0.0:50051"}}), ElementsAre(HasSubstr("tls.edges is missing")));
  EXPECT_THAT(Problems({"auth.mode=insecure", "listen=0.0.0.0:50051"}), ElementsAre());
  EXPECT_THAT(Problems({"auth.mode=tokens", "auth.keys=jwks.json", "auth.issuer=me", "auth.audience=you",
                        "listen=0.0.0.0:50051"}),
              ElementsAre(HasSubstr("tokens would cross the network in the clear")));
  EXPECT_THAT(ProblemsWith({{"listen", "[::1]:50051"}}), ElementsAre());
  EXPECT_THAT(ProblemsWith({insecure, {"listen", "0.0.0.0:50051"}, {"tls.edges", "edge"}}), ElementsAre());
  EXPECT_THAT(Problems({"health_listen=0.0.0.0:50071"}), ElementsAre(HasSubstr("must be an address of this machine")));
  EXPECT_THAT(Problems({"health_listen=127.0.0.1"}), ElementsAre(HasSubstr("HOST:PORT")));
}

TEST_F(TlsKeysTest, BadFilesAreAProblemEach) {
  EXPECT_THAT(ProblemsWith({{"tls.key", folder_.Write("other", authority_.Identity("DNS:x").key)}}),
              ElementsAre(HasSubstr("TLS: " + folder_.path("other") + ": is not the key of")));
  EXPECT_THAT(ProblemsWith({{"tls.key", "/none/1"}, {"tls.ca", "/none/2"}}),
              ElementsAre(HasSubstr("/none/1: cannot be read"), HasSubstr("/none/2: cannot be read")));
}

TEST(ServiceKeysTest, SecretsMayBeInFiles) {
  const hail::testing::TempDirectory folder;
  const std::string password = folder.Write("password", "secret\n");
  const ServiceSettings settings =
      ReadServiceSettings(ValuesWith(ServiceSchema(), {{"store.url", "postgres://hail:old@db/city"},
                                                       {"store.password_file", password},
                                                       {"bus.url", "tls://nats:4222"},
                                                       {"bus.ca", password},
                                                       {"bus.credentials_file", password}}));
  EXPECT_EQ(settings.store_database->back(), std::pair(std::string(postgres::kPasswordFile), password));
  EXPECT_EQ(settings.nats_files.ca, password);
  EXPECT_TRUE(settings.nats_files.tls());
  EXPECT_THAT(Problems({"store.password_file=" + password}), ElementsAre(HasSubstr("must be postgres:")));
  EXPECT_THAT(Problems({"store.url=postgres://db/x", "store.password_file=/none"}),
              ElementsAre(HasSubstr("/none cannot be read")));
  EXPECT_THAT(Problems({"bus.ca=/none", "bus.key=" + password}),
              ElementsAre(HasSubstr("bus.ca: /none cannot be read"), HasSubstr("belong together")));
}

TEST(PostgresUrlTest, AVerifiedConnectionChecksTheServersName) {
  const auto verified = [](const std::string& url) { return postgres::IsVerified(postgres::ParseUrl(url).value()); };
  for (const char* url : {"postgres:///city", "postgres://localhost/city", "postgres://127.0.0.1:5432/city",
                          "postgres://[::1]/city", "postgres:///city?host=/run/postgresql",
                          "postgres://db/city?sslmode=verify-full", "postgres://a,b/city?sslmode=verify-full"}) {
    EXPECT_TRUE(verified(url)) << url;
  }
  for (const char* url :
       {"postgres://db/city", "postgres://db/city?sslmode=require", "postgres://localhost,db/city",
        "postgres://db/city?sslmode=verify-ca", "postgres://localhost.evil/city", "postgres://127.example.com/city"}) {
    EXPECT_FALSE(verified(url)) << url;
  }
}

}  // namespace
}  // namespace hail::config
