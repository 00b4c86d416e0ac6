#include <limits>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/errors/error.h"
#include "common/logging/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace hail {
namespace {

using nlohmann::json;

class LoggingTest : public testing::Test {
 protected:
  void Start(LogLevel level = LogLevel::kInfo) {
    InitLogging({.service = "test-service", .level = level, .write = [this](std::string_view line) {
                   absl::MutexLock lock(&mutex_);
                   written_ += std::string(line);
                 }});
  }

  // Ends logging and gives all lines, parsed: a line that is not JSON fails here.
  std::vector<json> Finish() {
    ShutdownLogging();
    absl::MutexLock lock(&mutex_);
    std::vector<json> lines;
    std::istringstream stream(written_);
    for (std::string line; std::getline(stream, line);) lines.push_back(json::parse(line));
    return lines;
  }

  void TearDown() override { ShutdownLogging(); }

 private:
  absl::Mutex mutex_;
  std::string written_;
};

TEST_F(LoggingTest, WritesTypedFields) {
  Start();
  Log(LogLevel::kInfo, "ride_requested",
      {{"ride_id", "r1"},
       {"text", std::string("s")},
       {"view", std::string_view("view").substr(0, 2)},
       {"live", true},
       {"count", 42},
       {"large", std::uint64_t{18446744073709551615u}},
       {"least", std::numeric_limits<std::int64_t>::min()},
       {"fare", 12.5},
       {"took_s", absl::Milliseconds(1500)},
       {"error", InvalidField("seats", "too many")},
       {"none", std::numeric_limits<double>::quiet_NaN()}});
  const std::vector<json> lines = Finish();
  ASSERT_EQ(lines.size(), 1u);
  const json& line = lines[0];
  EXPECT_EQ(line["level"], "info");
  EXPECT_EQ(line["service"], "test-service");
  EXPECT_EQ(line["event"], "ride_requested");
  EXPECT_EQ(line["ride_id"], "r1");
  EXPECT_EQ(line["text"], "s");
  EXPECT_EQ(line["view"], "vi");
  EXPECT_EQ(line["live"], true);
  EXPECT_EQ(line["count"], 42);
  EXPECT_EQ(line["large"], 18446744073709551615u);
  EXPECT_EQ(line["least"], std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(line["fare"], 12.5);
  EXPECT_EQ(line["took_s"], 1.5);
  EXPECT_EQ(line["error"], "INVALID_ARGUMENT: too many");
  EXPECT_TRUE(line["none"].is_null());
  absl::Time time;
  std::string why;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, line["time"].get<std::string>(), &time, &why)) << why;
  EXPECT_EQ(line["time"].get<std::string>().size(), std::string("2026-11-22T08:36:27.123456Z").size());
}

TEST_F(LoggingTest, EscapesWhateverComes) {
  std::string all;
  for (int c = 0; c < 0x80; ++c) all.push_back(static_cast<char>(c));
  Start();
  Log(LogLevel::kInfo, "e\"vent", {{"k\\ey", all}, {"utf8", "J\xC3\xBCrgen \xE6\x9D\xB1 \xF0\x9F\x9A\x95"}});
  Log(LogLevel::kInfo, "bad",
      {{"a", "x\x80y\xC3"}, {"b", "\xED\xA0\x80"}, {"c", "\xC0\xAF"}, {"d", "\xF4\x90\x80\x80"}});
  const std::vector<json> lines = Finish();
  ASSERT_EQ(lines.size(), 2u) << "a newline in a value must not make a line";
  EXPECT_EQ(lines[0]["event"], "e\"vent");
  EXPECT_EQ(lines[0]["k\\ey"], all);
  EXPECT_EQ(lines[0]["utf8"], "J\xC3\xBCrgen \xE6\x9D\xB1 \xF0\x9F\x9A\x95");
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(lines[1]["a"], "x" + mark + "y" + mark);
  EXPECT_EQ(lines[1]["b"], mark + mark + mark);
  EXPECT_EQ(lines[1]["c"], mark + mark);
  EXPECT_EQ(lines[1]["d"], mark + mark + mark + mark);
}

