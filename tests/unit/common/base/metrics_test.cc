#include "common/metrics/metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/metrics/exposer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hail::metrics {
namespace {

using testing::HasSubstr;

TEST(RegistryTest, CountsByLabels) {
  Registry registry("hail_test");
  const CounterFamily calls = registry.Counters("calls_total", "Calls answered.");
  calls.Of({{"method", "Get"}, {"code", "OK"}}).Add();
  calls.Of({{"method", "Get"}, {"code", "OK"}}).Add(2);
  calls.Of({{"method", "Put"}, {"code", "OK"}}).Add();
  EXPECT_EQ(calls.Of({{"code", "OK"}, {"method", "Get"}}).Value(), 3);
  const std::string text = registry.Text();
  EXPECT_THAT(text, HasSubstr("# HELP hail_test_calls_total Calls answered.\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE hail_test_calls_total counter\n"));
  EXPECT_THAT(text, HasSubstr("hail_test_calls_total{code=\"OK\",method=\"Get\"} 3"));
  EXPECT_THAT(text, HasSubstr("hail_test_calls_total{code=\"OK\",method=\"Put\"} 1"));
}

TEST(RegistryTest, TheSameNameIsTheSameFamily) {
  Registry registry("hail_test");
  registry.Counters("calls_total", "Calls.").Of().Add();
  registry.Counters("calls_total", "Calls.").Of().Add();
  EXPECT_EQ(registry.Counters("calls_total", "Calls.").Of().Value(), 2);
}

TEST(RegistryTest, GaugesGoBothWays) {
  Registry registry("hail_test");
  const Gauge streams = registry.Gauges("streams", "Open streams.").Of();
  streams.Add(2);
  streams.Add(-1);
  EXPECT_EQ(streams.Value(), 1);
  streams.Set(7);
  EXPECT_THAT(registry.Text(), HasSubstr("hail_test_streams 7"));
}

TEST(RegistryTest, HistogramsCountIntoTheirBuckets) {
  Registry registry("hail_test");
  const Histogram commit =
      registry.Histograms("commit_seconds", "Commit latency.", {0.01, 0.1}).Of({{"store", "main"}});
  commit.Observe(0.005);
  commit.Observe(0.05);
  commit.Observe(5);
  const std::string text = registry.Text();
  EXPECT_THAT(text, HasSubstr("hail_test_commit_seconds_bucket{store=\"main\",le=\"0.01\"} 1"));
  EXPECT_THAT(text, HasSubstr("hail_test_commit_seconds_bucket{store=\"main\",le=\"0.1\"} 2"));
  EXPECT_THAT(text, HasSubstr("hail_test_commit_seconds_bucket{store=\"main\",le=\"+Inf\"} 3"));
  EXPECT_THAT(text, HasSubstr("hail_test_commit_seconds_count{store=\"main\"} 3"));
}

TEST(RegistryTest, BoundsRise) {
  for (const std::vector<double>& bounds : {LatencyBounds(), WaitBounds()}) {
    for (std::size_t i = 1; i < bounds.size(); ++i) EXPECT_LT(bounds[i - 1], bounds[i]);
  }
}

TEST(RegistryTest, RefreshesBeforeEachScrapeUntilEnded) {
  Registry registry("hail_test");
  const Gauge depth = registry.Gauges("queue_depth", "Tasks that wait.").Of();
  int scrapes = 0;
  auto refresh = registry.BeforeScrape([&] { depth.Set(++scrapes); });
  EXPECT_THAT(registry.Text(), HasSubstr("hail_test_queue_depth 1"));
  EXPECT_THAT(registry.Text(), HasSubstr("hail_test_queue_depth 2"));
  refresh.reset();
  EXPECT_THAT(registry.Text(), HasSubstr("hail_test_queue_depth 2"));
  EXPECT_EQ(scrapes, 2);
}

TEST(RegistryTest, EndingARefreshWaitsForTheOneThatRuns) {
  Registry registry("hail_test");
  absl::Notification inside, go;
  std::atomic<bool> finished{false};
  auto refresh = registry.BeforeScrape([&] {
    inside.Notify();
    go.WaitForNotification();
    finished = true;
  });
  std::thread scraper([&] { registry.Text(); });
  inside.WaitForNotification();
  bool finished_when_ended = false;
  std::thread ender([&] {
    refresh.reset();
    finished_when_ended = finished;
  });
  go.Notify();
  ender.join();
  scraper.join();
  EXPECT_TRUE(finished_when_ended);
}

TEST(RegistryTest, ManyThreadsCountExactly) {
  Registry registry("hail_test");
  const CounterFamily family = registry.Counters("calls_total", "Calls.");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&family, t] {
      const Counter mine = family.Of({{"thread", t % 2 == 0 ? "even" : "odd"}});
      for (int i = 0; i < 1000; ++i) mine.Add();
    });
  }
  for (int i = 0; i < 20; ++i) registry.Text();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(family.Of({{"thread", "even"}}).Value(), 2000);
  EXPECT_EQ(family.Of({{"thread", "odd"}}).Value(), 2000);
}

// A socket for 127.0.0.1:`port`; not connected if nobody listens there.
int Connect(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  (void)!connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  return fd;
}

// The whole answer to GET /metrics; empty if nobody listens.
std::string Scrape(int port) {
  const int fd = Connect(port);
  std::string answer;
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
    char buffer[4096];
    for (ssize_t got = 0; (got = recv(fd, buffer, sizeof(buffer), 0)) > 0;) answer.append(buffer, got);
  }
  close(fd);
  return answer;
}

TEST(ExposerTest, ServesOnAFreePortAndSaysWhich) {
  Registry registry("hail_test");
  const Counter calls = registry.Counters("calls_total", "Calls.").Of();
  int refreshes = 0;
  const auto refresh = registry.BeforeScrape([&] { calls.Add(++refreshes); });
  auto exposer = Exposer::Start("127.0.0.1:0", registry);
  ASSERT_TRUE(exposer.ok()) << exposer.status();
  const int port = (*exposer)->port();
  ASSERT_GT(port, 0);
  EXPECT_THAT(Scrape(port), HasSubstr("hail_test_calls_total 1"));
  EXPECT_THAT(Scrape(port), HasSubstr("hail_test_calls_total 3"));

  // The port is taken: the error of a second exposer must name it.
  const auto second = Exposer::Start("127.0.0.1:" + std::to_string(port), registry);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(std::to_string(port)));

  exposer->reset();
  EXPECT_EQ(Scrape(port), "");
}

TEST(ExposerTest, AnswersBesideRequestsThatNeverEnd) {
  Registry registry("hail_test");
  registry.Counters("calls_total", "Calls.").Of().Add();
  auto exposer = Exposer::Start("127.0.0.1:0", registry);
  ASSERT_TRUE(exposer.ok()) << exposer.status();
  std::vector<int> halves;
  for (int i = 0; i < 40; ++i) {
    halves.push_back(Connect((*exposer)->port()));
    const std::string half = "GET /metrics HTTP/1.1\r\nHost: x\r\n";
    ASSERT_EQ(send(halves.back(), half.data(), half.size(), MSG_NOSIGNAL), static_cast<ssize_t>(half.size()));
  }
  EXPECT_THAT(Scrape((*exposer)->port()), HasSubstr("hail_test_calls_total 1"));
  for (const int half : halves) close(half);
}

TEST(ExposerTest, RefusesNonsense) {
  Registry registry("hail_test");
  EXPECT_FALSE(Exposer::Start("nonsense", registry).ok());
}

}  // namespace
}  // namespace hail::metrics
