#include "rider-service/api/rider_service.h"

#include <optional>
#include <utility>
#include <vector>

#include "common/errors/error.h"
#include "common/ids/uuid.h"
#include "rider-service/api/api_codec.h"
#include "rider-service/api/nearby_cars.h"
#include "rider-service/api/ride_streams.h"
#include "rider-service/api/telemetry.h"
#include "rider-service/codec/ride_codec.h"

namespace hail::rider {
namespace {

// Answers with the ride or the error.
template <typename Response>
Done<Ride> AnswerWithRide(Done<Response> done, const PositionCache* telemetry) {
  return [done = std::move(done), telemetry](const absl::StatusOr<Ride>& ride) {
    if (!ride.ok()) return done(ride.status());
    Response response;
    Encode(*ride, response.mutable_ride());
    AddDriverLastSeen(*telemetry, response.mutable_ride());
    done(std::move(response));
  };
}

// Runs the searches one after the other, then answers. A price does not need driver-service: without it, only the ETAs
// are missing.
void FindPickupTimes(DriverSearch* search, const rpc::CallContext& call, std::vector<SearchRequest> to_ask,
                     v1::QuoteRideResponse response, Done<v1::QuoteRideResponse> done) {
  SearchRequest next = std::move(to_ask.back());
  to_ask.pop_back();
  search->Search(next, call,
                 [search, &call, next, to_ask = std::move(to_ask), response = std::move(response),
                  done = std::move(done)](const absl::StatusOr<SearchResponse>& found) mutable {
                   if (!found.ok()) return done(std::move(response));
                   for (SearchRequest& more : AddPickupEtas(next, *found, &response)) {
                     to_ask.push_back(std::move(more));
                   }
                   if (to_ask.empty()) return done(std::move(response));
                   FindPickupTimes(search, call, std::move(to_ask), std::move(response), std::move(done));
                 });
}

}  // namespace

void RiderService::ListProducts(const rpc::CallContext&, const v1::ListProductsRequest& request,
                                Done<v1::ListProductsResponse> done) {
  const auto position = DecodePosition(request.has_position(), request.position());
  if (!position.ok()) return done(position.status());
  const auto products = ports_.quoter->ProductsAt(*position, "position");
  if (!products.ok()) return done(products.status());
  v1::ListProductsResponse response;
  for (const Product& product : *products) Encode(product, response.add_products());
  done(std::move(response));
}

void RiderService::QuoteRide(const rpc::CallContext& call, const v1::QuoteRideRequest& request,
                             Done<v1::QuoteRideResponse> done) {
  const auto quotes = ports_.quoter->QuoteRide(ReadClock(), AsRequest(request));
  if (!quotes.ok()) return done(quotes.status());
  v1::QuoteRideResponse response;
  for (const SignedQuote& quote : *quotes) Encode(quote, response.add_quotes());
  FindPickupTimes(ports_.search, call, {SearchFor(request, quotes->front().quote.region_id())}, std::move(response),
                  std::move(done));
}

void RiderService::RequestRide(const rpc::CallContext& call, const v1::RequestRideRequest& request,
                               Done<v1::RequestRideResponse> done) {
  ports_.rides->Request(ReadClock(), request, call.deadline, AnswerWithRide(std::move(done), ports_.session.telemetry));
}

void RiderService::GetRide(const rpc::CallContext&, const v1::GetRideRequest& request, Done<v1::GetRideResponse> done) {
  if (const absl::Status status = CheckId(request.ride_id(), "ride_id"); !status.ok()) return done(status);
  ports_.rides->Get(request.rider_id(), request.ride_id(), AnswerWithRide(std::move(done), ports_.session.telemetry));
}

void RiderService::GetActiveRide(const rpc::CallContext&, const v1::GetActiveRideRequest& request,
                                 Done<v1::GetActiveRideResponse> done) {
  ports_.rides->GetActive(request.rider_id(), [done = std::move(done), telemetry = ports_.session.telemetry](
                                                  const absl::StatusOr<std::optional<Ride>>& ride) {
    if (!ride.ok()) return done(ride.status());
    v1::GetActiveRideResponse response;
    if (*ride) {
      Encode(**ride, response.mutable_ride());
      AddDriverLastSeen(*telemetry, response.mutable_ride());
    }
    done(std::move(response));
  });
}

void RiderService::ListRides(const rpc::CallContext&, const v1::ListRidesRequest& request,
                             Done<v1::ListRidesResponse> done) {
  Rides::List list{request.rider_id(), request.page_size(), request.page_token(), {}};
  for (const int state : request.states()) {
    list.states.push_back(DecodeState(static_cast<hail::type::v1::RideState>(state)));
    if (list.states.back() == RideState::kUnspecified) {
      return done(InvalidField("states", "holds a state that no ride can be in"));
    }
  }
  ports_.rides->ListForRider(std::move(list), [done = std::move(done), telemetry = ports_.session.telemetry](
                                                  const absl::StatusOr<Rides::Listed>& listed) {
    if (!listed.ok()) return done(listed.status());
    v1::ListRidesResponse response;
    for (const Ride& ride : listed->rides) {
      hail::type::v1::Ride* encoded = response.add_rides();
      Encode(ride, encoded);
      AddDriverLastSeen(*telemetry, encoded);
    }
    response.set_next_page_token(listed->next_page_token);
    done(std::move(response));
  });
}

void RiderService::CancelRide(const rpc::CallContext& call, const v1::CancelRideRequest& request,
                              Done<v1::CancelRideResponse> done) {
  if (const absl::Status status = CheckId(request.ride_id(), "ride_id"); !status.ok()) return done(status);
  ports_.rides->Cancel(ReadClock(), request.rider_id(), request.ride_id(), DecodeReason(request.reason()),
                       request.note(), call.deadline, AnswerWithRide(std::move(done), ports_.session.telemetry));
}

void RiderService::ListNearbyCars(const rpc::CallContext& call, const v1::ListNearbyCarsRequest& request,
                                  Done<v1::ListNearbyCarsResponse> done) {
  const Regions& regions = ports_.quoter->regions();
  const auto searches = SearchesFor(request, regions);
  if (!searches.ok()) return done(searches.status());
  if (searches->empty()) return done(v1::ListNearbyCarsResponse());
  ports_.search->Search(searches->front(), call,
                        [&request, &regions, done = std::move(done)](const absl::StatusOr<SearchResponse>& found) {
                          if (!found.ok()) return done(SearchError(found.status()));
                          v1::ListNearbyCarsResponse response;
                          EncodeCars(request, regions, *found, &response);
                          done(std::move(response));
                        });
}

std::shared_ptr<rpc::StreamSession> RiderService::WatchRide(const rpc::CallContext&,
                                                            const v1::WatchRideRequest& request,
                                                            std::shared_ptr<rpc::Sink<v1::WatchRideResponse>> sink) {
  return std::make_shared<WatchStream>(ports_.session, request, std::move(sink));
}

std::shared_ptr<rpc::InboundSession<v1::StreamRideRequest>> RiderService::StreamRide(
    const rpc::CallContext&, std::shared_ptr<rpc::Sink<v1::StreamRideResponse>> sink) {
  return std::make_shared<RideStream>(ports_.session, ports_.rides, std::move(sink));
}

}  // namespace hail::rider
