#include "tests/tools/hail-load/request_load.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "tests/tools/hail-load/authorize.h"
#include "tests/tools/hail-load/connections.h"
#include "tests/tools/hail-sim/calls.h"

namespace hail::load {
namespace {

using hail::rider::v1::QuoteRideRequest;
using hail::rider::v1::QuoteRideResponse;
using hail::rider::v1::RequestRideRequest;
using hail::rider::v1::RequestRideResponse;

constexpr absl::Duration kAfterFailure = absl::Milliseconds(200);

// Spreads points evenly over a square in the middle of San Francisco, by the fractional parts of multiples of
// irrational numbers.
void Spread(std::uint64_t number, double offset, hail::type::v1::LatLng* to) {
  const auto part = [](double value) { return value - static_cast<double>(static_cast<std::int64_t>(value)); };
  to->set_latitude_deg(37.75 + 0.04 * part(offset + static_cast<double>(number % 1'000'003) * 0.618033988749895));
  to->set_longitude_deg(-122.45 + 0.04 * part(offset + static_cast<double>(number % 1'000'003) * 0.414213562373095));
}

}  // namespace

RequestLoad::RequestLoad(const std::string& rider_address, int connections, std::string run_id, absl::Duration deadline,
                         int quoting)
    : run_id_(std::move(run_id)),
      deadline_(deadline),
      quoting_(static_cast<std::uint64_t>(quoting)),
      channels_(Connect(rider_address, connections)) {
  for (const auto& channel : channels_) stubs_.push_back(hail::rider::v1::RiderService::NewStub(channel));
}

RequestLoad::~RequestLoad() { in_flight_.AwaitNone(); }

void RequestLoad::Send(Done done) {
  const std::uint64_t number = next_++;
  if (quoting_ > 0) {
    QuoteRideRequest request;
    request.set_rider_id(absl::StrCat(run_id_, "-", number % quoting_));
    return Start<QuoteRideRequest, QuoteRideResponse>(
        number, std::move(request), [](auto* stub, auto&&... call) { stub->QuoteRide(call...); }, std::move(done));
  }
  RequestRideRequest request;
  request.set_rider_id(absl::StrCat(run_id_, "-", number));
  request.set_request_id("1");
  Start<RequestRideRequest, RequestRideResponse>(
      number, std::move(request), [](auto* stub, auto&&... call) { stub->RequestRide(call...); }, std::move(done));
}

template <typename Request, typename Response, typename Method>
void RequestLoad::Start(std::uint64_t number, Request request, Method method, Done done) {
  request.set_product_id("economy");
  Spread(number, 0, request.mutable_pickup()->mutable_position());
  Spread(number, 0.5, request.mutable_dropoff()->mutable_position());
  auto* const stub = stubs_[number % stubs_.size()].get();
  sim::StartUnary<Request, Response>(
      [stub, method](auto* context, auto* request, auto* response, auto done) {
        AuthorizeRider(context, request->rider_id());
        method(stub->async(), context, request, response, std::move(done));
      },
      std::move(request), deadline_,
      [done = std::move(done)](absl::Time at, const grpc::Status& status, const Response&) { done(at, status); },
      &in_flight_);
}

Answers RequestLoad::ClosedLoop(int callers, absl::Duration warm_up, absl::Duration length) {
  const absl::Time from = absl::Now() + warm_up;
  const absl::Time to = from + length;
  absl::Mutex mutex;
  Answers answers;
  std::function<void()> again = [&] {
    const absl::Time sent = absl::Now();
    Send([&, sent](absl::Time at, const grpc::Status& status) {
      if (at >= from && at < to) {
        absl::MutexLock lock(&mutex);
        if (status.ok()) {
          answers.took.Add(at - sent);
        } else {
          ++answers.failed;
        }
      }
      if (at >= to) return;
      if (status.ok()) return again();
      loop_.PostAfter(kAfterFailure, again);
    });
  };
  for (int i = 0; i < callers; ++i) again();
  absl::SleepFor(to - absl::Now());
  in_flight_.AwaitNone();
  // Let the last tasks of waiting callers run.
  absl::Notification last;
  loop_.PostAfter(kAfterFailure, [&] { last.Notify(); });
  last.WaitForNotification();
  in_flight_.AwaitNone();
  answers.per_second = static_cast<double>(answers.took.count()) / absl::ToDoubleSeconds(length);
  return answers;
}

Answers RequestLoad::Spaced(int calls, absl::Duration apart) {
  Answers answers;
  const absl::Time began = absl::Now();
  for (int i = 0; i < calls; ++i) {
    absl::SleepFor(began + i * apart - absl::Now());
    const absl::Time sent = absl::Now();
    absl::Notification answered;
    Send([&](absl::Time at, const grpc::Status& status) {
      if (status.ok()) {
        answers.took.Add(at - sent);
      } else {
        ++answers.failed;
      }
      answered.Notify();
    });
    answered.WaitForNotification();
  }
  return answers;
}

Answers RequestLoad::AtRate(double rate, absl::Duration warm_up, absl::Duration length) {
  const absl::Time start = absl::Now();
  Timeline timeline(start, deadline_);
  OpenLoop(rate, warm_up + length, timeline);
  in_flight_.AwaitNone();
  const auto second = [](absl::Duration duration) { return static_cast<int>(absl::ToInt64Seconds(duration)); };
  const Tally tally = timeline.Sum(second(warm_up), second(warm_up + length));
  Answers answers;
  answers.per_second = static_cast<double>(tally.answered.count()) / absl::ToDoubleSeconds(length);
  answers.took = tally.answered;
  answers.failed = tally.refused + tally.Failed();
  return answers;
}

Paced RequestLoad::OpenLoop(double rate, absl::Duration length, Timeline& timeline) {
  return SendPaced(absl::Now(), rate, length, [this, &timeline](absl::Time intended) {
    Send([intended, &timeline](absl::Time at, const grpc::Status& status) { timeline.Record(intended, at, status); });
  });
}

}  // namespace hail::load
