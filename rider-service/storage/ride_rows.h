// Constants and row conversions that both ride stores share.
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

// The number of events that one ReadDriverEvents returns.
inline constexpr int kMaxDriverEvents = 256;
// Attempts of one call: a change whose row has changed, or a creation whose conflict has disappeared.
inline constexpr int kMaxAttempts = 8;
// Wall time. Much longer than any delay of a confirmation, whose deadline is seconds after it was sent.
inline constexpr absl::Duration kKeepSettled = absl::Hours(1);

std::optional<std::string> OrNull(const std::string& text);
std::optional<std::int64_t> OrNull(const std::optional<absl::Time>& time);

// The id of the present or last driver, for the row.
std::optional<std::string> DriverIdOf(const Ride& ride);

// An event by its columns; `former` is unset where it is NULL.
absl::StatusOr<RideEvent> EventOfRow(std::string_view event, std::string_view driver_id, std::int64_t driver_sequence,
                                     bool ended, std::optional<std::string_view> former);

// Cuts a page that was read with one extra row.
RidePage Page(std::vector<Ride> rides, int limit);

// A secret of the table `secrets`: its name, and its length in bytes.
inline constexpr char kQuoteKey[] = "quote_key";
inline constexpr char kPseudonymKey[] = "pseudonym_key";
inline constexpr std::size_t kSecretBytes = 32;
absl::StatusOr<std::string> DrawSecret();

}  // namespace hail::rider
