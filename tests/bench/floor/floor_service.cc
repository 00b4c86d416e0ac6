#include "tests/bench/floor/floor_service.h"

#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/ids/uuid.h"
#include "common/proto/time.h"

namespace hail::floor {
namespace {

using hail::rider::v1::RequestRideRequest;
using hail::type::v1::Ride;

// A ride as large as in Hail's answers.
void Fill(const RequestRideRequest& request, Ride* ride) {
  static const RandomBits random = SystemRandom();
  const absl::Time now = absl::Now();
  ride->set_ride_id(UuidV7(now, random));
  ride->set_rider_id(request.rider_id());
  ride->set_request_id(request.request_id());
  ride->set_region_id("san_francisco");
  ride->set_product_id(request.product_id());
  ride->set_state(hail::type::v1::RIDE_STATE_MATCHING);
  ride->set_sequence(1);
  ride->set_epoch(1);
  ride->set_seats(1);
  *ride->mutable_pickup() = request.pickup();
  *ride->mutable_dropoff() = request.dropoff();
  ride->mutable_fare()->mutable_quoted()->set_currency_code("USD");
  ride->mutable_fare()->mutable_quoted()->set_micros(12'340'000);
  Encode(now, ride->mutable_create_time());
  Encode(now, ride->mutable_update_time());
  Encode(now + absl::Seconds(120), ride->mutable_match_deadline());
  ride->set_distance_m(2345.6);
  ride->mutable_trip_duration()->set_seconds(543);
}

// The two rows of a new ride, with all their indexes.
absl::Status Insert(sqlite::Connection& db, const Ride& ride) {
  const std::string bytes = ride.SerializeAsString();
  const std::int64_t now_us = absl::ToUnixMicros(absl::Now());
  auto row = db.Prepare(
      "INSERT INTO rides (ride_id, rider_id, request_id, quote_id, driver_id, offer_id, state, sequence, epoch, seen,"
      " create_time_us, update_time_us, assign_time_us, match_deadline_us, ride, internals)"
      " VALUES (?, ?, ?, NULL, NULL, NULL, ?, 1, 1, 0, ?, ?, NULL, ?, ?, ?)");
  if (!row.ok()) return row.status();
  row->BindAll(ride.ride_id(), ride.rider_id(), ride.request_id(), static_cast<int>(ride.state()), now_us, now_us,
               now_us + 120'000'000, sqlite::Blob{bytes}, sqlite::Blob{ride.ride_id()});
  if (absl::Status status = row->Run(); !status.ok()) return status;
  auto event = db.Prepare(
      "INSERT INTO events (ride_id, sequence, type, epoch, state, driver_id, driver_sequence, ended, event_time_us,"
      " event, former) VALUES (?, 1, 1, 1, ?, NULL, 0, 0, ?, ?, NULL)");
  if (!event.ok()) return event.status();
  event->BindAll(ride.ride_id(), static_cast<int>(ride.state()), now_us, sqlite::Blob{bytes});
  return event->Run();
}

using DriverReactor =
    grpc::ServerBidiReactor<hail::driver::v1::StreamDriverRequest, hail::driver::v1::StreamDriverResponse>;

class Forgetter final : public DriverReactor {
 public:
  Forgetter() {
    StartSendInitialMetadata();
    StartRead(&message_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    StartRead(&message_);
  }
  void OnDone() override { delete this; }

 private:
  hail::driver::v1::StreamDriverRequest message_;
};

}  // namespace

grpc::ServerUnaryReactor* FloorRiderService::RequestRide(grpc::CallbackServerContext* context,
                                                         const RequestRideRequest* request,
                                                         hail::rider::v1::RequestRideResponse* response) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  Fill(*request, response->mutable_ride());
  if (database_ == nullptr) {
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
  database_->writer().Submit(
      absl::InfiniteFuture(), [response](sqlite::Connection& db) { return Insert(db, response->ride()); },
      [reactor](const absl::Status& status) {
        reactor->Finish(status.ok() ? grpc::Status::OK
                                    : grpc::Status(grpc::StatusCode::UNAVAILABLE, std::string(status.message())));
      });
  return reactor;
}

DriverReactor* FloorDriverService::StreamDriver(grpc::CallbackServerContext*) { return new Forgetter(); }

}  // namespace hail::floor
