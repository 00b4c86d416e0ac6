#include "common/audit/audit_log.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "common/errors/error.h"
#include "tests/unit/temp_file.h"

namespace hail::audit {
namespace {

using nlohmann::json;

const absl::Time kWall = absl::FromUnixSeconds(1'800'000'000);

std::vector<json> LinesOf(const std::string& path) {
  std::vector<json> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
  return lines;
}

class AuditLogTest : public ::testing::Test {
 protected:
  void Open(std::size_t queue_size = 1000) {
    log_.reset();
    auto opened = AuditLog::Open({.service = "rider-service", .file = path_, .queue_size = queue_size});
    ASSERT_TRUE(opened.ok()) << opened.status();
    log_ = *std::move(opened);
  }
  bool Eventually(const std::function<bool()>& holds) {
    const absl::Time limit = absl::Now() + absl::Seconds(30);
    while (!holds()) {
      if (absl::Now() > limit) return false;
      std::this_thread::yield();
    }
    return true;
  }
  void AwaitWritten(std::uint64_t lines) {
    EXPECT_TRUE(Eventually([&] { return log_->stats().written >= lines; }));
  }
  static Entry Numbered(int number) { return {.wall = kWall, .person = std::to_string(number)}; }

  const testing::TempDirectory directory_;
  const std::string path_ = directory_.path("audit.log");
  std::unique_ptr<AuditLog> log_;
};

TEST_F(AuditLogTest, SaysWhoDidWhatToWhomAndHowItEnded) {
  Open();
  Entry entry{.wall = kWall,
              .peer = "ipv4:10.0.0.5:41234",
              .client = "203.0.113.9",
              .method = "hail.rider.v1.RiderService/GetRide",
              .person = "ada",
              .ride = "r1",
              .request_id = "abc-1"};
  SetCaller(auth::Caller({.role = auth::Role::kServer, .subject = "backend", .rider = "*", .key_id = "k1"}), &entry);
  SetResult(NotFound(Reason::kRideNotFound, "no such ride"), &entry);
  log_->Record(entry);
  log_.reset();
  const std::vector<json> lines = LinesOf(path_);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], (json{{"time", "2027-01-15T08:00:00.000000Z"},
                            {"level", "info"},
                            {"service", "rider-service"},
                            {"event", "call"},
                            {"log", "audit"},
                            {"role", "server"},
                            {"subject", "backend"},
                            {"key_id", "k1"},
                            {"peer", "ipv4:10.0.0.5:41234"},
                            {"client", "203.0.113.9"},
                            {"method", "hail.rider.v1.RiderService/GetRide"},
                            {"person", "ada"},
                            {"ride", "r1"},
                            {"code", "NOT_FOUND"},
                            {"reason", "RIDE_NOT_FOUND"},
                            {"request_id", "abc-1"}}));
}

TEST_F(AuditLogTest, LeavesOutWhatIsNotKnown) {
  Open();
  Entry entry{.wall = kWall, .event = "keys_reloaded", .details = {{"keys", "3"}}};
  log_->Record(entry);
  Entry anonymous{.wall = kWall};
  SetCaller(auth::Caller(), &anonymous);
  SetResult(absl::OkStatus(), &anonymous);
  log_->Record(anonymous);
  Entry unchecked{.wall = kWall};
  SetCaller(auth::Caller::Unchecked(), &unchecked);
  log_->Record(unchecked);
  log_.reset();
  std::vector<json> lines = LinesOf(path_);
  ASSERT_EQ(lines.size(), 3u);
  for (json& line : lines) {
    for (const char* common : {"time", "level", "service", "log"}) EXPECT_EQ(line.erase(common), 1u) << common;
  }
  EXPECT_EQ(lines[0], (json{{"event", "keys_reloaded"}, {"keys", "3"}}));
  EXPECT_EQ(lines[1], (json{{"event", "call"}, {"role", "nobody"}, {"code", "OK"}}));
  EXPECT_EQ(lines[2], (json{{"event", "call"}, {"role", "unchecked"}}));
}

TEST_F(AuditLogTest, WhatACallerChoosesBreaksNoLine) {
  Open();
  Entry entry{.wall = kWall, .person = std::string(100'000, 'x'), .ride = "a\"\n{\"log\":\"forged\"}\x1b[2J\xff"};
  log_->Record(entry);
  log_.reset();
  const std::vector<json> lines = LinesOf(path_);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["person"], std::string(160, 'x'));
  std::ifstream in(path_);
  std::string text;
  std::getline(in, text);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST_F(AuditLogTest, TheFileIsForThisUserAloneAndGrows) {
  const mode_t before = umask(0);
  Open();
  umask(before);
  struct stat found {};
  ASSERT_EQ(stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
  log_->Record(Numbered(1));
  Open();
  log_->Record(Numbered(2));
  log_.reset();
  EXPECT_EQ(LinesOf(path_).size(), 2u);
}

TEST_F(AuditLogTest, ALinkIsRefused) {
  std::filesystem::create_symlink(directory_.path("elsewhere"), path_);
  const auto opened = AuditLog::Open({.service = "s", .file = path_});
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(std::filesystem::exists(directory_.path("elsewhere")));
  EXPECT_FALSE(AuditLog::Open({.service = "s", .file = directory_.path("no/such/file")}).ok());
}

TEST_F(AuditLogTest, AfterARenameItWritesToANewFile) {
  Open();
  log_->Record(Numbered(1));
  AwaitWritten(1);
  std::filesystem::rename(path_, path_ + ".1");
  log_->Record(Numbered(2));
  log_->Record(Numbered(3));
  log_.reset();
  EXPECT_EQ(LinesOf(path_ + ".1").size(), 1u);
  EXPECT_EQ(LinesOf(path_).size(), 2u);
}

TEST_F(AuditLogTest, DeniedCallsAreSampledAndCounted) {
  Open(100'000);
  for (int i = 0; i <= 2000; ++i) log_->RecordDenied({1, 1}, Numbered(i));
  log_->RecordDenied({2, 1}, Numbered(0));
  EXPECT_EQ(log_->stats().skipped, 1989u);
  AwaitWritten(13);
  log_.reset();
  const std::vector<json> lines = LinesOf(path_);
  ASSERT_EQ(lines.size(), 13u);
  EXPECT_FALSE(lines[9].contains("skipped"));
  EXPECT_EQ(lines[10]["skipped"], 990);
  EXPECT_EQ(lines[11]["skipped"], 999);
}

TEST_F(AuditLogTest, ManyThreadsLoseNothing) {
  Open(100'000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) log_->Record(Numbered(i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  AwaitWritten(8000);
  EXPECT_EQ(log_->stats().lost, 0u);
  log_.reset();
  EXPECT_EQ(LinesOf(path_).size(), 8000u);
}

// A file whose size is limited stands for a full disk.
TEST_F(AuditLogTest, WhatCannotBeWrittenIsKeptThenCounted) {
  Open(10);
  rlimit unlimited{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
  const auto signal_before = std::signal(SIGXFSZ, SIG_IGN);
  log_->Record(Numbered(0));
  AwaitWritten(1);
  const rlimit full{std::filesystem::file_size(path_) + 10, unlimited.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &full), 0);
  // One is stuck half written; then the queue fills. Not before: what is lost then would be reported by a line of its
  // own.
  int recorded = 1;
  log_->Record(Numbered(recorded));
  EXPECT_TRUE(Eventually([&] { return std::filesystem::file_size(path_) == full.rlim_cur; }));
  EXPECT_TRUE(Eventually([&] {
    log_->Record(Numbered(++recorded));
    return log_->stats().lost >= 5;
  }));
  EXPECT_EQ(log_->stats().written, 1u);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
  const std::uint64_t lost = log_->stats().lost;
  // All that were not counted as lost, and the line that says so.
  const std::uint64_t expected = 1 + static_cast<std::uint64_t>(recorded) - lost + 1;
  AwaitWritten(expected);
  EXPECT_EQ(log_->stats().lost, lost);
  std::signal(SIGXFSZ, signal_before);
  log_.reset();
  const std::vector<json> lines = LinesOf(path_);
  ASSERT_EQ(lines.size(), expected);
  std::string reported;
  for (const json& line : lines) {
    if (line["event"] == "audit_lost") reported = line["lines"];
  }
  EXPECT_EQ(reported, std::to_string(lost));
}

}  // namespace
}  // namespace hail::audit
