#include "common/postgres/migrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/engines/postgres_server.h"

namespace hail::postgres {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::SharedPostgres;

constexpr absl::Duration kPatience = absl::Seconds(10);

const std::vector<Migration> kOne = {{"CREATE TABLE a (n INTEGER); INSERT INTO a VALUES (1)"}};
const std::vector<Migration> kTwo = {kOne[0], {"ALTER TABLE a ADD COLUMN m INTEGER DEFAULT 2"}};

class MigrateTest : public ::testing::Test {
 protected:
  absl::Status Run(const std::vector<Migration>& migrations) const {
    return Migrate(*ParseUrl(SharedPostgres().url()), schema_, migrations, kPatience);
  }
  std::string Ask(const std::string& what, const std::string& table) const {
    return SharedPostgres().Ask("SELECT " + what + " FROM " + schema_ + "." + table)[0][0];
  }
  std::string Version() const { return Ask("version", "schema_version"); }

  const std::string schema_ = testing::UniqueSchema();
};

TEST_F(MigrateTest, EachIsAppliedOnce) {
  ASSERT_TRUE(Run(kOne).ok());
  ASSERT_TRUE(Run(kOne).ok());
  EXPECT_EQ(Ask("COUNT(*)", "a"), "1");
  ASSERT_TRUE(Run(kTwo).ok());
  EXPECT_EQ(Ask("m", "a"), "2");
  EXPECT_EQ(Version(), "2");
}

TEST_F(MigrateTest, ManyAtTheSameTimeApplyEachOnce) {
  std::vector<absl::Status> statuses(8);
  std::vector<std::thread> threads;
  for (absl::Status& status : statuses) threads.emplace_back([&] { status = Run(kTwo); });
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : statuses) EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(Ask("COUNT(*)", "a"), "1");
  EXPECT_EQ(Version(), "2");
}

TEST_F(MigrateTest, ANewerSchemaIsLeftAlone) {
  ASSERT_TRUE(Run(kTwo).ok());
  const absl::Status status = Run(kOne);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("is of version 2, this program knows 1"));
}

TEST_F(MigrateTest, AMigrationThatFailsLeavesNothing) {
  ASSERT_TRUE(Run(kOne).ok());
  EXPECT_FALSE(Run({kOne[0], {"UPDATE a SET n = 7; CREATE TABLE broken (n NO_SUCH_TYPE)"}}).ok());
  EXPECT_EQ(Ask("n", "a"), "1");
  EXPECT_EQ(Version(), "1");
}

TEST_F(MigrateTest, WhatSomebodyMustMendIsToldFromWhatMayPass) {
  const absl::Status stranger = Migrate(*ParseUrl(SharedPostgres().url_of_a_stranger()), schema_, kOne, kPatience);
  EXPECT_TRUE(absl::IsFailedPrecondition(stranger)) << stranger;
  EXPECT_THAT(std::string(stranger.message()), Not(HasSubstr("hunter2")));

  ConnectParams nowhere = *ParseUrl(SharedPostgres().url());
  for (auto& [keyword, value] : nowhere) {
    if (keyword == "dbname") value = "no_such_database";
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(Migrate(nowhere, schema_, kOne, kPatience)));

  const absl::Status away = Migrate(*ParseUrl("postgres://hail@127.0.0.1:1/postgres"), schema_, kOne, kPatience);
  EXPECT_TRUE(absl::IsUnavailable(away)) << away;
}

TEST(UrlTest, OnlyAUrlOfPostgresIsOne) {
  EXPECT_TRUE(ParseUrl("postgres://hail:pw@db-1,db-2:5433/city?sslmode=require").ok());
  for (const std::string bad :
       {"", "host=db", "mysql://db", "postgres://u:hunter2@db/city?no_such=1", "postgres://[::1"}) {
    const auto params = ParseUrl(bad);
    ASSERT_FALSE(params.ok()) << bad;
    EXPECT_THAT(std::string(params.status().message()), Not(HasSubstr("hunter2")));
  }
}

TEST(UrlTest, PasswordsAreNotShown) {
  EXPECT_EQ(WithoutPassword("postgres://hail:hunter2@db:5432/city"), "postgres://hail:***@db:5432/city");
  EXPECT_EQ(WithoutPassword("postgres://hail:hun:ter/2@db/city"), "postgres://hail:***@db/city");
  EXPECT_EQ(WithoutPassword("postgres://db/city?password=hunter2&user=hail"),
            "postgres://db/city?password=***&user=hail");
  EXPECT_EQ(WithoutPassword("postgres//hail:hunter2@db"), "postgres//hail:***@db") << "also where it is wrong";
  for (const std::string as_it_is : {"postgres://hail@db:5432/city", "postgres://db:5432/city", "sqlite:/x/y.db", ""}) {
    EXPECT_EQ(WithoutPassword(as_it_is), as_it_is);
  }
}

}  // namespace
}  // namespace hail::postgres
