#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "common/config/load.h"
#include "common/config/schema.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace hail::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

const Program kProgram{.name = "test-service", .version = "1.2.3", .summary = "Serves a test."};

Schema TestSchema() {
  Schema schema;
  schema.String("data_dir", "data", "Where data goes.", NotEmpty())
      .String("store.url", "sqlite:{data_dir}/x.db", "The store.")
      .Int("offers.at_once", 3, "Offers | made at once.", IntFrom(1, 10))
      .Double("speed", 1.5, "Metres a second.", DoubleFrom(0, 100))
      .Bool("fast", false, "Whether it is fast.")
      .Duration("offer.time", absl::Seconds(15), "Time to answer.", DurationFrom(absl::Seconds(1), absl::Hours(1)))
      .Duration("offer.total", absl::Minutes(2), "Time for all answers.")
      .Probability("decline", 0.25, "Odds of no.")
      .Add({.name = "token", .type = Type::kString, .default_text = "hunter2", .doc = "A secret.", .secret = true});
  schema.CheckAll([](const Values& values) -> std::vector<std::string> {
    if (values.Duration("offer.time") <= values.Duration("offer.total")) return {};
    return {"offer.time must not be longer than offer.total"};
  });
  return schema;
}

Loaded LoadTest(const std::vector<std::string>& args, const Environment& environment = {}) {
  return Load(kProgram, TestSchema(), args, environment);
}

class FileTest : public testing::Test {
 protected:
  // The path of a file that holds `text`.
  std::string Write(const std::string& text) {
    path_ =
        testing::TempDir() + "/hail-config-" + testing::UnitTest::GetInstance()->current_test_info()->name() + ".json";
    std::ofstream(path_) << text;
    return path_;
  }
  void TearDown() override {
    if (!path_.empty()) std::remove(path_.c_str());
  }

 private:
  std::string path_;
};

TEST(LoadTest, DefaultsHoldWhenNothingIsGiven) {
  const Loaded loaded = LoadTest({});
  ASSERT_FALSE(loaded.exit.has_value()) << loaded.err;
  EXPECT_EQ(loaded.values.String("data_dir"), "data");
  EXPECT_EQ(loaded.values.String("store.url"), "sqlite:data/x.db");
  EXPECT_EQ(loaded.values.Int("offers.at_once"), 3);
  EXPECT_EQ(loaded.values.Double("speed"), 1.5);
  EXPECT_FALSE(loaded.values.Bool("fast"));
  EXPECT_EQ(loaded.values.Duration("offer.time"), absl::Seconds(15));
  EXPECT_EQ(loaded.values.Double("decline"), 0.25);
  EXPECT_EQ(loaded.port_file, "");
}

TEST_F(FileTest, EachSourceWinsOverTheOneBefore) {
  const std::string file = Write(R"({"offers.at_once": 4, "offer": {"time": "20s", "total": "3m"}, "speed": 2,
                                     "fast": true, "decline": 1, "data_dir": "from-file"})");
  const Environment environment = {{"HAIL_OFFER_TIME", "25s"}, {"HAIL_DATA_DIR", "from-env"}, {"PATH", "/bin"}};
  const Loaded loaded = LoadTest({"--set", "data_dir=from=flag", "--config", file, "--set=speed=1e1"}, environment);
  ASSERT_FALSE(loaded.exit.has_value()) << loaded.err;
  EXPECT_EQ(loaded.values.Int("offers.at_once"), 4);
  EXPECT_EQ(loaded.values.Duration("offer.total"), absl::Minutes(3));
  EXPECT_EQ(loaded.values.Duration("offer.time"), absl::Seconds(25));
  EXPECT_EQ(loaded.values.String("data_dir"), "from=flag");
  EXPECT_EQ(loaded.values.String("store.url"), "sqlite:from=flag/x.db") << "a default follows the key it names";
  EXPECT_EQ(loaded.values.Double("speed"), 10);
  EXPECT_TRUE(loaded.values.Bool("fast"));
  EXPECT_EQ(loaded.values.Double("decline"), 1);
}

TEST(LoadTest, TheLastSetWins) {
  const Loaded loaded = LoadTest({"--set", "offers.at_once=5", "--set", "offers.at_once=6", "--port-file", "/tmp/p"});
  ASSERT_FALSE(loaded.exit.has_value()) << loaded.err;
  EXPECT_EQ(loaded.values.Int("offers.at_once"), 6);
  EXPECT_EQ(loaded.port_file, "/tmp/p");
}

