#include "driver-service/api/position_intake.h"

#include <optional>

#include "common/errors/error.h"
#include "driver-service/codec/driver_codec.h"

namespace hail::driver {
namespace {

constexpr int kMaxPositions = 64;

}  // namespace

absl::StatusOr<PositionTally> PositionIntake::Take(const std::string& driver_id, std::int64_t session_epoch,
                                                   const v1::UpdateLocationRequest& request) {
  if (request.positions().empty()) return InvalidField("positions", "must not be empty");
  if (request.positions_size() > kMaxPositions) return InvalidField("positions", "must be at most 64");
  const absl::Time received = clock_.Read().domain;

  PositionTally tally;
  absl::Status first_fault;
  std::optional<Fix> newest;
  for (int i = 0; i < request.positions_size(); ++i) {
    absl::StatusOr<Fix> fix =
        FromProto(request.positions(i), session_epoch, received, "positions[" + std::to_string(i) + "]");
    if (!fix.ok()) {
      ++tally.impossible;
      first_fault.Update(fix.status());
      continue;
    }
    switch (index_.Judge(driver_id, *fix)) {
      case FixVerdict::kTaken:
      case FixVerdict::kTakenInstead:
        ++tally.taken;
        newest = *fix;
        break;
      case FixVerdict::kOlder:
        ++tally.older;
        break;
      case FixVerdict::kTooFar:
        ++tally.too_far;
        break;
      case FixVerdict::kInaccurate:
        ++tally.inaccurate;
        break;
    }
  }
  if (tally.impossible == request.positions_size()) return first_fault;
  if (newest.has_value()) trips_.Add(driver_id, *newest);
  // A position that became doubtful is news as well.
  if (presences_ != nullptr && tally.taken + tally.too_far > 0) presences_->Moved(driver_id);
  return tally;
}

}  // namespace hail::driver
