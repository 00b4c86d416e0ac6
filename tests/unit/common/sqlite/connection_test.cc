#include "common/sqlite/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <limits>
#include <optional>
#include <string>

#include "common/errors/error.h"
#include "tests/matchers.h"
#include "tests/unit/common/sqlite/fixture.h"

namespace hail::sqlite {
namespace {

using ::testing::HasSubstr;

class ConnectionTest : public DatabaseFixture {
 protected:
  ConnectionTest() {
    std::filesystem::create_directories(std::filesystem::path(path()).parent_path());
    connection_ = *Connection::Open(path(), Connection::Mode::kReadWrite);
    EXPECT_TRUE(connection_->Execute(Migrations()[0].sql).ok());
  }

  std::string Pragma(const std::string& name) {
    Statement statement = *connection_->Prepare("PRAGMA " + name);
    EXPECT_TRUE(*statement.Step());
    return std::string(statement.Text(0));
  }

  absl::Status Add(std::int64_t id, const std::string& name) {
    return connection_->Prepare("INSERT INTO item(id, name) VALUES(?, ?)")->BindAll(id, name).Run();
  }

  std::unique_ptr<Connection> connection_;
};

TEST_F(ConnectionTest, IsDurable) {
  EXPECT_EQ(Pragma("journal_mode"), "wal");
  EXPECT_EQ(Pragma("synchronous"), "2");  // FULL
  EXPECT_EQ(Pragma("wal_autocheckpoint"), "0");
  EXPECT_EQ(Pragma("foreign_keys"), "1");
}

TEST_F(ConnectionTest, ValuesComeBackAsTheyWent) {
  const std::string bytes("a\0b", 3);
  Statement select = *connection_->Prepare("SELECT ?, ?, ?, ?, ?, ?, ?");
  select.BindAll(std::numeric_limits<std::int64_t>::min(), 0.1, "text", Blob{bytes}, nullptr, std::optional<int>(7),
                 std::optional<std::string>());
  ASSERT_TRUE(*select.Step());
  EXPECT_EQ(select.Int64(0), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(select.Double(1), 0.1);
  EXPECT_EQ(select.Text(2), "text");
  EXPECT_EQ(select.Bytes(3), bytes);
  EXPECT_TRUE(select.IsNull(4));
  EXPECT_EQ(select.Int64(5), 7);
  EXPECT_TRUE(select.IsNull(6));
  EXPECT_FALSE(*select.Step());
}

TEST_F(ConnectionTest, EmptyTextAndBytesAreNotNull) {
  Statement select = *connection_->Prepare("SELECT ?, ?");
  select.BindAll(std::string_view(), Blob{});
  ASSERT_TRUE(*select.Step());
  EXPECT_FALSE(select.IsNull(0));
  EXPECT_FALSE(select.IsNull(1));
}

TEST_F(ConnectionTest, AViolatedIndexIsNamed) {
  ASSERT_TRUE(Add(1, "a").ok());
  const absl::Status by_name = Add(2, "a");
  EXPECT_EQ(by_name.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(UniqueViolation(by_name), "item.name");
  EXPECT_EQ(UniqueViolation(Add(1, "b")), "item.id");
}

TEST_F(ConnectionTest, OtherErrorsAreNoUniqueViolation) {
  const absl::Status missing = connection_->Execute("INSERT INTO item(id, name) VALUES(1, NULL)");
  EXPECT_EQ(missing.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(UniqueViolation(missing), std::nullopt);
  EXPECT_EQ(connection_->Prepare("SELECT nothing FROM nowhere").status().code(), absl::StatusCode::kInternal);
}

TEST_F(ConnectionTest, ABindingThatFailsIsHeardOf) {
  Statement select = *connection_->Prepare("SELECT ?");
  select.BindAll(1, 2);
  EXPECT_EQ(select.Step().status().code(), absl::StatusCode::kInternal);
}

TEST_F(ConnectionTest, ALentStatementComesBackClean) {
  { (void)connection_->Prepare("SELECT ?1")->Bind(1, "left over").Step(); }
  Statement again = *connection_->Prepare("SELECT ?1");
  ASSERT_TRUE(*again.Step());
  EXPECT_TRUE(again.IsNull(0));
}

TEST_F(ConnectionTest, KeepsSoManyStatementsAndNoMore) {
  const auto kept = [this] {
    std::size_t count = 0;
    for (auto* stmt = sqlite3_next_stmt(connection_->handle(), nullptr); stmt != nullptr;
         stmt = sqlite3_next_stmt(connection_->handle(), stmt)) {
      ++count;
    }
    return count;
  };
  for (std::size_t i = 0; i < 2 * Connection::kMaxIdle; ++i) {
    ASSERT_TRUE(*connection_->Prepare("SELECT " + std::to_string(i))->Step());
  }
  EXPECT_EQ(kept(), Connection::kMaxIdle);
}

TEST_F(ConnectionTest, OneTextCanBeLentTwiceAtOnce) {
  ASSERT_TRUE(Add(1, "a").ok());
  ASSERT_TRUE(Add(2, "b").ok());
  const char* sql = "SELECT name FROM item ORDER BY id";
  Statement one = *connection_->Prepare(sql);
  ASSERT_TRUE(*one.Step());
  Statement two = *connection_->Prepare(sql);
  ASSERT_TRUE(*two.Step());
  ASSERT_TRUE(*one.Step());
  EXPECT_EQ(one.Text(0), "b");
  EXPECT_EQ(two.Text(0), "a");
}

TEST_F(ConnectionTest, CountsChangedRows) {
  ASSERT_TRUE(Add(1, "a").ok());
  EXPECT_EQ(connection_->Changes(), 1);
  ASSERT_TRUE(connection_->Prepare("UPDATE item SET name = 'x' WHERE id = 9")->Run().ok());
  EXPECT_EQ(connection_->Changes(), 0);
}

TEST_F(ConnectionTest, AReaderCannotWrite) {
  std::unique_ptr<Connection> reader = *Connection::Open(path(), Connection::Mode::kReadOnly);
  EXPECT_FALSE(reader->Execute("DELETE FROM item").ok());
}

TEST_F(ConnectionTest, AFileThatCannotBeOpenedIsUnavailable) {
  const absl::Status status =
      Connection::Open((folder_ / "none" / "x.db").string(), Connection::Mode::kReadWrite).status();
  EXPECT_THAT(status, HasReason(Reason::kStoreUnavailable));
  EXPECT_THAT(std::string(status.message()), HasSubstr("x.db"));
}

}  // namespace
}  // namespace hail::sqlite