TEST(LoadTest, OnlyDefaultsAreFilledIn) {
  const Loaded loaded = LoadTest({"--set", "store.url=sqlite:{data_dir}"});
  EXPECT_EQ(loaded.values.String("store.url"), "sqlite:{data_dir}");
}

TEST_F(FileTest, ListsEveryProblemAtOnce) {
  const std::string file = Write(R"({"speed": "fast", "ofers": {"at_once": 1}, "decline": 1.5, "offer.time": 15})");
  const Environment environment = {{"HAIL_FAST", "yes"}, {"HAIL_NO_SUCH", "1"}};
  const Loaded loaded = LoadTest({"--config", file, "--set", "offers.at_once=11", "--set", "nonsense", "--set",
                                  "data_dri=x", "--verbose", "stray"},
                                 environment);
  ASSERT_EQ(loaded.exit, 2);
  EXPECT_THAT(
      loaded.problems,
      UnorderedElementsAre(
          AllOf(HasSubstr(file), HasSubstr("speed"), HasSubstr("\"fast\""), HasSubstr("not a number")),
          AllOf(HasSubstr(file), HasSubstr("ofers.at_once"), HasSubstr("did you mean offers.at_once")),
          AllOf(HasSubstr(file), HasSubstr("decline"), HasSubstr("probability")),
          AllOf(HasSubstr(file), HasSubstr("offer.time"), HasSubstr("15"), HasSubstr("duration")),
          AllOf(HasSubstr("environment HAIL_FAST"), HasSubstr("yes"), HasSubstr("boolean")),
          HasSubstr("environment HAIL_NO_SUCH"),
          AllOf(HasSubstr("--set"), HasSubstr("offers.at_once"), HasSubstr("\"11\""), HasSubstr("from 1 to 10")),
          AllOf(HasSubstr("--set nonsense"), HasSubstr("key=value")),
          AllOf(HasSubstr("data_dri"), HasSubstr("did you mean data_dir")), HasSubstr("--verbose"),
          HasSubstr("stray")));
  for (const std::string& problem : loaded.problems) EXPECT_THAT(loaded.err, HasSubstr(problem));
  EXPECT_THAT(loaded.err, HasSubstr("11 problems"));
  EXPECT_EQ(loaded.out, "");
}

TEST(LoadTest, BadTextIsRefusedByType) {
  for (const std::string bad : {"offers.at_once=1.5",
                                "offers.at_once=",
                                "offers.at_once=3x",
                                "offers.at_once=99999999999999999999",
                                "speed=nan",
                                "speed=inf",
                                "speed=",
                                "fast=1",
                                "fast=TRUE",
                                "offer.time=15",
                                "offer.time=-1s",
                                "offer.time=inf",
                                "offer.time=",
                                "decline=-0.1",
                                "decline=1.1",
                                "decline=nan",
                                "data_dir=",
                                "offer.time=2h",
                                "offer.time=1ms",
                                "speed=101"}) {
    const Loaded loaded = LoadTest({"--set", bad});
    EXPECT_EQ(loaded.exit, 2) << bad;
    EXPECT_EQ(loaded.problems.size(), 1u) << bad;
  }
  for (const std::string good : {"offers.at_once=10", "speed=0", "fast=true", "offer.time=1m30s", "offer.time=1.5s",
                                 "decline=0", "decline=1", "offer.total=0"}) {
    const Loaded loaded = LoadTest({"--set", good, "--set", good == "offer.total=0" ? "offer.total=15s" : good});
    EXPECT_FALSE(loaded.exit.has_value()) << good << loaded.err;
  }
}

TEST(LoadTest, ChecksAcrossKeysOnceEachIsGood) {
  EXPECT_THAT(LoadTest({"--set", "offer.time=3m"}).problems,
              ElementsAre("offer.time must not be longer than offer.total"));
  EXPECT_EQ(LoadTest({"--set", "offer.time=3m"}).exit, 2);
  EXPECT_FALSE(LoadTest({"--set", "offer.time=3m", "--set", "offer.total=3m"}).exit.has_value());
  EXPECT_THAT(LoadTest({"--set", "offer.time=3m", "--set", "speed=x"}).problems, ElementsAre(HasSubstr("speed")));
}

