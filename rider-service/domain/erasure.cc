#include "rider-service/domain/erasure.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"

namespace hail::rider {
namespace {

constexpr std::string_view kPrefix = "erased-";
constexpr std::size_t kDigestBytes = 16;
// Hundredths of a degree: at most 1.1 km north to south, and less east to west.
constexpr double kStepsPerDegree = 100;

// The pseudonym for an id.
using Name = std::function<std::string(const std::string&)>;

bool IsPseudonym(std::string_view id) {
  if (!id.starts_with(kPrefix) || id.size() != kPrefix.size() + 2 * kDigestBytes) return false;
  id.remove_prefix(kPrefix.size());
  return std::all_of(id.begin(), id.end(), [](unsigned char c) { return absl::ascii_isxdigit(c); });
}

double Coarse(double degrees) { return std::round(degrees * kStepsPerDegree) / kStepsPerDegree; }

void Coarsen(Place* place) {
  place->clear_address();
  place->clear_note();
  auto* position = place->mutable_position();
  position->set_latitude_deg(Coarse(position->latitude_deg()));
  position->set_longitude_deg(Coarse(position->longitude_deg()));
}

// What either person may have written, about anybody. Fields of a later version may hold anything.
void RemoveWords(Ride& ride) {
  if (ride.message().has_cancellation()) ride.Edit()->mutable_cancellation()->clear_note();
  ride.Edit()->DiscardUnknownFields();
}

void RemoveRider(Ride& ride, const Name& name) {
  Ride::Message& record = *ride.Edit();
  record.set_rider_id(name(record.rider_id()));
  // Unique, as the request's id was.
  record.set_request_id(record.ride_id());
  record.clear_quote_id();
  record.clear_rider_display_name();
  record.clear_labels();
  if (record.has_pickup()) Coarsen(record.mutable_pickup());
  if (record.has_dropoff()) Coarsen(record.mutable_dropoff());
  RemoveWords(ride);
}

void RemoveDriver(Ride& ride, const Name& name) {
  if (ride.driver() != nullptr) {
    DriverSummary summary;
    summary.set_driver_id(name(ride.driver()->driver_id()));
    // A driver whose name stays is another one.
    if (summary.driver_id() != ride.driver()->driver_id()) *ride.Edit()->mutable_driver() = std::move(summary);
  }
  RemoveWords(ride);
}

// Applies `remove` to each copy of the ride in the log.
void ForEachCopy(RideLog& log, const std::function<void(Ride&)>& remove) {
  remove(log.ride);
  for (RideEvent& event : log.events) {
    event.message.DiscardUnknownFields();
    remove(event.ride);
    if (event.former) remove(*event.former);
  }
}

void RemoveRider(RideLog& log, const Name& name) {
  ForEachCopy(log, [&](Ride& ride) { RemoveRider(ride, name); });
  log.ride.EditInternals()->clear_request_fingerprint();
  log.ride.EditInternals()->DiscardUnknownFields();
}

void RemoveDrivers(RideLog& log, const Name& name) {
  ForEachCopy(log, [&](Ride& ride) { RemoveDriver(ride, name); });
  for (RideEvent& event : log.events) {
    if (!event.driver_id.empty()) event.driver_id = name(event.driver_id);
  }
  for (std::string& excluded : *log.ride.EditInternals()->mutable_excluded_driver_ids()) excluded = name(excluded);
  log.ride.EditInternals()->DiscardUnknownFields();
}

}  // namespace

std::string Pseudonyms::Of(PersonKind kind, std::string_view id, std::string_view ride_id) const {
  // Ids have no white space, so the parts cannot be mistaken for each other.
  std::string text = kind == PersonKind::kRider ? "rider " : "driver ";
  text.append(id).append(" ").append(ride_id);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest, &size);
  return std::string(kPrefix) + absl::BytesToHexString({reinterpret_cast<const char*>(digest), kDigestBytes});
}

RideLog WithoutRider(RideLog log, const Pseudonyms& pseudonyms) {
  RemoveRider(log, [&, ride_id = log.ride.ride_id()](const std::string& id) {
    return pseudonyms.Of(PersonKind::kRider, id, ride_id);
  });
  return log;
}

RideLog WithoutDriver(RideLog log, const std::string& driver_id, const Pseudonyms& pseudonyms) {
  RemoveDrivers(log, [&, ride_id = log.ride.ride_id()](const std::string& id) {
    return id == driver_id ? pseudonyms.Of(PersonKind::kDriver, id, ride_id) : id;
  });
  return log;
}

RideLog WithoutPersons(RideLog log, const Pseudonyms& pseudonyms) {
  const auto naming = [&](PersonKind kind) {
    return [&pseudonyms, kind, ride_id = log.ride.ride_id()](const std::string& id) {
      return IsPseudonym(id) ? id : pseudonyms.Of(kind, id, ride_id);
    };
  };
  RemoveRider(log, naming(PersonKind::kRider));
  RemoveDrivers(log, naming(PersonKind::kDriver));
  return log;
}

}  // namespace hail::rider
