#include "driver-service/main/offer_metrics.h"

#include "common/logging/log.h"
#include "common/logging/person_tag.h"

namespace hail::driver {

OfferMetrics::OfferMetrics(metrics::Registry* registry)
    : offers_(registry->Counters("offers_total", "Settled offers, by outcome and by why they were withdrawn.")),
      match_seconds_(registry
                         ->Histograms("match_seconds",
                                      "Domain time from the start of a ride's dispatch to the confirmed assignment.",
                                      metrics::WaitBounds())
                         .Of()),
      answer_seconds_(
          registry->Histograms("offer_answer_seconds", "Domain time from an offer to its end.", metrics::WaitBounds())
              .Of()),
      pickup_meters_(registry
                         ->Histograms("offer_pickup_meters", "The way to the pickup of accepted offers.",
                                      {100, 250, 500, 1000, 2000, 4000, 8000, 16000})
                         .Of()) {}

void OfferMetrics::OnSettled(const OfferRecord& record) {
  const std::string outcome = OfferStatusName(record.outcome);
  const std::string reason = RevokeReasonName(record.reason);
  const absl::Duration lived = record.settled_time - record.made_time;
  offers_.Of({{"outcome", outcome}, {"reason", reason}}).Add();
  answer_seconds_.Observe(absl::ToDoubleSeconds(lived));
  if (record.outcome == OfferStatus::kAccepted) {
    match_seconds_.Observe(absl::ToDoubleSeconds(record.ride_waited + lived));
    pickup_meters_.Observe(record.pickup_distance_m);
  }
  Log(LogLevel::kInfo, "offer_settled",
      {{"offer_id", record.offer_id},
       {"ride_id", record.ride_id},
       {"epoch", record.epoch},
       {"driver", PersonTag(record.driver_id)},
       {"outcome", outcome},
       {"reason", reason},
       {"received", record.received}});
}

}  // namespace hail::driver
