#include "rider-service/storage/ride_rows.h"

#include <openssl/rand.h>

#include <utility>

#include "common/errors/error.h"
#include "rider-service/codec/record_codec.h"

namespace hail::rider {

std::optional<std::string> OrNull(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return text;
}

std::optional<std::int64_t> OrNull(const std::optional<absl::Time>& time) {
  if (!time) return std::nullopt;
  return absl::ToUnixMicros(*time);
}

std::optional<std::string> DriverIdOf(const Ride& ride) {
  if (ride.driver() == nullptr) return std::nullopt;
  return ride.driver()->driver_id();
}

absl::StatusOr<RideEvent> EventOfRow(std::string_view event, std::string_view driver_id, std::int64_t driver_sequence,
                                     bool ended, std::optional<std::string_view> former) {
  absl::StatusOr<RideEvent> result = EventFromBytes(event);
  if (!result.ok()) return result;
  result->driver_id = std::string(driver_id);
  result->driver_sequence = driver_sequence;
  result->message.set_ended(ended);
  if (former) {
    absl::StatusOr<Ride> ride = FormerFromBytes(*former);
    if (!ride.ok()) return ride.status();
    result->former = *std::move(ride);
  }
  return result;
}

RidePage Page(std::vector<Ride> rides, int limit) {
  RidePage page{std::move(rides), false};
  if (page.rides.size() > static_cast<std::size_t>(limit)) {
    page.rides.resize(static_cast<std::size_t>(limit));
    page.more = true;
  }
  return page;
}

absl::StatusOr<std::string> DrawSecret() {
  std::string key(kSecretBytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), static_cast<int>(key.size())) != 1) {
    return Internal("the system's random generator failed");
  }
  return key;
}

}  // namespace hail::rider