TEST(LoadTest, ACheckIsForTheValueThatCounts) {
  const Loaded loaded = LoadTest({"--set", "offers.at_once=5"}, {{"HAIL_OFFERS_AT_ONCE", "11"}});
  EXPECT_FALSE(loaded.exit.has_value()) << loaded.err;
}

TEST_F(FileTest, RefusesFilesThatAreNotAConfiguration) {
  EXPECT_THAT(LoadTest({"--config", "/no/such/file"}).problems, ElementsAre(HasSubstr("/no/such/file")));
  EXPECT_THAT(LoadTest({"--config", testing::TempDir()}).problems, ElementsAre(HasSubstr("cannot be read")));
  EXPECT_THAT(LoadTest({"--config", Write("{\"speed\": 1")}).problems, ElementsAre(HasSubstr("not JSON")));
  EXPECT_THAT(LoadTest({"--config", Write("")}).problems, ElementsAre(HasSubstr("not JSON")));
  EXPECT_THAT(LoadTest({"--config", Write(std::string("\xff\xfe{\0}\0", 6))}).problems,
              ElementsAre(HasSubstr("is in UTF-16")));
  EXPECT_THAT(LoadTest({"--config", Write("\xef\xbb\xbf{}")}).problems, IsEmpty()) << "a byte order mark is skipped";
  EXPECT_THAT(LoadTest({"--config", Write("[1]")}).problems, ElementsAre(HasSubstr("JSON object")));
  EXPECT_FALSE(LoadTest({"--config", Write("{}")}).exit.has_value());
}

TEST_F(FileTest, RefusesKeysGivenTwice) {
  EXPECT_THAT(LoadTest({"--config", Write(R"({"offer": {"time": "5s"}, "offer.time": "6s"})")}).problems,
              ElementsAre(HasSubstr("offer.time is given twice")));
  EXPECT_THAT(LoadTest({"--config", Write(R"({"speed": 1, "speed": 2})")}).problems,
              ElementsAre(HasSubstr("speed is given twice")));
  EXPECT_FALSE(
      LoadTest({"--config", Write(R"({"offer": {"time": "5s"}, "offers": {"at_once": 2}})")}).exit.has_value());
}

TEST_F(FileTest, RefusesOtherJsonKinds) {
  for (const std::string bad : {R"({"speed": null})", R"({"speed": true})", R"({"speed": [1]})", R"({"speed": {}})",
                                R"({"offers.at_once": 2.0})", R"({"offers.at_once": "2"})", R"({"fast": "true"})",
                                R"({"data_dir": 1})", R"({"offers.at_once": 18446744073709551615})", R"({"x": {}})",
                                R"({"speed": {"x": 1}})", R"({"decline": "0.5"})"}) {
    EXPECT_EQ(LoadTest({"--config", Write(bad)}).problems.size(), 1u) << bad;
  }
}

TEST(LoadTest, FlagsWithoutTheirValueAreRefused) {
  EXPECT_EQ(LoadTest({"--set"}).exit, 2);
  EXPECT_EQ(LoadTest({"--config"}).exit, 2);
}

TEST(LoadTest, PrintsTheEffectiveConfiguration) {
  const Loaded loaded = LoadTest({"--print-config", "--set", "token=swordfish"}, {{"HAIL_OFFER_TIME", "90s"}});
  ASSERT_EQ(loaded.exit, 0) << loaded.err;
  EXPECT_THAT(loaded.out, Not(HasSubstr("swordfish")));
  const auto printed = nlohmann::json::parse(loaded.out);
  EXPECT_EQ(printed.size(), 9u);
  EXPECT_EQ(printed["offer.time"], "1m30s");
  EXPECT_EQ(printed["offers.at_once"], 3);
  EXPECT_EQ(printed["speed"], 1.5);
  EXPECT_EQ(printed["fast"], false);
  EXPECT_EQ(printed["store.url"], "sqlite:data/x.db");
  EXPECT_EQ(printed["token"], "<redacted>");
}

TEST_F(FileTest, WhatIsPrintedCanBeReadBack) {
  const Loaded first = LoadTest({"--print-config", "--set", "offer.time=1m30s", "--set", "speed=0.1"});
  const Loaded second = LoadTest({"--print-config", "--config", Write(first.out)});
  EXPECT_EQ(second.exit, 0) << second.err;
  EXPECT_EQ(first.out, second.out);
}

