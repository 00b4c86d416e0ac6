#include "tests/tools/hail-load/overload.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "tests/tools/hail-load/request_load.h"
#include "tests/tools/hail-load/svg.h"
#include "tests/tools/hail-load/timeline.h"

namespace hail::load {
namespace {

// The promised limits.
constexpr double kShareOfPeak = 0.8;
constexpr absl::Duration kQuickRefusal = absl::Milliseconds(500);
constexpr double kMostOtherFailures = 0.01;
constexpr int kRecovery = 5;
constexpr int kInARow = 3;
// A second is normal again if its 99th percentile was at most this, or three times the calm one.
constexpr absl::Duration kNormalP99 = absl::Milliseconds(50);

// Time for the capacity's loop to open connections, warm caches, and reach the state in which rides end as fast as they
// begin (tests/tools/overload lets them wait for 5 s): each end is a commit, too.
constexpr absl::Duration kWarmUp = absl::Seconds(8);

double Ms(absl::Duration duration) { return std::round(absl::ToDoubleMilliseconds(duration) * 10) / 10; }

nlohmann::ordered_json Describe(const Tally& tally, double seconds) {
  return {{"offered_per_s", std::round(static_cast<double>(tally.sent) / seconds)},
          {"answered_in_time_per_s", std::round(static_cast<double>(tally.in_time) / seconds)},
          {"answered_late", tally.late},
          {"refused", tally.refused},
          {"refused_without_retry_info", tally.refused_without_retry},
          {"failed", tally.failed},
          {"answer_ms", {{"p50", Ms(tally.answered.Quantile(0.5))}, {"p99", Ms(tally.answered.Quantile(0.99))}}},
          {"refusal_ms", {{"p50", Ms(tally.refusal.Quantile(0.5))}, {"p99", Ms(tally.refusal.Quantile(0.99))}}}};
}

std::vector<Panel> Panels(const Timeline& timeline, const MemoryWatch& memory) {
  Panel rates{"calls a second:", {{"offered", {}}, {"answered in time", {}}, {"refused", {}}, {"all else", {}}}};
  Panel latencies{"milliseconds:", {{"answered, p99", {}}, {"answered, median", {}}, {"refused, p99", {}}}};
  double second = 0;
  for (const Tally& tally : timeline.Seconds()) {
    second += 1;
    if (tally.sent == 0) continue;
    rates.series[0].points.emplace_back(second, tally.sent);
    rates.series[1].points.emplace_back(second, tally.in_time);
    rates.series[2].points.emplace_back(second, tally.refused);
    rates.series[3].points.emplace_back(second, tally.late + tally.Failed());
    latencies.series[0].points.emplace_back(second, Ms(tally.answered.Quantile(0.99)));
    latencies.series[1].points.emplace_back(second, Ms(tally.answered.Quantile(0.5)));
    latencies.series[2].points.emplace_back(second, Ms(tally.refusal.Quantile(0.99)));
  }
  Panel rss{"resident memory, MiB:", {}};
  for (std::size_t i = 0; i < memory.processes().size(); ++i) {
    Series series{memory.processes()[i].name, {}};
    for (const Sample& sample : memory.Samples(i)) {
      series.points.emplace_back(absl::ToDoubleSeconds(sample.at - timeline.start()), sample.rss_mib);
    }
    rss.series.push_back(std::move(series));
  }
  return {rates, latencies, rss};
}

}  // namespace

absl::StatusOr<Judged> PlayOverload(const OverloadPlan& plan) {
  const MemoryWatch memory(plan.processes);
  const absl::Time start = absl::Now();
  const auto second = [&] { return absl::ToDoubleSeconds(absl::Now() - start); };
  Timeline timeline(start, plan.deadline);
  RequestLoad load(plan.rider_address, plan.connections, absl::StrCat("load-", absl::ToUnixMillis(start)),
                   plan.deadline);
  std::vector<Span> spans;
  const auto begin = [&](const std::string& name) {
    absl::FPrintF(stderr, "%5.1f s: %s\n", second(), name);
    if (!spans.empty() && spans.back().to == 0) spans.back().to = second();
    spans.push_back({name, second(), 0});
  };
  const auto cpu = [&] {
    std::vector<absl::Duration> used = {CpuTime(getpid())};
    for (const WatchedProcess& process : plan.processes) used.push_back(CpuTime(process.pid));
    return used;
  };

  // Latency under a light load; the rate is a guess until the capacity is known.
  begin("calm");
  load.OpenLoop(100, plan.calm, timeline);
  begin("capacity");
  const auto measure = [&] { return load.ClosedLoop(plan.callers, kWarmUp, plan.measure).per_second; };
  const double capacity = measure();
  if (capacity <= 0) return absl::UnavailableError(absl::StrCat("no answer from ", plan.rider_address));
  begin(absl::StrFormat("%.0f a second, %.1f times the capacity", capacity * plan.factor, plan.factor));
  const auto cpu_before = cpu();
  const absl::Time overload_began = absl::Now();
  const int overload_from = static_cast<int>(second()) + 1;
  const Paced paced = load.OpenLoop(capacity * plan.factor, plan.overload, timeline);
  const int overload_to = static_cast<int>(second());
  const double overload_seconds = absl::ToDoubleSeconds(absl::Now() - overload_began);
  const auto cpu_after = cpu();
  begin("after");
  const int after_from = static_cast<int>(second()) + 1;
  load.OpenLoop(std::max(20.0, capacity * plan.light), plan.after, timeline);
  const int end = static_cast<int>(second());
  // Wait for the last answers.
  absl::SleepFor(plan.deadline + absl::Seconds(1));
  spans.back().to = end;
  absl::FPrintF(stderr, "%5.1f s: capacity again\n", second());
  // The machine's capacity varies by a quarter within minutes: the peak is the capacity before and after.
  const double capacity_after = measure();
  const double peak = (capacity + capacity_after) / 2;

  const Tally calm = timeline.Sum(0, static_cast<int>(absl::ToInt64Seconds(plan.calm)));
  const Tally over = timeline.Sum(overload_from, overload_to);
  const double in_time = static_cast<double>(over.in_time) / std::max(1, overload_to - overload_from);
  const absl::Duration normal = std::max(kNormalP99, 3 * calm.answered.Quantile(0.99));
  // From the first of three normal seconds on: a single slow second long after is the machine's fault.
  int recovered = after_from;
  for (int at = after_from, in_a_row = 0; at < end && in_a_row < kInARow; ++at) {
    const Tally tally = timeline.Sum(at, at + 1);
    if (tally.in_time < tally.sent || tally.answered.Quantile(0.99) > normal) {
      recovered = at + 1;
      in_a_row = 0;
    } else {
      ++in_a_row;
    }
  }

  Judged judged;
  const auto expect = [&](bool holds, const std::string& complaint) {
    if (!holds) judged.complaints.push_back(complaint);
  };
  expect(in_time >= kShareOfPeak * peak,
         absl::StrFormat("answers within the deadline fell to %.0f %% of the peak", 100 * in_time / peak));
  expect(over.refused_without_retry == 0, absl::StrCat(over.refused_without_retry, " refusals without RetryInfo"));
  expect(over.refusal.Quantile(0.99) <= kQuickRefusal,
         absl::StrFormat("refusals took %.0f ms (p99)", Ms(over.refusal.Quantile(0.99))));
  expect(
      static_cast<double>(over.Failed() + over.late) <= kMostOtherFailures * static_cast<double>(over.sent),
      absl::StrFormat("%d of %d calls were answered late or failed otherwise", over.Failed() + over.late, over.sent));
  expect(recovered - after_from <= kRecovery, absl::StrFormat("it took %d s to recover", recovered - after_from));

  auto& report = judged.report;
  report = {{"capacity_per_s", std::round(capacity)},
            {"capacity_after_per_s", std::round(capacity_after)},
            {"calm", Describe(calm, absl::ToDoubleSeconds(plan.calm))},
            {"overload", Describe(over, std::max(1, overload_to - overload_from))},
            {"share_of_peak", std::round(1000 * in_time / peak) / 1000},
            {"recovered_after_s", recovered - after_from},
            {"generator_lag_ms", {{"p50", Ms(paced.lag.Quantile(0.5))}, {"p99", Ms(paced.lag.Quantile(0.99))}}}};
  report["cores_used"]["hail-load"] = absl::ToDoubleSeconds(cpu_after[0] - cpu_before[0]) / overload_seconds;
  for (std::size_t i = 0; i < plan.processes.size(); ++i) {
    const std::string& name = plan.processes[i].name;
    report["cores_used"][name] = absl::ToDoubleSeconds(cpu_after[i + 1] - cpu_before[i + 1]) / overload_seconds;
    report["rss_mib"][name] = {{"before", std::round(memory.Samples(i).front().rss_mib)},
                               {"peak", std::round(memory.Peak(i))},
                               {"end", std::round(RssMib(plan.processes[i].pid))}};
  }
  for (const Tally& tally : timeline.Seconds()) {
    report["seconds"].push_back({{"sent", tally.sent},
                                 {"in_time", tally.in_time},
                                 {"refused", tally.refused},
                                 {"other", tally.late + tally.Failed()},
                                 {"answer_p50_ms", Ms(tally.answered.Quantile(0.5))},
                                 {"answer_p99_ms", Ms(tally.answered.Quantile(0.99))},
                                 {"refusal_p99_ms", Ms(tally.refusal.Quantile(0.99))}});
  }
  report["complaints"] = judged.complaints;
  if (!plan.svg.empty()) {
    const absl::Status written = WriteFile(plan.svg, Svg("RequestRide, open loop", Panels(timeline, memory), spans));
    if (!written.ok()) return written;
  }
  return judged;
}

}  // namespace hail::load
