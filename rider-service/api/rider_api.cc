#include "rider-service/api/rider_api.h"

#include <memory>
#include <utility>
#include <vector>

#include "common/errors/error.h"
#include "common/ids/uuid.h"
#include "common/rpc/bidi_stream.h"
#include "common/rpc/identity.h"
#include "common/rpc/server_stream.h"
#include "common/rpc/unary.h"
#include "rider-service/api/api_codec.h"
#include "rider-service/api/nearby_cars.h"
#include "rider-service/api/ride_streams.h"
#include "rider-service/codec/ride_codec.h"

namespace hail::rider {
namespace {

// A ride has a dozen events, or some tens with re-dispatches: a reader this far behind does not read.
constexpr std::size_t kRiderQueue = 128;

// Answers `call` with the ride, or with why there is none.
template <typename Call>
Done<Ride> AnswerWithRide(Call call, const TelemetryBoard* telemetry) {
  return [call, telemetry](const absl::StatusOr<Ride>& ride) {
    if (!ride.ok()) return call->Finish(ride.status());
    Encode(*ride, call->response().mutable_ride());
    AddDriverLastSeen(*telemetry, call->response().mutable_ride());
    call->Finish();
  };
}

// Both ids, and whether the caller may speak for the rider.
template <typename Call>
absl::Status CheckRideCall(const Call& call) {
  const absl::Status speaks = rpc::CheckSpeaksFor(call->info().caller, call->request().rider_id(), "rider_id");
  return speaks.ok() ? CheckId(call->request().ride_id(), "ride_id") : speaks;
}

// Searches one after the other, and finishes the call when nothing is left to ask. A price needs no driver-service:
// without it only the ETAs are missing.
template <typename Call>
void FindPickupTimes(DriverSearch* search, std::vector<SearchRequest> to_ask, Call call) {
  SearchRequest next = std::move(to_ask.back());
  to_ask.pop_back();
  search->Search(
      next, call->info(),
      [search, next, to_ask = std::move(to_ask), call](const absl::StatusOr<DriverSearch::Response>& found) mutable {
        if (!found.ok()) return call->Finish();
        for (SearchRequest& more : AddPickupEtas(next, *found, &call->response())) {
          to_ask.push_back(std::move(more));
        }
        if (to_ask.empty()) return call->Finish();
        FindPickupTimes(search, std::move(to_ask), call);
      });
}

template <typename Call>
absl::Status CheckRider(const Call& call) {
  return rpc::CheckSpeaksFor(call->info().caller, call->request().rider_id(), "rider_id");
}

}  // namespace

grpc::ServerUnaryReactor* RiderApi::ListProducts(grpc::CallbackServerContext* context,
                                                 const hail::rider::v1::ListProductsRequest* request,
                                                 hail::rider::v1::ListProductsResponse* response) {
  return rpc::Unary(ports_.gate, context, request, response, "ListProducts", [this](const auto& call) {
    const auto position = DecodePosition(call->request().has_position(), call->request().position());
    if (!position.ok()) return call->Finish(position.status());
    const auto products = ports_.quoter->ProductsAt(*position, "position");
    if (!products.ok()) return call->Finish(products.status());
    for (const Product& product : *products) Encode(product, call->response().add_products());
    call->Finish();
  });
}

grpc::ServerUnaryReactor* RiderApi::QuoteRide(grpc::CallbackServerContext* context,
                                              const hail::rider::v1::QuoteRideRequest* request,
                                              hail::rider::v1::QuoteRideResponse* response) {
  return rpc::Unary(ports_.gate, context, request, response, "QuoteRide", [this](const auto& call) {
    if (const absl::Status status = CheckRider(call); !status.ok()) return call->Finish(status);
    const auto quotes = ports_.quoter->QuoteRide(ReadClock(), DecodeRequest(call->request()));
    if (!quotes.ok()) return call->Finish(quotes.status());
    for (const Quote& quote : *quotes) Encode(quote, call->response().add_quotes());
    FindPickupTimes(ports_.search, {SearchFor(call->request(), quotes->front().region_id)}, call);
  });
}

grpc::ServerUnaryReactor* RiderApi::RequestRide(grpc::CallbackServerContext* context,
                                                const hail::rider::v1::RequestRideRequest* request,
                                                hail::rider::v1::RequestRideResponse* response) {
  return rpc::Unary(
      ports_.gate, context, request, response, "RequestRide",
      [this](const auto& call) {
        if (const absl::Status status = CheckRider(call); !status.ok()) return call->Finish(status);
        ports_.rides->Request(ReadClock(), DecodeRequest(call->request()), call->deadline(),
                              AnswerWithRide(call, ports_.session.telemetry));
      },
      [this](absl::Time deadline) { return ports_.rides->Admit(deadline); });
}

grpc::ServerUnaryReactor* RiderApi::GetRide(grpc::CallbackServerContext* context,
                                            const hail::rider::v1::GetRideRequest* request,
                                            hail::rider::v1::GetRideResponse* response) {
  return rpc::Unary(ports_.gate, context, request, response, "GetRide", [this](const auto& call) {
    if (const absl::Status status = CheckRideCall(call); !status.ok()) return call->Finish(status);
    ports_.rides->Get(call->request().rider_id(), call->request().ride_id(),
                      AnswerWithRide(call, ports_.session.telemetry));
  });
}

grpc::ServerUnaryReactor* RiderApi::GetActiveRide(grpc::CallbackServerContext* context,
                                                  const hail::rider::v1::GetActiveRideRequest* request,
                                                  hail::rider::v1::GetActiveRideResponse* response) {
  return rpc::Unary(ports_.gate, context, request, response, "GetActiveRide", [this](const auto& call) {
    if (const absl::Status status = CheckRider(call); !status.ok()) return call->Finish(status);
    ports_.rides->GetActive(call->request().rider_id(), [call, telemetry = ports_.session.telemetry](
                                                            const absl::StatusOr<std::optional<Ride>>& ride) {
      if (!ride.ok()) return call->Finish(ride.status());
      if (*ride) {
        Encode(**ride, call->response().mutable_ride());
        AddDriverLastSeen(*telemetry, call->response().mutable_ride());
      }
      call->Finish();
    });
  });
}

grpc::ServerUnaryReactor* RiderApi::ListRides(grpc::CallbackServerContext* context,
                                              const hail::rider::v1::ListRidesRequest* request,
                                              hail::rider::v1::ListRidesResponse* response) {
  return rpc::Unary(ports_.gate, context, request, response, "ListRides", [this](const auto& call) {
    if (const absl::Status status = CheckRider(call); !status.ok()) return call->Finish(status);
    Rides::List list{call->request().rider_id(), call->request().page_size(), call->request().page_token(), {}};
    for (const int state : call->request().states()) {
      list.states.push_back(DecodeState(static_cast<hail::type::v1::RideState>(state)));
      if (list.states.back() == RideState::kUnspecified) {
        return call->Finish(InvalidField("states", "holds a state that no ride can be in"));
      }
    }
    ports_.rides->ListForRider(
        std::move(list), [call, telemetry = ports_.session.telemetry](const absl::StatusOr<Rides::Listed>& listed) {
          if (!listed.ok()) return call->Finish(listed.status());
          for (const Ride& ride : listed->rides) {
            hail::type::v1::Ride* encoded = call->response().add_rides();
            Encode(ride, encoded);
            AddDriverLastSeen(*telemetry, encoded);
          }
          call->response().set_next_page_token(listed->next_page_token);
          call->Finish();
        });
  });
}

grpc::ServerUnaryReactor* RiderApi::CancelRide(grpc::CallbackServerContext* context,
                                               const hail::rider::v1::CancelRideRequest* request,
                                               hail::rider::v1::CancelRideResponse* response) {
  return rpc::Unary(ports_.gate, context, request, response, "CancelRide", [this](const auto& call) {
    if (const absl::Status status = CheckRideCall(call); !status.ok()) return call->Finish(status);
    ports_.rides->Cancel(ReadClock(), call->request().rider_id(), call->request().ride_id(),
                         DecodeReason(call->request().reason()), call->request().note(), call->deadline(),
                         AnswerWithRide(call, ports_.session.telemetry));
  });
}

grpc::ServerUnaryReactor* RiderApi::ListNearbyCars(grpc::CallbackServerContext* context,
                                                   const hail::rider::v1::ListNearbyCarsRequest* request,
                                                   hail::rider::v1::ListNearbyCarsResponse* response) {
  return rpc::Unary(ports_.gate, context, request, response, "ListNearbyCars", [this](const auto& call) {
    const Regions& regions = ports_.quoter->regions();
    const auto searches = SearchesFor(call->request(), regions);
    if (!searches.ok()) return call->Finish(searches.status());
    if (searches->empty()) return call->Finish();
    ports_.search->Search(searches->front(), call->info(),
                          [call, &regions](const absl::StatusOr<DriverSearch::Response>& found) {
                            if (!found.ok()) return call->Finish(found.status());
                            EncodeCars(call->request(), regions, *found, &call->response());
                            call->Finish();
                          });
  });
}

grpc::ServerWriteReactor<hail::rider::v1::WatchRideResponse>* RiderApi::WatchRide(
    grpc::CallbackServerContext* context, const hail::rider::v1::WatchRideRequest* request) {
  return rpc::ServeStream<hail::rider::v1::WatchRideResponse>(
      ports_.gate, context, "WatchRide", {.queue = kRiderQueue}, [this, request](auto outbox, const auto& info) {
        return std::make_shared<WatchStream>(ports_.session, *request, info, std::move(outbox));
      });
}

grpc::ServerBidiReactor<hail::rider::v1::StreamRideRequest, hail::rider::v1::StreamRideResponse>* RiderApi::StreamRide(
    grpc::CallbackServerContext* context) {
  return rpc::ServeBidi<hail::rider::v1::StreamRideRequest, hail::rider::v1::StreamRideResponse>(
      ports_.gate, context, "StreamRide", {.queue = kRiderQueue}, [this](auto outbox, const auto& info) {
        return std::make_shared<RideStream>(ports_.session, ports_.rides, info, std::move(outbox));
      });
}

}  // namespace hail::rider
