#include "tests/integration/rider_fake_driver.h"

#include <algorithm>
#include <chrono>

#include "common/rpc/joined.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"

namespace hail::testing {

using hail::internal::v1::DispatchRequest;
using hail::internal::v1::DispatchResponse;
using hail::internal::v1::StartDispatch;
using hail::internal::v1::StopDispatch;

FakeDriverService::FakeDriverService() { Start(); }

FakeDriverService::~FakeDriverService() { Stop(); }

std::string FakeDriverService::address() const {
  absl::MutexLock lock(&mutex_);
  return "127.0.0.1:" + std::to_string(port_);
}

void FakeDriverService::Start() {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address(), grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  ASSERT_NE(server_, nullptr);
  absl::MutexLock lock(&mutex_);
  port_ = port;
}

void FakeDriverService::Stop() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  server_.reset();
}

void FakeDriverService::BreakLink() {
  absl::MutexLock lock(&mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

grpc::Status FakeDriverService::Dispatch(grpc::ServerContext* context, Link* link) {
  // A client considers the link up once it has received something.
  link->SendInitialMetadata();
  {
    absl::MutexLock lock(&mutex_);
    context_ = context;
    link_ = link;
    ++links_;
  }
  DispatchRequest request;
  const auto receive = [&](const DispatchRequest& received) {
    DispatchResponse answer;
    absl::MutexLock lock(&mutex_);
    if (received.has_start()) {
      starts_.push_back(received.start());
      if (!acknowledge_) return;
      answer.mutable_started()->set_ride_id(received.start().ride_id());
      answer.mutable_started()->set_epoch(received.start().epoch());
      link->Write(answer);
    } else if (received.has_stop()) {
      stops_.push_back(received.stop());
    } else if (received.has_heartbeat()) {
      answer.mutable_heartbeat();
      link->Write(answer);
    }
  };
  while (link->Read(&request)) rpc::ForEachJoined(request, receive);
  absl::MutexLock lock(&mutex_);
  if (link_ == link) {
    link_ = nullptr;
    context_ = nullptr;
  }
  return grpc::Status::OK;
}

grpc::Status FakeDriverService::SearchDrivers(grpc::ServerContext*, const hail::internal::v1::SearchDriversRequest*,
                                              hail::internal::v1::SearchDriversResponse* response) {
  absl::MutexLock lock(&mutex_);
  for (const auto& driver : drivers_) *response->add_drivers() = driver;
  return grpc::Status::OK;
}

bool FakeDriverService::Wait(const std::string& what, const std::function<bool()>& condition) const {
  absl::MutexLock lock(&mutex_);
  const bool met = mutex_.AwaitWithTimeout(absl::Condition(
                                               +[](const std::function<bool()>* c) { return (*c)(); }, &condition),
                                           absl::Seconds(20));
  if (!met) ADD_FAILURE() << "rider-service never sent " << what;
  return met;
}

std::optional<StartDispatch> FakeDriverService::WaitForStart(const std::string& ride_id, std::int64_t epoch) {
  std::optional<StartDispatch> found;
  Wait("a start of " + ride_id + " at epoch " + std::to_string(epoch), [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (const StartDispatch& start : starts_) {
      if (start.ride_id() == ride_id && start.epoch() == epoch) found = start;
    }
    return found.has_value();
  });
  return found;
}

std::optional<StopDispatch> FakeDriverService::WaitForStop(const std::string& ride_id) {
  std::optional<StopDispatch> found;
  Wait("a stop of " + ride_id, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (const StopDispatch& stop : stops_) {
      if (stop.ride_id() == ride_id) found = stop;
    }
    return found.has_value();
  });
  return found;
}

bool FakeDriverService::WaitForLinks(int count) {
  return Wait("link number " + std::to_string(count),
              [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return links_ >= count && link_ != nullptr; });
}

int FakeDriverService::Starts(const std::string& ride_id, std::int64_t epoch) const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(std::count_if(starts_.begin(), starts_.end(), [&](const StartDispatch& start) {
    return start.ride_id() == ride_id && start.epoch() == epoch;
  }));
}

void FakeDriverService::Send(const DispatchResponse& message) {
  absl::MutexLock lock(&mutex_);
  ASSERT_NE(link_, nullptr) << "no link to send on";
  link_->Write(message);
}

void FakeDriverService::SendExhausted(const std::string& ride_id, std::int64_t epoch) {
  DispatchResponse message;
  message.mutable_exhausted()->set_ride_id(ride_id);
  message.mutable_exhausted()->set_epoch(epoch);
  Send(message);
}

void FakeDriverService::SendSettled(const std::string& ride_id, std::int64_t epoch, const std::string& driver_id,
                                    hail::internal::v1::OfferOutcome outcome) {
  DispatchResponse message;
  message.mutable_settled()->set_ride_id(ride_id);
  message.mutable_settled()->set_epoch(epoch);
  message.mutable_settled()->set_driver_id(driver_id);
  message.mutable_settled()->set_outcome(outcome);
  Send(message);
}

void FakeDriverService::set_acknowledge(bool acknowledge) {
  absl::MutexLock lock(&mutex_);
  acknowledge_ = acknowledge;
}

void FakeDriverService::set_drivers(std::vector<hail::internal::v1::FoundDriver> drivers) {
  absl::MutexLock lock(&mutex_);
  drivers_ = std::move(drivers);
}

}  // namespace hail::testing
