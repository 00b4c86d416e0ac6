// Statements and schemas use the same predicates on a ride's state, because a partial index serves only statements with
// its predicate.
#include "rider-service/storage/state_sql.h"

#include <gtest/gtest.h>

#include <string>

#include "common/sqlite/connection.h"
#include "rider-service/storage/postgres_schema.h"
#include "rider-service/storage/schema.h"
#include "tests/unit/rider-service/store_fixture.h"

namespace hail::rider {
namespace {

template <typename Migrations>
std::string TextOf(const Migrations& migrations) {
  std::string text;
  for (const auto& migration : migrations) text += migration.sql;
  return text;
}

// The predicate of `index` in a schema.
std::string PredicateOf(const std::string& schema, const std::string& index) {
  constexpr std::string_view kWhere = " WHERE ";
  const std::size_t at = schema.find(" INDEX " + index + " ON ");
  if (at == std::string::npos) return "no such index";
  const std::size_t end = schema.find(';', at);
  const std::size_t where = schema.find(kWhere, at);
  if (where == std::string::npos || where > end) return "no predicate";
  return schema.substr(where + kWhere.size(), end - where - kWhere.size());
}

TEST(StateSql, TheIndexesOfBothSchemasHaveThePredicatesOfTheStatements) {
  const std::string postgres = TextOf(PostgresMigrations());
  for (const std::string& schema : {TextOf(Migrations()), postgres}) {
    EXPECT_EQ(PredicateOf(schema, "rides_live"), StateIn(kLive));
    EXPECT_EQ(PredicateOf(schema, "rides_live_of_rider"), StateIn(kLive));
    EXPECT_EQ(PredicateOf(schema, "rides_live_of_driver"), StateIn(kWithDriver));
    EXPECT_EQ(PredicateOf(schema, "events_given_up"), TypeIs(RideEventType::kRedispatched));
    EXPECT_EQ(PredicateOf(schema, "events_assigned"), TypeIs(RideEventType::kAssigned));
  }
  EXPECT_EQ(PredicateOf(postgres, "rides_to_dispatch"), ToDispatch());
}

class StateSqlTest : public StoreFixture {
 protected:
  // SQLite's query plan.
  std::string PlanOf(const std::string& sql) {
    auto db = *sqlite::Connection::Open(path(), sqlite::Connection::Mode::kReadOnly);
    auto query = *db->Prepare("EXPLAIN QUERY PLAN " + sql);
    EXPECT_TRUE(*query.Step());
    return std::string(query.Text(3));
  }
};

TEST_F(StateSqlTest, SqliteUsesThePartialIndexes) {
  const auto uses = [&](const std::string& sql, const std::string& index) {
    const std::string plan = PlanOf(sql);
    EXPECT_NE(plan.find("INDEX " + index + " "), std::string::npos) << sql << ": " << plan;
  };
  uses("SELECT ride FROM rides WHERE rider_id = 'r' AND " + StateIn(kLive), "rides_live_of_rider");
  uses("SELECT ride FROM rides WHERE driver_id = 'd' AND " + StateIn(kWithDriver), "rides_live_of_driver");
  uses("SELECT event FROM events WHERE driver_id = 'd' AND offer_id = 'o' AND " + TypeIs(RideEventType::kRedispatched),
       "events_given_up");
  uses("SELECT event FROM events WHERE driver_id = 'd' AND event_time_us > 0 AND " + TypeIs(RideEventType::kAssigned),
       "events_assigned");
}

}  // namespace
}  // namespace hail::rider