// JSON does not escape these characters, but a terminal that shows the log obeys them.
TEST_F(LoggingTest, EscapesWhatATerminalObeysOrDoesNotShow) {
  std::string written;
  InitLogging({.service = "s", .write = [&written](std::string_view line) { written += std::string(line); }});
  const std::string odd =
      "\xC2\x9B\xE2\x80\x8B\xE2\x80\x8D\xE2\x80\xAE\xE2\x80\xA8\xE2\x81\xA6\xEF\xBB\xBF\xF3\xA0\x81\xA1";
  Log(LogLevel::kInfo, "odd", {{"id", odd}});
  ShutdownLogging();
  EXPECT_THAT(written, testing::HasSubstr(R"("\u009b\u200b\u200d\u202e\u2028\u2066\ufeff\udb40\udc61")"));
  EXPECT_EQ(json::parse(written)["id"], odd);
}

TEST_F(LoggingTest, LeavesOutWhatIsBelowTheLevel) {
  Start(LogLevel::kWarn);
  EXPECT_FALSE(LogEnabled(LogLevel::kInfo));
  EXPECT_TRUE(LogEnabled(LogLevel::kWarn));
  Log(LogLevel::kDebug, "d");
  Log(LogLevel::kInfo, "i");
  Log(LogLevel::kWarn, "w");
  Log(LogLevel::kError, "e");
  const std::vector<json> lines = Finish();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["level"], "warn");
  EXPECT_EQ(lines[1]["level"], "error");
}

TEST_F(LoggingTest, DebugIsWrittenWhenAskedFor) {
  Start(LogLevel::kDebug);
  Log(LogLevel::kDebug, "d");
  const std::vector<json> lines = Finish();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0]["level"], "debug");
}

TEST_F(LoggingTest, ShutdownWritesAllThatIsQueuedInOrder) {
  Start();
  for (int i = 0; i < 5000; ++i) Log(LogLevel::kInfo, "n", {{"i", i}});
  const std::vector<json> lines = Finish();
  ASSERT_EQ(lines.size(), 5000u);
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(lines[i]["i"], i);
  EXPECT_EQ(LogLinesDropped(), 0u);
}

TEST_F(LoggingTest, ManyThreads) {
  Start();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 500; ++i) Log(LogLevel::kInfo, "n", {{"thread", t}, {"i", i}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Finish().size(), 2000u);
}

TEST(LoggingOverflowTest, DropsTheOldestAndCountsInsteadOfBlocking) {
  absl::Notification writing, go;
  std::vector<std::string> lines;
  InitLogging({.service = "s", .queue_size = 4, .write = [&](std::string_view line) {
                 if (lines.empty()) {
                   writing.Notify();
                   go.WaitForNotification();
                 }
                 lines.emplace_back(line);
               }});
  Log(LogLevel::kInfo, "first");
  writing.WaitForNotification();
  // The writer is stuck: 4 of these fit.
  for (int i = 0; i < 10; ++i) Log(LogLevel::kInfo, "n", {{"i", i}});
  EXPECT_EQ(LogLinesDropped(), 6u);
  std::thread shutdown([] { ShutdownLogging(); });
  go.Notify();
  shutdown.join();
  ASSERT_GE(lines.size(), 4u);
  EXPECT_EQ(json::parse(lines.front())["event"], "first");
  EXPECT_EQ(json::parse(lines.back())["i"], 9);
  EXPECT_GE(LogLinesDropped(), 6u);
}

TEST(LoggingUnsetTest, WarningsReachStderrWithoutInit) {
  testing::internal::CaptureStderr();
  Log(LogLevel::kInfo, "quiet");
  Log(LogLevel::kWarn, "loud", {{"i", 1}});
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("quiet")));
  EXPECT_EQ(json::parse(text)["event"], "loud");
  ShutdownLogging();
}

TEST(LoggingUnsetTest, StderrIsTheDefault) {
  testing::internal::CaptureStderr();
  InitLogging({.service = "s"});
  Log(LogLevel::kInfo, "hello");
  ShutdownLogging();
  Log(LogLevel::kInfo, "after");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_EQ(json::parse(text)["event"], "hello");
  EXPECT_EQ(text.back(), '\n');
}

TEST(LogLevelTest, NamesGoBothWays) {
  for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    EXPECT_EQ(ParseLogLevel(LogLevelName(level)), level);
  }
  EXPECT_EQ(LogLevelName(LogLevel::kWarn), "warn");
  EXPECT_EQ(ParseLogLevel("WARN"), std::nullopt);
  EXPECT_EQ(ParseLogLevel(""), std::nullopt);
}

}  // namespace
}  // namespace hail
