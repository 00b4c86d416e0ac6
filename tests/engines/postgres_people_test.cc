// The erasure and the export of persons on PostgreSQL.
#include "rider-service/storage/postgres_ride_store.h"
#include "tests/conformance/people_conformance.h"
#include "tests/engines/postgres_server.h"

namespace hail::rider {
namespace {

class PostgresPeople final : public PeopleSubject {
 public:
  explicit PostgresPeople(const Clock* clock) : one_(Opened("one", clock)), other_(Opened("other", clock)) {}

  RideDatabase& one() override { return *one_; }
  RideDatabase& other() override { return *other_; }
  // The values of all columns of all tables; those of bytes as such, because they are read as text.
  std::string Everything() override {
    std::string all;
    for (const auto& column : testing::SharedPostgres().Ask(
             "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = '" +
             schema_ + "'")) {
      const std::string value = column[2] == "bytea" ? "encode(" + column[1] + ", 'escape')" : column[1] + "::text";
      for (const auto& row : testing::SharedPostgres().Ask("SELECT " + value + " FROM " + schema_ + "." + column[0])) {
        all += row[0] + "\n";
      }
    }
    return all;
  }

 private:
  std::unique_ptr<PostgresRideStore> Opened(const std::string& incarnation_id, const Clock* clock) {
    auto store = PostgresRideStore::Open(*postgres::ParseUrl(testing::SharedPostgres().url()),
                                         {.incarnation_id = incarnation_id, .schema = schema_}, clock, nullptr);
    if (!store.ok()) ADD_FAILURE() << store.status();
    return *std::move(store);
  }

  const std::string schema_ = testing::UniqueSchema();
  std::unique_ptr<PostgresRideStore> one_;
  std::unique_ptr<PostgresRideStore> other_;
};

INSTANTIATE_TEST_SUITE_P(OnPostgres, PeopleConformance,
                         ::testing::Values(PeopleKind{
                             "Postgres", [](const Clock* clock) { return std::make_unique<PostgresPeople>(clock); }}),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace hail::rider
