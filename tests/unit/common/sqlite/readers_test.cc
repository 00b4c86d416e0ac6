#include "common/sqlite/readers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "absl/synchronization/notification.h"
#include "common/errors/error.h"
#include "tests/matchers.h"
#include "tests/unit/common/sqlite/fixture.h"

namespace hail::sqlite {
namespace {

using ::testing::ElementsAre;

using ReadersTest = DatabaseFixture;

std::int64_t Count(Connection& connection) {
  Statement count = *connection.Prepare("SELECT count(*) FROM item");
  EXPECT_TRUE(*count.Step());
  return count.Int64(0);
}

TEST_F(ReadersTest, OneJobSeesOneStateWhateverIsWrittenMeanwhile) {
  auto database = Open();
  ASSERT_TRUE(Do(database->writer(), Insert(1, "a")).ok());
  absl::Notification reading;
  absl::Notification written;
  absl::Notification answered;
  std::int64_t before = 0;
  std::int64_t after = 0;
  database->readers().Submit(
      absl::InfiniteFuture(),
      [&](Connection& connection) {
        before = Count(connection);
        reading.Notify();
        written.WaitForNotification();
        after = Count(connection);
        return absl::OkStatus();
      },
      [&](const absl::Status&) { answered.Notify(); });
  reading.WaitForNotification();
  ASSERT_TRUE(Do(database->writer(), Insert(2, "b")).ok());
  written.Notify();
  answered.WaitForNotification();
  EXPECT_EQ(before, 1);
  EXPECT_EQ(after, 1);
  EXPECT_THAT(Names(*database), ElementsAre("a", "b"));
}

TEST_F(ReadersTest, CannotWrite) {
  auto database = Open();
  EXPECT_FALSE(Do(database->readers(), Insert(1, "a")).ok());
  EXPECT_TRUE(Names(*database).empty());
}

TEST_F(ReadersTest, AnErrorOrExceptionLeavesTheReaderUsable) {
  DatabaseOptions options;
  options.readers = 1;
  auto database = Open(options);
  EXPECT_EQ(Do(database->readers(), [](Connection&) -> absl::Status { throw std::runtime_error("oops"); }).code(),
            absl::StatusCode::kInternal);
  EXPECT_EQ(Do(database->readers(), [](Connection&) { return absl::NotFoundError("no"); }).code(),
            absl::StatusCode::kNotFound);
  EXPECT_TRUE(Do(database->readers(), [](Connection& connection) {
                Count(connection);
                return absl::OkStatus();
              }).ok());
}

TEST_F(ReadersTest, RefusesBeyondItsBoundAndAfterTheDeadline) {
  DatabaseOptions options;
  options.readers = 1;
  options.reader.max_queue = 1;
  auto database = Open(options);
  absl::Notification reading;
  absl::Notification go_on;
  database->readers().Submit(
      absl::InfiniteFuture(),
      [&](Connection&) {
        reading.Notify();
        go_on.WaitForNotification();
        return absl::OkStatus();
      },
      [](const absl::Status&) {});
  reading.WaitForNotification();

  absl::Notification answered;
  absl::Status late;
  database->readers().Submit(
      clock_.Read().wall + absl::Seconds(1), [](Connection&) { return absl::OkStatus(); },
      [&](absl::Status status) {
        late = std::move(status);
        answered.Notify();
      });
  absl::Status refused;
  database->readers().Submit(
      absl::InfiniteFuture(), [](Connection&) { return absl::OkStatus(); },
      [&](absl::Status status) { refused = std::move(status); });
  EXPECT_THAT(refused, HasReason(Reason::kOverloaded));

  clock_.Advance(absl::Seconds(1));
  go_on.Notify();
  answered.WaitForNotification();
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace hail::sqlite
