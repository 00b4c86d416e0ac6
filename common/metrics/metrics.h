// Counters, gauges and histograms for Prometheus. Names are stable, because dashboards and alerts refer to them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Collectable;
class Counter;
class Gauge;
class Histogram;
template <typename T>
class Family;
}  // namespace prometheus

namespace hail::metrics {

// Label name → value. Values must come from small sets (methods, states, outcomes), never from ids.
using Labels = std::map<std::string, std::string>;

// Light, copyable handles to one time series; valid as long as the Registry. Thread-safe.
class Counter {
 public:
  explicit Counter(prometheus::Counter* counter) : counter_(counter) {}
  void Add(double amount = 1) const;
  double Value() const;

 private:
  prometheus::Counter* counter_;
};

class Gauge {
 public:
  explicit Gauge(prometheus::Gauge* gauge) : gauge_(gauge) {}
  void Set(double value) const;
  void Add(double amount) const;
  double Value() const;

 private:
  prometheus::Gauge* gauge_;
};

class Histogram {
 public:
  explicit Histogram(prometheus::Histogram* histogram) : histogram_(histogram) {}
  void Observe(double value) const;

 private:
  prometheus::Histogram* histogram_;
};

// All series of one name. Of() finds or creates the series with `labels`. It takes a lock, so frequent callers should
// keep the handle. Thread-safe.
class CounterFamily {
 public:
  explicit CounterFamily(prometheus::Family<prometheus::Counter>* family) : family_(family) {}
  Counter Of(const Labels& labels = {}) const;

 private:
  prometheus::Family<prometheus::Counter>* family_;
};

class GaugeFamily {
 public:
  explicit GaugeFamily(prometheus::Family<prometheus::Gauge>* family) : family_(family) {}
  Gauge Of(const Labels& labels = {}) const;

 private:
  prometheus::Family<prometheus::Gauge>* family_;
};

class HistogramFamily {
 public:
  HistogramFamily(prometheus::Family<prometheus::Histogram>* family, std::vector<double> bounds)
      : family_(family), bounds_(std::move(bounds)) {}
  Histogram Of(const Labels& labels = {}) const;

 private:
  prometheus::Family<prometheus::Histogram>* family_;
  std::vector<double> bounds_;
};

// Upper bounds in seconds from half a millisecond to ten seconds, for latencies of calls and commits.
std::vector<double> LatencyBounds();

// Upper bounds in seconds from 0.1 s to ten minutes, for waiting times of people.
std::vector<double> WaitBounds();

// The metrics of one process. Thread-safe. Outlives every handle, and the Exposer.
class Registry {
 public:
  // `prefix` is put before every name, with an underscore: "hail_rider" makes "hail_rider_rides".
  explicit Registry(std::string prefix);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  // `name` in snake case with its unit: "commit_seconds", counters "…_total". The same name again returns the same
  // family.
  CounterFamily Counters(const std::string& name, const std::string& help);
  GaugeFamily Gauges(const std::string& name, const std::string& help);
  HistogramFamily Histograms(const std::string& name, const std::string& help, std::vector<double> bounds);

  // Runs `refresh` before each scrape, on the scraper's thread, one scrape at a time. Use it to set gauges that mirror
  // a state. It must not block for long, and must not add or end refreshes. Destroying the returned object ends it:
  // afterwards `refresh` is not running and will not run again.
  [[nodiscard]] std::shared_ptr<void> BeforeScrape(std::function<void()> refresh);

  // All metrics in the text exposition format, as a scrape would return them now.
  std::string Text();

  // For the Exposer.
  std::shared_ptr<prometheus::Collectable> collectable() const;

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace hail::metrics
