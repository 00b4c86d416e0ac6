// The erasure and the export of persons on SQLite, down to the bytes of its files.
#include "tests/conformance/people_conformance.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "gmock/gmock.h"
#include "rider-service/storage/sqlite_ride_store.h"
#include "tests/conformance/temp_folder.h"

namespace hail::rider {
namespace {

class SqlitePeople final : public PeopleSubject {
 public:
  explicit SqlitePeople(const Clock* clock) {
    sqlite::DatabaseOptions options;
    options.path = folder_.path("rider.db");
    auto store = SqliteRideStore::Open(options, clock, nullptr);
    if (!store.ok()) ADD_FAILURE() << store.status();
    store_ = *std::move(store);
  }

  RideDatabase& one() override { return *store_; }
  RideDatabase& other() override { return *store_; }
  std::string Everything() override {
    std::string bytes;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path(""))) {
      std::ifstream file(entry.path(), std::ios::binary);
      bytes.append(std::istreambuf_iterator<char>(file), {});
    }
    return bytes;
  }

 private:
  const TempFolder folder_;
  std::unique_ptr<SqliteRideStore> store_;
};

INSTANTIATE_TEST_SUITE_P(OnSqlite, PeopleConformance,
                         ::testing::Values(PeopleKind{
                             "Sqlite", [](const Clock* clock) { return std::make_unique<SqlitePeople>(clock); }}),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace hail::rider
