#include "common/metrics/metrics.h"

#include <list>
#include <mutex>
#include <utility>

#include "prometheus/collectable.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"

namespace hail::metrics {

void Counter::Add(double amount) const { counter_->Increment(amount); }
double Counter::Value() const { return counter_->Value(); }

void Gauge::Set(double value) const { gauge_->Set(value); }
void Gauge::Add(double amount) const { gauge_->Increment(amount); }
double Gauge::Value() const { return gauge_->Value(); }

void Histogram::Observe(double value) const { histogram_->Observe(value); }

Counter CounterFamily::Of(const Labels& labels) const { return Counter(&family_->Add(labels)); }
Gauge GaugeFamily::Of(const Labels& labels) const { return Gauge(&family_->Add(labels)); }
Histogram HistogramFamily::Of(const Labels& labels) const { return Histogram(&family_->Add(labels, bounds_)); }

std::vector<double> LatencyBounds() {
  return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
}

std::vector<double> WaitBounds() { return {0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600}; }

class Registry::State final : public prometheus::Collectable {
 public:
  explicit State(std::string prefix) : prefix_(std::move(prefix)) {}

  std::string Name(const std::string& name) const { return prefix_ + "_" + name; }
  prometheus::Registry& registry() { return registry_; }

  std::vector<prometheus::MetricFamily> Collect() const override {
    const std::lock_guard lock(mutex_);
    for (const auto& refresh : refreshes_) refresh();
    return registry_.Collect();
  }

  using Refreshes = std::list<std::function<void()>>;

  Refreshes::iterator Add(std::function<void()> refresh) {
    const std::lock_guard lock(mutex_);
    return refreshes_.insert(refreshes_.end(), std::move(refresh));
  }

  void Remove(Refreshes::iterator refresh) {
    const std::lock_guard lock(mutex_);
    refreshes_.erase(refresh);
  }

 private:
  const std::string prefix_;
  // A repeated name returns the same family (InsertBehavior::Merge).
  prometheus::Registry registry_;
  // Held during a scrape, so that Remove waits for a running refresh.
  mutable std::mutex mutex_;
  Refreshes refreshes_;
};

Registry::Registry(std::string prefix) : state_(std::make_shared<State>(std::move(prefix))) {}

Registry::~Registry() = default;

CounterFamily Registry::Counters(const std::string& name, const std::string& help) {
  return CounterFamily(&prometheus::BuildCounter().Name(state_->Name(name)).Help(help).Register(state_->registry()));
}

GaugeFamily Registry::Gauges(const std::string& name, const std::string& help) {
  return GaugeFamily(&prometheus::BuildGauge().Name(state_->Name(name)).Help(help).Register(state_->registry()));
}

HistogramFamily Registry::Histograms(const std::string& name, const std::string& help, std::vector<double> bounds) {
  return HistogramFamily(&prometheus::BuildHistogram().Name(state_->Name(name)).Help(help).Register(state_->registry()),
                         std::move(bounds));
}

std::shared_ptr<void> Registry::BeforeScrape(std::function<void()> refresh) {
  const auto place = state_->Add(std::move(refresh));
  return std::shared_ptr<void>(nullptr, [state = state_, place](void*) { state->Remove(place); });
}

std::string Registry::Text() { return prometheus::TextSerializer().Serialize(state_->Collect()); }

std::shared_ptr<prometheus::Collectable> Registry::collectable() const { return state_; }

}  // namespace hail::metrics
