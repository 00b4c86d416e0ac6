// The conformance suite of DriverStore, on PostgreSQL.
#include "driver-service/storage/postgres_driver_store.h"

#include "common/time/fake_clock.h"
#include "tests/conformance/driver_store_conformance.h"
#include "tests/conformance/driver_store_kinds.h"
#include "tests/conformance/stored_offers.h"
#include "tests/engines/postgres_server.h"

namespace hail::driver {
namespace {

class PostgresSubject final : public DriverStoreSubject {
 public:
  explicit PostgresSubject(const Clock* clock) : clock_(clock) { Open(); }

  DriverStore& store() override { return *store_; }
  void Reopen() override {
    store_.reset();
    Open();
  }

  void EndOfLease(const std::string& replica) override {
    testing::SharedPostgres().Ask("UPDATE " + schema_ + ".leases SET lease_end = clock_timestamp() WHERE holder = '" +
                                  replica + "'");
  }

  std::vector<OfferRecord> OfferLog() override {
    // Closing the store writes all waiting records.
    Reopen();
    std::vector<OfferRecord> records;
    const testing::Table table = testing::SharedPostgres().Ask(
        "SELECT offer_id, ride_id, epoch, driver_id, outcome, revoke_reason, received, made_time, settled_time,"
        " pickup_eta_us, pickup_distance_m FROM " +
        schema_ + ".offers ORDER BY offer_id COLLATE \"C\"");
    for (const auto& row : table) {
      records.push_back(StoredOffer({.offer_id = row[0],
                                     .ride_id = row[1],
                                     .epoch = std::stoll(row[2]),
                                     .driver_id = row[3],
                                     .outcome = row[4],
                                     .revoke_reason = row[5],
                                     .received = std::stoll(row[6]),
                                     .made_time_us = std::stoll(row[7]),
                                     .settled_time_us = std::stoll(row[8]),
                                     .pickup_eta_us = std::stoll(row[9]),
                                     .pickup_distance_m = std::stod(row[10])}));
    }
    return records;
  }

 private:
  void Open() {
    auto store = PostgresDriverStore::Open(*postgres::ParseUrl(testing::SharedPostgres().url()), {.schema = schema_},
                                           clock_, nullptr);
    if (!store.ok()) ADD_FAILURE() << store.status();
    store_ = *std::move(store);
  }

  const Clock* const clock_;
  const std::string schema_ = testing::UniqueSchema();
  std::unique_ptr<PostgresDriverStore> store_;
};

}  // namespace

DriverStoreKind RealKind() {
  return {.name = "Postgres",
          .open = [](const Clock* clock) { return std::make_unique<PostgresSubject>(clock); },
          .in_order = false};
}

namespace {

// In an old database several drivers may be online with one plate: the latest stays online.
TEST(PostgresDriverStoreTest, ADatabaseOfBeforeOpensAlsoWherePlatesCollide) {
  const std::string schema = testing::UniqueSchema();
  const auto params = *postgres::ParseUrl(testing::SharedPostgres().url());
  ASSERT_TRUE(postgres::Migrate(params, schema, {PostgresMigrations()[0]}, absl::Seconds(10)).ok());
  const auto add = [&](const std::string& id, const std::string& plate, int online, int updated) {
    testing::SharedPostgres().Ask("INSERT INTO " + schema + ".drivers (driver_id, display_name, region_id," +
                                  " vehicle_make, vehicle_model, vehicle_color, vehicle_plate, vehicle_seats," +
                                  " product_ids, online, create_time, update_time) VALUES ('" + id +
                                  "', '', 'sf', '', '', '', '" + plate + "', 4, 'economy', " + std::to_string(online) +
                                  ", 1, " + std::to_string(updated) + ")");
  };
  add("d1", "twin 001-é", 1, 1);
  add("d2", "TWIN_001é", 1, 3);
  add("d3", "twin(001)é", 1, 2);
  add("d4", "TWIN001É", 1, 1);
  add("d5", "--", 1, 1);
  add("d6", "- ", 1, 1);
  FakeClock clock;
  ASSERT_TRUE(PostgresDriverStore::Open(params, {.schema = schema}, &clock, nullptr).ok());
  // As a replica of the old release, still running, adds it.
  add("d7", "TWIN 001é", 0, 9);
  testing::Table expected{{"d1", "0", "TWIN001é"}, {"d2", "1", "TWIN001é"}, {"d3", "0", "TWIN001é"},
                          {"d4", "1", "TWIN001É"}, {"d5", "1", ""},         {"d6", "1", ""},
                          {"d7", "0", "TWIN001é"}};
  EXPECT_EQ(testing::SharedPostgres().Ask("SELECT driver_id, online, plate_key FROM " + schema +
                                          ".drivers ORDER BY driver_id"),
            expected);
}

INSTANTIATE_TEST_SUITE_P(OnPostgres, DriverStoreConformance, ::testing::Values(RealKind()),
                         [](const auto& kind) { return kind.param.name; });
INSTANTIATE_TEST_SUITE_P(OnPostgres, SharedDriverStore, ::testing::Values(RealKind()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace hail::driver
