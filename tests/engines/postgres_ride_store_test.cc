// The conformance suite of RideStore, on PostgreSQL.
#include "rider-service/storage/postgres_ride_store.h"

#include <stdexcept>

#include "absl/synchronization/notification.h"
#include "tests/conformance/ride_store_conformance.h"
#include "tests/conformance/ride_store_kinds.h"
#include "tests/engines/postgres_server.h"

namespace hail::rider {
namespace {

class PostgresSubject final : public RideStoreSubject {
 public:
  explicit PostgresSubject(const Clock* clock) : clock_(clock) { Open(); }

  RideStore& store() override { return *store_; }
  RideStore* other() override {
    if (other_ == nullptr) other_ = Opened("other");
    return other_.get();
  }
  void Reopen() override {
    store_.reset();
    Open();
  }

 private:
  void Open() { store_ = Opened("one"); }
  std::unique_ptr<PostgresRideStore> Opened(const std::string& incarnation_id) {
    auto store = PostgresRideStore::Open(*postgres::ParseUrl(testing::SharedPostgres().url()),
                                         {.incarnation_id = incarnation_id, .schema = schema_}, clock_, nullptr);
    if (!store.ok()) ADD_FAILURE() << store.status();
    return *std::move(store);
  }

  const Clock* const clock_;
  const std::string schema_ = testing::UniqueSchema();
  std::unique_ptr<PostgresRideStore> store_;
  std::unique_ptr<PostgresRideStore> other_;
};

}  // namespace

RideStoreKind RealKind() {
  return {.name = "Postgres",
          .open = [](const Clock* clock) { return std::make_unique<PostgresSubject>(clock); },
          .in_order = false,
          .events_are_the_rides = true};
}

namespace {

INSTANTIATE_TEST_SUITE_P(OnPostgres, RideStoreConformance, ::testing::Values(RealKind()),
                         [](const auto& kind) { return kind.param.name; });

// In the simulation such an exception ends the run; a service goes on.
TEST_P(RideStoreConformance, ADecisionThatThrowsFailsAloneAndKeepsNobodyWaiting) {
  ASSERT_TRUE(Create(Requested()).ok());
  const auto outcomes = AwaitAll<Changed>(2, [&](std::size_t i, Done<Changed> done) {
    store().Change(
        "ride-1",
        [i](const Ride& ride) -> absl::StatusOr<RideChange> {
          if (i == 0) throw std::runtime_error("a bug");
          return RaiseEpoch(ride, 1);
        },
        absl::InfiniteFuture(), std::move(done));
  });
  EXPECT_EQ(outcomes[0].status().code(), absl::StatusCode::kInternal) << outcomes[0].status();
  EXPECT_TRUE(outcomes[1].ok()) << outcomes[1].status();
}

}  // namespace
}  // namespace hail::rider
