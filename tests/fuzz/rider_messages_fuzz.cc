// Any bytes as the messages that rider-service receives: from apps, from driver-service and from operators. They are
// parsed, decoded and checked; accepted messages are decided on, stored and read back.
#include <string>

#include "common/ids/uuid.h"
#include "common/text/text.h"
#include "rider-service/api/api_codec.h"
#include "rider-service/api/nearby_cars.h"
#include "rider-service/api/telemetry.h"
#include "rider-service/codec/record_codec.h"
#include "rider-service/codec/ride_codec.h"
#include "rider-service/domain/quote.h"
#include "tests/fuzz/ride_model.h"

namespace hail::fuzz {
namespace {

namespace rpb = hail::rider::v1;
namespace ipb = hail::internal::v1;

const Now kNow{kStart, kStart};

const rider::Quoter& Quoter() {
  static const auto* const regions =
      new rider::Regions(rider::Regions::FromJson(rider::Regions::ShippedJson()).value());
  static const auto* const quoter = new rider::Quoter(regions, std::string(32, 'k'), [] { return std::uint64_t{7}; });
  return *quoter;
}

void CheckStored(const rider::Ride& ride) {
  const auto stored = rider::RideFromBytes(rider::RideBytes(ride), rider::InternalsBytes(ride));
  Require(stored.ok() && *stored == ride, "a ride is read as it was stored");
}

void AskForQuotes(const std::string& bytes) {
  rpb::QuoteRideRequest request;
  if (!request.ParseFromString(bytes)) return;
  rider::SearchFor(request, "san_francisco");
  const auto quotes = Quoter().QuoteRide(kNow, rider::AsRequest(request));
  if (!quotes.ok()) return;
  Require(!quotes->empty(), "there is at least one quote");
  for (const rider::SignedQuote& quote : *quotes) {
    Require(quote.quote.fare_micros() >= 0 && !quote.token.empty(), "a quote has a price and a token");
    rpb::Quote encoded;
    rider::Encode(quote, &encoded);
  }
}

void AskForARide(const std::string& bytes) {
  rider::RideRequest request;
  if (!request.ParseFromString(bytes)) return;
  const std::string fingerprint = rider::RequestFingerprint(request);
  Require(fingerprint.size() == 66 && rider::RequestFingerprint(request) == fingerprint,
          "a fingerprint depends on the body only");
  const auto terms = Quoter().TermsFor(kNow, request);
  if (!terms.ok()) return;
  Require(terms->region != nullptr && terms->product != nullptr && terms->fare.micros >= 0, "terms are whole");
  rider::Ride ride = rider::AskedFor(request, fingerprint);
  ride.Edit()->set_ride_id("ride-1");
  rider::Encode(terms->fare, ride.Edit()->mutable_fare()->mutable_quoted());
  ride.Edit()->set_distance_m(terms->distance_m);
  rider::Encode(terms->trip_duration, ride.Edit()->mutable_trip_duration());
  CheckStored(rider::NewRide(std::move(ride), {}, kStart).ride);
}

void Filters(const std::string& bytes) {
  rpb::ListRidesRequest list;
  if (list.ParseFromString(bytes)) {
    for (const int state : list.states()) rider::DecodeState(static_cast<hail::type::v1::RideState>(state));
  }
  rpb::ListNearbyCarsRequest cars;
  if (cars.ParseFromString(bytes)) {
    const auto searches = rider::SearchesFor(cars, Quoter().regions());
    if (searches.ok()) {
      for (const auto& search : *searches) {
        Require(search.radius_m() > 0 && search.limit() > 0 && !search.region_id().empty(), "a search looks somewhere");
      }
    }
  }
  ipb::SearchDriversResponse found;
  if (found.ParseFromString(bytes)) {
    rpb::ListNearbyCarsRequest asked;
    asked.mutable_position()->set_latitude_deg(37.77);
    asked.mutable_position()->set_longitude_deg(-122.42);
    rpb::ListNearbyCarsResponse response;
    rider::EncodeCars(asked, Quoter().regions(), found, &response);
    rpb::QuoteRideResponse quotes;
    quotes.add_quotes()->set_product_id("economy");
    rider::AddPickupEtas(rider::SearchFor(rpb::QuoteRideRequest(), "san_francisco"), found, &quotes);
  }
}

void Cancel(const std::string& bytes) {
  rpb::CancelRideRequest request;
  if (!request.ParseFromString(bytes)) return;
  const rider::CancelReason reason = rider::DecodeReason(request.reason());
  if (!rider::CheckReason(reason, "reason").ok() || !CheckNote(request.note(), "note").ok()) return;
  const auto change =
      rider::CancelByRider(AskedFor("ride-1", {}, kStart).ride, reason, request.note(), kStart + absl::Seconds(5));
  Require(change.ok() && change->ride.state() == rider::RideState::kCanceled, "the rider of a ride can cancel it");
  CheckStored(change->ride);
}

rider::Ride Assigned() {
  rider::AcceptedOffer assignment;
  assignment.epoch = 1;
  assignment.driver.set_driver_id("driver-1");
  assignment.offer_id = "offer-1";
  return rider::Assign(AskedFor("ride-1", {}, kStart).ride, assignment, {}, kStart + absl::Seconds(5))->ride;
}

void Confirm(const std::string& bytes) {
  ipb::ConfirmAssignmentRequest request;
  if (!request.ParseFromString(bytes)) return;
  const auto assignment = rider::DecodeAssignment(request);
  if (!assignment.ok()) return;
  Require(assignment->epoch >= 1, "an assignment has an epoch");
  const auto change = rider::Assign(AskedFor("ride-1", {}, kStart).ride, *assignment, {}, kStart + absl::Seconds(5));
  if (change.ok() && !assignment->driver.driver_id().empty() && !assignment->offer_id.empty())
    CheckStored(change->ride);
}

void Step(const std::string& bytes) {
  ipb::RecordTripEventRequest request;
  if (!request.ParseFromString(bytes)) return;
  auto command = rider::DecodeCommand(request);
  if (!command.ok()) return;
  // As received, and with the assigned driver's ids.
  for (const bool own : {false, true}) {
    if (own) command->driver_id = "driver-1";
    if (own) command->epoch = 1;
    const auto change = rider::TakeStep(Assigned(), *command, {}, kStart + absl::Seconds(60));
    if (change.ok()) CheckStored(change->ride);
  }
}

void Operate(const std::string& bytes) {
  ipb::ResolveRideRequest request;
  if (!request.ParseFromString(bytes)) return;
  const auto resolution = rider::DecodeResolution(request.resolution());
  if (!resolution.ok()) return;
  const auto change = rider::Resolve(Assigned(), *resolution, request.note(), kStart + absl::Seconds(60));
  if (change.ok()) CheckStored(change->ride);
}

void Watch(const std::string& bytes) {
  ipb::WatchDriversRequest request;
  if (!request.ParseFromString(bytes)) return;
  const auto cursor = rider::DecodeCursor(request.subscribe());
  if (cursor) Require(!cursor->ride_id.empty(), "a cursor is of a ride");
}

void Locations(const std::string& bytes) {
  ipb::ReportLocationsRequest request;
  if (!request.ParseFromString(bytes)) return;
  rider::PositionCache board;
  for (const ipb::DriverLocation& location : request.locations()) {
    if (!board.Report(location, kNow)) continue;
    const auto fix = board.Latest(location.ride_id(), location.epoch());
    Require(fix != nullptr, "a reported position is known");
    fix->At({kStart + absl::Seconds(3), kStart + absl::Seconds(3)});
    google::protobuf::Timestamp seen;
    rider::Encode(fix->observed, &seen);
  }
}

}  // namespace
}  // namespace hail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hail::fuzz::Input input(data, size);
  const int kind = input.Below(9);
  const std::string bytes = input.Rest();
  switch (kind) {
    case 0:
      hail::fuzz::AskForQuotes(bytes);
      break;
    case 1:
      hail::fuzz::AskForARide(bytes);
      break;
    case 2:
      hail::fuzz::Filters(bytes);
      break;
    case 3:
      hail::fuzz::Cancel(bytes);
      break;
    case 4:
      hail::fuzz::Confirm(bytes);
      break;
    case 5:
      hail::fuzz::Step(bytes);
      break;
    case 6:
      hail::fuzz::Operate(bytes);
      break;
    case 7:
      hail::fuzz::Watch(bytes);
      break;
    default:
      hail::fuzz::Locations(bytes);
      break;
  }
  return 0;
}
