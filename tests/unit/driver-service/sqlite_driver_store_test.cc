#include "driver-service/storage/sqlite_driver_store.h"

#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/errors/error.h"
#include "common/sqlite/connection.h"
#include "common/time/fake_clock.h"
#include "gtest/gtest.h"

namespace hail::driver {
namespace {

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    folder_ = std::filesystem::path(testing::TempDir()) /
              absl::StrCat("hail-driver-store-", getpid(), "-",
                           testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    Open();
  }
  ~StoreTest() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Open(std::size_t max_waiting_records = 50'000) {
    store_.reset();
    auto store =
        SqliteDriverStore::Open({.path = path(), .max_waiting_records = max_waiting_records}, &clock_, nullptr);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  std::string path() const { return (folder_ / "driver.db").string(); }

  using Done = std::function<void(absl::StatusOr<StoredDriver>)>;
  static absl::StatusOr<StoredDriver> Wait(const std::function<void(Done)>& call) {
    absl::Notification ready;
    absl::StatusOr<StoredDriver> result = absl::UnknownError("not called");
    call([&](absl::StatusOr<StoredDriver> r) {
      result = std::move(r);
      ready.Notify();
    });
    ready.WaitForNotification();
    return result;
  }
  absl::StatusOr<StoredDriver> Register(const Driver& driver, absl::Time deadline = absl::InfiniteFuture()) {
    return Wait([&](Done done) { store_->Register(driver, clock_.Read().domain, deadline, std::move(done)); });
  }
  absl::StatusOr<StoredDriver> Get(const std::string& id) {
    return Wait([&](Done done) { store_->Get(id, std::move(done)); });
  }
  absl::StatusOr<StoredDriver> SetAvailability(const std::string& id, Availability wish) {
    return Wait([&](Done done) {
      store_->SetAvailability(id, wish, clock_.Read().domain, absl::InfiniteFuture(), std::move(done));
    });
  }

  static Driver MakeDriver(const std::string& id) {
    return {.driver_id = id,
            .display_name = "Zoë \"Z\"",
            .region_id = "sf",
            .vehicle = {.make = "Toyota", .model = "Prius", .color = "white", .plate = "7ABC123", .seats = 4},
            .product_ids = {"economy", "comfort"}};
  }
  static OfferRecord MakeRecord(int n) {
    OfferRecord record;
    record.offer_id = absl::StrCat("o", n);
    record.ride_id = "r1";
    record.epoch = 2;
    record.driver_id = "d1";
    record.outcome = n % 2 == 0 ? OfferStatus::kDeclined : OfferStatus::kRevoked;
    record.reason = n % 2 == 0 ? RevokeReason::kNone : RevokeReason::kTaken;
    record.made_time = absl::FromUnixMicros(1'000'000);
    record.settled_time = absl::FromUnixMicros(2'500'000);
    record.pickup_eta = absl::Seconds(90);
    record.pickup_distance_m = 412.5;
    record.received = true;
    return record;
  }
  // What the file holds once the store is closed.
  std::vector<std::string> Rows(const std::string& sql) {
    store_.reset();
    auto connection = sqlite::Connection::Open(path(), sqlite::Connection::Mode::kReadWrite);
    EXPECT_TRUE(connection.ok());
    auto select = (*connection)->Prepare(sql);
    EXPECT_TRUE(select.ok()) << select.status();
    std::vector<std::string> rows;
    while (*select->Step()) rows.emplace_back(select->Text(0));
    return rows;
  }

  std::filesystem::path folder_;
  FakeClock clock_;
  std::unique_ptr<SqliteDriverStore> store_;
};

TEST_F(StoreTest, ARegisteredDriverIsFoundAgainAfterReopening) {
  const absl::StatusOr<StoredDriver> registered = Register(MakeDriver("d1"));
  ASSERT_TRUE(registered.ok()) << registered.status();
  EXPECT_EQ(registered->driver.create_time, clock_.Read().domain);
  EXPECT_EQ(registered->driver.update_time, clock_.Read().domain);
  EXPECT_EQ(registered->availability, Availability::kOffline);
  Open();
  const absl::StatusOr<StoredDriver> found = Get("d1");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(SameProfile(found->driver, MakeDriver("d1")));
  EXPECT_EQ(found->driver.create_time, clock_.Read().domain);
}

TEST_F(StoreTest, AnUnknownDriverIsNotFound) {
  EXPECT_TRUE(HasReason(Get("nobody").status(), Reason::kDriverNotFound));
  EXPECT_TRUE(HasReason(SetAvailability("nobody", Availability::kOnline).status(), Reason::kDriverNotFound));
}

TEST_F(StoreTest, RegisteringAgainIsIdempotent) {
  const absl::Time first = clock_.Read().domain;
  ASSERT_TRUE(Register(MakeDriver("d1")).ok());
  ASSERT_TRUE(SetAvailability("d1", Availability::kOnline).ok());
  clock_.Advance(absl::Hours(1));
  const absl::StatusOr<StoredDriver> again = Register(MakeDriver("d1"));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->driver.create_time, first);
  EXPECT_EQ(again->availability, Availability::kOnline) << "the wish is not part of the profile";
}

TEST_F(StoreTest, AnotherProfileUnderTheSameIdIsRefused) {
  ASSERT_TRUE(Register(MakeDriver("d1")).ok());
  Driver other = MakeDriver("d1");
  other.vehicle.plate = "OTHER";
  const absl::StatusOr<StoredDriver> refused = Register(other);
  EXPECT_TRUE(HasReason(refused.status(), Reason::kDriverExists));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Get("d1")->driver.vehicle.plate, "7ABC123");
}