TEST(LoadTest, PrintConfigStillRefuses) {
  const Loaded loaded = LoadTest({"--print-config", "--set", "speed=x"});
  EXPECT_EQ(loaded.exit, 2);
  EXPECT_EQ(loaded.out, "");
}

TEST(LoadTest, SecretsStayOutOfProblems) {
  Schema schema;
  schema.Add({.name = "pin",
              .type = Type::kInt,
              .default_text = "1234",
              .doc = "A secret.",
              .check = IntFrom(1000, 9999),
              .secret = true});
  for (const std::string bad : {"pin=77777", "pin=swordfish"}) {
    const Loaded loaded = Load(kProgram, schema, {"--set", bad}, {});
    EXPECT_EQ(loaded.problems.size(), 1u);
    EXPECT_THAT(loaded.err, AllOf(HasSubstr("pin"), Not(HasSubstr("77777")), Not(HasSubstr("swordfish"))));
  }
  EXPECT_THAT(HelpText(schema), Not(HasSubstr("1234")));
  EXPECT_THAT(HelpMarkdown(schema), Not(HasSubstr("1234")));
}

TEST(LoadTest, HelpNamesFlagsAndKeys) {
  const Loaded loaded = LoadTest({"--help", "--set", "speed=x"}, {{"HAIL_NO_SUCH", "1"}});
  EXPECT_EQ(loaded.exit, 0);
  EXPECT_THAT(loaded.out, AllOf(HasSubstr("Serves a test."), HasSubstr("--config"), HasSubstr("--set"),
                                HasSubstr("--print-config"), HasSubstr("--port-file"), HasSubstr("--version"),
                                HasSubstr("offer.time (duration, default 15s)"), HasSubstr("Time to answer.")));
  EXPECT_EQ(LoadTest({"-h"}).out, loaded.out);
}

TEST(LoadTest, HelpMarkdownIsATable) {
  const Loaded loaded = LoadTest({"--help-markdown"});
  EXPECT_EQ(loaded.exit, 0);
  EXPECT_THAT(loaded.out,
              AllOf(HasSubstr("| `offer.time` | duration | `15s` | `HAIL_OFFER_TIME` | Time to answer. |\n"),
                    HasSubstr("Offers \\| made"), HasSubstr("| `token` | string |  | `HAIL_TOKEN` |")));
}

TEST(LoadTest, Version) {
  const Loaded loaded = LoadTest({"--version"});
  EXPECT_EQ(loaded.exit, 0);
  EXPECT_EQ(loaded.out, "test-service 1.2.3\n");
}

TEST(LoadTest, ReadsArgvWithoutTheProgramsName) {
  const char* argv[] = {"ignored=name", "--version"};
  EXPECT_EQ(Load(kProgram, TestSchema(), 2, argv).out, "test-service 1.2.3\n");
}

TEST(ValuesTest, ForTests) {
  const Values values = ValuesWith(TestSchema(), {{"speed", "7"}, {"data_dir", "d"}});
  EXPECT_EQ(values.Double("speed"), 7);
  EXPECT_EQ(values.String("store.url"), "sqlite:d/x.db");
}

TEST(ValuesDeathTest, MistakesInTheProgramAbort) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const Values values = ValuesWith(TestSchema());
  EXPECT_DEATH(values.String("no.such.key"), "no.such.key");
  EXPECT_DEATH(values.Int("speed"), "speed");
  EXPECT_DEATH(TestSchema().Int("offers_at.once", 1, ""), "share a name in the environment");
  EXPECT_DEATH(ValuesWith(TestSchema(), {{"speed", "x"}}), "speed");
}

TEST(CheckTest, Addresses) {
  const auto wrong = [](bool zero, const std::string& text) { return !Address(zero)(Value(text)).empty(); };
  for (const std::string good : {"127.0.0.1:50051", "[::1]:1", "name.example:65535", "0.0.0.0:80"}) {
    EXPECT_FALSE(wrong(false, good)) << good;
  }
  EXPECT_FALSE(wrong(true, "127.0.0.1:0"));
  EXPECT_TRUE(wrong(false, "127.0.0.1:0"));
  for (const std::string bad : {"", "127.0.0.1", ":50051", "::1:50051", "a b:1", "h:", "h:65536", "h:-1", "h:+1", "h:x",
                                "h:1 ", "[]:1", "h:99999999999"}) {
    EXPECT_TRUE(wrong(true, bad)) << bad;
  }
}

}  // namespace
}  // namespace hail::config
