// What both ride stores keep to and have in their rows, whatever the database.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rider-service/domain/ride.h"
#include "rider-service/domain/ride_store.h"

namespace hail::rider {

// Events that one ReadDriverEvents returns.
inline constexpr int kMaxDriverEvents = 256;
// Of one call: a change that finds the row moved, a creation that finds what was in its way gone.
inline constexpr int kMaxAttempts = 8;
// Wall time. A confirmation's deadline is seconds after it was sent, wherever it may have been held up.
inline constexpr absl::Duration kKeepSettled = absl::Hours(1);

std::optional<std::string> OrNull(const std::string& text);
std::optional<std::int64_t> OrNull(const std::optional<absl::Time>& time);

// An event by its columns; `former` is unset where it is NULL.
absl::StatusOr<RideEvent> EventOfRow(std::string_view event, std::string_view driver_id, std::int64_t driver_sequence,
                                     bool ended, std::optional<std::string_view> former);

// Cuts a page that was read one row too long.
RidePage Page(std::vector<Ride> rides, int limit);

// For RideStore::QuoteKey.
absl::StatusOr<std::string> DrawQuoteKey();

}  // namespace hail::rider