TEST_F(StoreTest, OneRefusedRegistrationDoesNotHurtItsNeighbours) {
  ASSERT_TRUE(Register(MakeDriver("d0")).ok());
  Driver other = MakeDriver("d0");
  other.display_name = "somebody else";
  absl::Mutex mutex;
  int ok = 0;
  int refused = 0;
  for (int i = 0; i < 50; ++i) {
    const Driver driver = i % 10 == 5 ? other : MakeDriver(absl::StrCat("n", i));
    store_->Register(driver, clock_.Read().domain, absl::InfiniteFuture(), [&](absl::StatusOr<StoredDriver> result) {
      absl::MutexLock lock(&mutex);
      ++(result.ok() ? ok : refused);
    });
  }
  {
    absl::MutexLock lock(&mutex);
    auto all = [&] { return ok + refused == 50; };
    mutex.Await(absl::Condition(&all));
  }
  EXPECT_EQ(ok, 45);
  EXPECT_EQ(refused, 5);
  EXPECT_TRUE(Get("n49").ok());
}

TEST_F(StoreTest, TheWishIsDurable) {
  ASSERT_TRUE(Register(MakeDriver("d1")).ok());
  clock_.Advance(absl::Minutes(1));
  const absl::StatusOr<StoredDriver> online = SetAvailability("d1", Availability::kOnline);
  ASSERT_TRUE(online.ok());
  EXPECT_EQ(online->availability, Availability::kOnline);
  EXPECT_EQ(online->driver.update_time, clock_.Read().domain);
  Open();
  EXPECT_EQ(Get("d1")->availability, Availability::kOnline);
  // The same wish again changes nothing.
  clock_.Advance(absl::Minutes(1));
  EXPECT_EQ(SetAvailability("d1", Availability::kOnline)->driver.update_time, clock_.Read().domain - absl::Minutes(1));
  EXPECT_EQ(SetAvailability("d1", Availability::kOffline)->availability, Availability::kOffline);
}

TEST_F(StoreTest, AChangeWhoseDeadlineHasPassedIsNotMade) {
  EXPECT_EQ(Register(MakeDriver("d1"), clock_.Read().wall - absl::Seconds(1)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(Get("d1").ok());
}

TEST_F(StoreTest, TheOfferLogIsWrittenByTheTimeTheStoreIsClosed) {
  for (int i = 0; i < 2000; ++i) store_->AppendOfferLog(MakeRecord(i));
  EXPECT_EQ(store_->lost_records(), 0u);
  EXPECT_EQ(Rows("SELECT count(*) FROM offers"), std::vector<std::string>{"2000"});
  EXPECT_EQ(
      Rows("SELECT ride_id || '|' || epoch || '|' || driver_id || '|' || outcome || '|' || revoke_reason || '|' || "
           "received || '|' || made_time || '|' || settled_time || '|' || pickup_eta_us || '|' || "
           "pickup_distance_m FROM offers WHERE offer_id = 'o7'"),
      std::vector<std::string>{"r1|2|d1|REVOKED|TAKEN|1|1000000|2500000|90000000|412.5"});
}

TEST_F(StoreTest, ARecordThatCameTwiceIsKeptOnce) {
  store_->AppendOfferLog(MakeRecord(1));
  store_->AppendOfferLog(MakeRecord(1));
  EXPECT_EQ(Rows("SELECT count(*) FROM offers"), std::vector<std::string>{"1"});
}

TEST_F(StoreTest, TheOfferLogDoesNotWaitAndCountsWhatItLoses) {
  Open(10);
  // Another writer holds the file: nothing can be written now.
  auto other = sqlite::Connection::Open(path(), sqlite::Connection::Mode::kReadWrite);
  ASSERT_TRUE(other.ok());
  ASSERT_TRUE((*other)->Execute("BEGIN IMMEDIATE").ok());
  for (int i = 0; i < 100; ++i) store_->AppendOfferLog(MakeRecord(i));  // returns at once
  const std::uint64_t lost = store_->lost_records();
  EXPECT_GE(lost, 89u);
  ASSERT_TRUE((*other)->Execute("COMMIT").ok());
  other->reset();
  EXPECT_EQ(Rows("SELECT count(*) FROM offers"), std::vector<std::string>{absl::StrCat(100 - lost)});
}

TEST_F(StoreTest, AfterStoppingEverythingIsRefused) {
  store_->Stop();
  store_->Stop();
  EXPECT_TRUE(HasReason(Register(MakeDriver("d1")).status(), Reason::kStoreUnavailable));
  EXPECT_TRUE(HasReason(Get("d1").status(), Reason::kStoreUnavailable));
  store_->AppendOfferLog(MakeRecord(1));
  EXPECT_EQ(store_->lost_records(), 1u);
  EXPECT_EQ(store_->depth(), 0u);
}

TEST_F(StoreTest, AFileThatCannotBeOpenedIsAnError) {
  EXPECT_FALSE(SqliteDriverStore::Open({.path = "/proc/no/such/place/driver.db"}, &clock_, nullptr).ok());
}

}  // namespace
}  // namespace hail::driver
