#include "driver-service/api/position_intake.h"

#include <optional>
#include <utility>
#include <vector>

#include "common/errors/error.h"
#include "driver-service/codec/driver_codec.h"
#include "driver-service/domain/position_rules.h"

namespace hail::driver {
namespace {

constexpr int kMaxPositions = 64;

bool Newer(const Fix& fix, const std::optional<Fix>& known) {
  return !known.has_value() ||
         std::pair(fix.session_epoch, fix.position_seq) > std::pair(known->session_epoch, known->position_seq);
}

}  // namespace

absl::StatusOr<int> PositionIntake::Take(const std::string& driver_id, std::int64_t session_epoch,
                                         const v1::UpdateLocationRequest& request) {
  if (request.positions().empty()) return InvalidField("positions", "must not be empty");
  if (request.positions_size() > kMaxPositions) return InvalidField("positions", "must be at most 64");
  const absl::Time received = clock_.Read().domain;
  const absl::Duration jitter = clock_.scale().ToDomain(kArrivalJitter);

  std::optional<Fix> latest = index_.Find(driver_id);
  std::vector<Fix> newer;
  for (int i = 0; i < request.positions_size(); ++i) {
    const std::string field = "positions[" + std::to_string(i) + "]";
    absl::StatusOr<Fix> fix = FromProto(request.positions(i), session_epoch, received, field);
    if (!fix.ok()) return fix.status();
    if (!Newer(*fix, latest)) continue;
    if (latest.has_value()) {
      if (absl::Status status = CheckJump(*latest, *fix, jitter, field); !status.ok()) return status;
    }
    latest = *fix;
    newer.push_back(*std::move(fix));
  }
  int taken = 0;
  for (const Fix& fix : newer) taken += index_.Update(driver_id, fix) ? 1 : 0;
  if (taken > 0) {
    trips_.Add(driver_id, newer.back());
    if (sightings_ != nullptr) sightings_->Moved(driver_id);
  }
  return taken;
}

}  // namespace hail::driver
