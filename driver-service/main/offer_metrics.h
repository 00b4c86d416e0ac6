// Metrics and logs of settled offers.
#pragma once

#include "common/metrics/metrics.h"
#include "driver-service/domain/offer.h"

namespace hail::driver {

// Thread-safe. Series: offers_total{outcome,reason}, match_seconds, offer_answer_seconds, offer_pickup_meters.
class OfferMetrics {
 public:
  // `registry` must outlive it.
  explicit OfferMetrics(metrics::Registry* registry);

  void OnSettled(const OfferRecord& record);

 private:
  const metrics::CounterFamily offers_;
  const metrics::Histogram match_seconds_;
  const metrics::Histogram answer_seconds_;
  const metrics::Histogram pickup_meters_;
};

}  // namespace hail::driver
