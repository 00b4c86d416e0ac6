#include "rider-service/domain/request_rules.h"

#include <cstddef>
#include <cstring>
#include <map>
#include <utility>

#include "absl/strings/escaping.h"
#include "common/errors/error.h"
#include "common/proto/bytes.h"
#include "common/text/text.h"
#include "rider-service/domain/digest.h"

namespace hail::rider {
namespace {

// The contract's limits.
constexpr double kMinTripM = 20;
constexpr std::size_t kMaxAddressBytes = 256;
constexpr std::size_t kMaxPlaceNoteBytes = 256;
constexpr std::size_t kMaxNameBytes = 128;
constexpr std::size_t kMaxLabels = 16;
constexpr std::size_t kMaxLabelBytes = 64;

absl::Status CheckPlace(const Place& place, const std::string& field) {
  if (!place.has_position()) return InvalidField(field, "required");
  if (absl::Status status = CheckLatLng(DecodeLatLng(place.position()), field + ".position"); !status.ok()) {
    return status;
  }
  if (absl::Status status = CheckText(place.address(), kMaxAddressBytes, field + ".address"); !status.ok()) {
    return status;
  }
  return CheckText(place.note(), kMaxPlaceNoteBytes, field + ".note");
}

// Prefixes the length, so that two different lists of fields never look the same.
void Add(std::string& out, const std::string& text) {
  out += std::to_string(text.size());
  out += ':';
  out += text;
}

void Add(std::string& out, double number) {
  // By bits, so that each double has one text; −0 counts as 0.
  if (number == 0) number = 0;
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  out.append(bytes, sizeof bytes);
}

void Add(std::string& out, const Place& place) {
  out += place.has_position() ? '+' : '-';
  if (!place.has_position()) return;
  Add(out, place.position().latitude_deg());
  Add(out, place.position().longitude_deg());
  Add(out, place.address());
}

// Copies a place from an app; fields unknown to this release are dropped.
void Copy(const Place& place, Place* out) {
  *out = place;
  out->DiscardUnknownFields();
}

}  // namespace

absl::StatusOr<const Region*> CheckRoute(const RideRequest& request, const Regions& regions) {
  if (absl::Status status = CheckPlace(request.pickup(), "pickup"); !status.ok()) return status;
  if (absl::Status status = CheckPlace(request.dropoff(), "dropoff"); !status.ok()) return status;
  const LatLng pickup = DecodeLatLng(request.pickup().position());
  const LatLng dropoff = DecodeLatLng(request.dropoff().position());
  if (DistanceM(pickup, dropoff) < kMinTripM) {
    return InvalidField("dropoff", "must be at least 20 m away from the pickup");
  }
  const Region* region = regions.At(pickup);
  if (region == nullptr) return FailedPrecondition(Reason::kOutsideServiceArea, "the pickup is in no region served");
  if (regions.At(dropoff) != region) {
    return FailedPrecondition(Reason::kOutsideServiceArea, "the drop-off is outside the pickup's region");
  }
  return region;
}

absl::StatusOr<const Product*> CheckProduct(const RideRequest& request, const Region& region) {
  if (request.product_id().empty()) return InvalidField("product_id", "required");
  const Product* product = region.FindProduct(request.product_id());
  if (product == nullptr) return InvalidField("product_id", "not offered in region " + region.region_id);
  if (request.seats() < 0) return InvalidField("seats", "must not be negative");
  if (request.seats() > product->max_seats) {
    return InvalidField(
        "seats", "product " + product->product_id + " has at most " + std::to_string(product->max_seats) + " seats");
  }
  return product;
}

absl::Status CheckLabels(const google::protobuf::Map<std::string, std::string>& labels) {
  if (labels.size() > kMaxLabels) return InvalidField("labels", "at most 16");
  for (const auto& [key, value] : labels) {
    if (key.empty()) return InvalidField("labels", "a key must not be empty");
    if (absl::Status status = CheckText(key, kMaxLabelBytes, "labels"); !status.ok()) return status;
    if (absl::Status status = CheckText(value, kMaxLabelBytes, "labels"); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckTexts(const RideRequest& request) {
  if (absl::Status status = CheckLabels(request.labels()); !status.ok()) return status;
  return CheckText(request.rider_display_name(), kMaxNameBytes, "rider_display_name");
}

absl::Status CheckReason(CancelReason reason, const std::string& field) {
  if (IsSystemReason(reason)) return InvalidField(field, "only the system gives this reason");
  return absl::OkStatus();
}

std::string FurtherFields(RideRequest request) {
  request.clear_rider_id();
  request.clear_request_id();
  for (Place* place : {request.mutable_pickup(), request.mutable_dropoff()}) {
    place->clear_address();
    place->mutable_position()->clear_latitude_deg();
    place->mutable_position()->clear_longitude_deg();
    if (place->position().ByteSizeLong() == 0) place->clear_position();
  }
  if (request.pickup().ByteSizeLong() == 0) request.clear_pickup();
  if (request.dropoff().ByteSizeLong() == 0) request.clear_dropoff();
  request.clear_product_id();
  request.clear_seats();
  request.clear_quote_token();
  request.clear_labels();
  return DeterministicBytes(request);
}

std::string RequestFingerprint(const RideRequest& request) {
  std::string body;
  Add(body, request.pickup());
  Add(body, request.dropoff());
  Add(body, request.product_id());
  Add(body, std::to_string(request.seats() == 0 ? 1 : request.seats()));
  Add(body, request.quote_token());
  const std::map<std::string, std::string> labels(request.labels().begin(), request.labels().end());
  for (const auto& [key, value] : labels) {
    Add(body, key);
    Add(body, value);
  }
  // Labels come in pairs, so a single further text cannot be a label.
  if (const std::string further = FurtherFields(request); !further.empty()) Add(body, further);
  return "1:" + absl::BytesToHexString(Sha256(body));
}

Ride AskedFor(const RideRequest& request, std::string fingerprint) {
  Ride ride;
  Ride::Message& record = *ride.Edit();
  record.set_rider_id(request.rider_id());
  record.set_request_id(request.request_id());
  record.set_product_id(request.product_id());
  Copy(request.pickup(), record.mutable_pickup());
  Copy(request.dropoff(), record.mutable_dropoff());
  record.set_seats(request.seats() == 0 ? 1 : request.seats());
  *record.mutable_labels() = request.labels();
  record.set_rider_display_name(request.rider_display_name());
  ride.EditInternals()->set_request_fingerprint(std::move(fingerprint));
  return ride;
}

}  // namespace hail::rider
