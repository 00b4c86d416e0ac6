#include "tests/integration/driver_app.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace hail::testing {
namespace {

namespace driver = hail::driver::v1;

constexpr absl::Duration kCallTime = absl::Seconds(10);
constexpr absl::Duration kBeat = absl::Seconds(3);

}  // namespace

std::unique_ptr<grpc::ClientContext> CallContext() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(absl::ToChronoTime(absl::Now() + kCallTime));
  return context;
}

hail::type::v1::Position MakePosition(const LatLng& at, uint64_t position_seq, absl::Duration age) {
  hail::type::v1::Position position;
  position.mutable_location()->set_latitude_deg(at.latitude_deg);
  position.mutable_location()->set_longitude_deg(at.longitude_deg);
  position.mutable_age()->set_seconds(absl::ToInt64Seconds(age));
  position.set_position_seq(position_seq);
  return position;
}

DriverApp::DriverApp(std::shared_ptr<grpc::Channel> channel, std::string driver_id)
    : channel_(std::move(channel)), driver_id_(std::move(driver_id)), stub_(driver::DriverService::NewStub(channel_)) {}

DriverApp::~DriverApp() { Drop(); }

grpc::Status DriverApp::Register() {
  driver::RegisterDriverRequest request;
  driver::Driver& profile = *request.mutable_driver();
  profile.set_driver_id(driver_id_);
  profile.set_display_name("Ada");
  profile.set_region_id("san_francisco");
  profile.mutable_vehicle()->set_plate("7ABC-" + driver_id_);
  profile.mutable_vehicle()->set_seats(4);
  profile.add_product_ids("economy");
  driver::RegisterDriverResponse response;
  return stub_->RegisterDriver(CallContext().get(), request, &response);
}

void DriverApp::Connect() {
  Drop();
  context_ = std::make_unique<grpc::ClientContext>();
  context_->set_wait_for_ready(true);
  looked_at_ = 0;
  {
    absl::MutexLock lock(&mutex_);
    received_.clear();
    ended_ = false;
  }
  stream_ = stub_->StreamDriver(context_.get());
  reader_ = std::thread([this] {
    Response response;
    while (stream_->Read(&response)) {
      absl::MutexLock lock(&mutex_);
      received_.push_back(response);
    }
    absl::MutexLock lock(&mutex_);
    ended_ = true;
  });
}

void DriverApp::Open() {
  Connect();
  Request request;
  request.mutable_open()->set_driver_id(driver_id_);
  Send(request);
}

void DriverApp::Resume(const std::string& ride_id, int64_t sequence) {
  Connect();
  Request request;
  request.mutable_open()->set_driver_id(driver_id_);
  request.mutable_open()->mutable_cursor()->set_ride_id(ride_id);
  request.mutable_open()->mutable_cursor()->set_sequence(sequence);
  Send(request);
}

bool DriverApp::Send(const Request& request) { return stream_->Write(request); }

void DriverApp::SendPosition(const LatLng& at) {
  Request request;
  *request.mutable_location()->add_positions() = MakePosition(at, ++position_seq_);
  Send(request);
}

driver::CommandResult DriverApp::Command(Request request) {
  const std::string command_id = "command-" + std::to_string(++commands_);
  request.set_command_id(command_id);
  Send(request);
  return NextResult(command_id);
}

driver::CommandResult DriverApp::SetAvailability(driver::Availability availability) {
  Request request;
  request.mutable_set_availability()->set_availability(availability);
  return Command(request);
}

driver::CommandResult DriverApp::Respond(const std::string& offer_id, driver::OfferResponse response) {
  return NextResult(RespondLater(offer_id, response));
}

std::string DriverApp::RespondLater(const std::string& offer_id, driver::OfferResponse response) {
  Request request;
  request.set_command_id("command-" + std::to_string(++commands_));
  request.mutable_respond_to_offer()->set_offer_id(offer_id);
  request.mutable_respond_to_offer()->set_response(response);
  Send(request);
  return request.command_id();
}

void DriverApp::SendOfferReceived(const std::string& offer_id) {
  Request request;
  request.mutable_offer_received()->set_offer_id(offer_id);
  Send(request);
}

void DriverApp::GoAvailable(const LatLng& at) {
  Open();
  SendPosition(at);
  SetAvailability(driver::AVAILABILITY_ONLINE);
  AwaitState([](const driver::DriverState& state) { return state.status() == driver::DRIVER_STATUS_AVAILABLE; },
             "available");
}

DriverApp::Response DriverApp::Next(const std::function<bool(const Response&)>& wanted, const char* what) {
  return Await(looked_at_, wanted, what);
}

DriverApp::Response DriverApp::Await(std::size_t& from, const std::function<bool(const Response&)>& wanted,
                                     const char* what) {
  const absl::Time deadline = absl::Now() + patience_;
  while (true) {
    BeatIfDue();
    absl::MutexLock lock(&mutex_);
    for (; from < received_.size(); ++from) {
      if (wanted(received_[from])) return received_[from++];
    }
    const auto more = [&] {
      mutex_.AssertHeld();
      return received_.size() > from || ended_;
    };
    if (mutex_.AwaitWithDeadline(absl::Condition(&more), std::min(deadline, absl::Now() + kBeat))) {
      if (received_.size() > from) continue;
    } else if (absl::Now() < deadline) {
      continue;
    }
    std::string all;
    for (const Response& response : received_) all += response.ShortDebugString() + "\n";
    ADD_FAILURE() << driver_id_ << " never got: " << what << "; the stream " << (ended_ ? "ended" : "is open")
                  << "; got:\n"
                  << all;
    return {};
  }
}

void DriverApp::BeatIfDue() {
  if (stream_ == nullptr || absl::Now() < last_beat_ + kBeat) return;
  last_beat_ = absl::Now();
  Request request;
  request.mutable_heartbeat();
  Send(request);
}

driver::Offer DriverApp::NextOffer() {
  return Next([](const Response& response) { return response.has_offer(); }, "an offer").offer();
}

driver::OfferUpdate DriverApp::NextOfferUpdate(driver::OfferStatus status) {
  const std::string what = "an offer update to " + driver::OfferStatus_Name(status);
  return Next(
             [status](const Response& response) {
               return response.has_offer_update() && response.offer_update().status() == status;
             },
             what.c_str())
      .offer_update();
}

hail::type::v1::RideEvent DriverApp::NextEvent(hail::type::v1::RideEventType type) {
  const std::string what = "the event " + hail::type::v1::RideEventType_Name(type);
  return Next([type](const Response& response) { return response.has_event() && response.event().type() == type; },
              what.c_str())
      .event();
}

driver::CommandResult DriverApp::NextResult(const std::string& command_id) {
  const std::string what = "the result of " + command_id;
  std::size_t from = 0;
  return Await(
             from,
             [&command_id](const Response& response) {
               return response.has_command_result() && response.command_result().command_id() == command_id;
             },
             what.c_str())
      .command_result();
}

driver::DriverState DriverApp::AwaitState(const std::function<bool(const driver::DriverState&)>& wanted,
                                          const char* what) {
  const absl::Time deadline = absl::Now() + patience_;
  driver::GetDriverStateRequest request;
  request.set_driver_id(driver_id_);
  driver::GetDriverStateResponse response;
  while (absl::Now() < deadline) {
    BeatIfDue();
    // Like a real app, acknowledges each offer that it reads.
    request.set_session_epoch(response.state().session_epoch());
    const grpc::Status status = stub_->GetDriverState(CallContext().get(), request, &response);
    if (status.ok() && wanted(response.state())) return response.state();
  }
  ADD_FAILURE() << driver_id_ << " is not " << what << " but: " << response.ShortDebugString();
  return response.state();
}

std::vector<DriverApp::Response> DriverApp::received() const {
  absl::MutexLock lock(&mutex_);
  return received_;
}

grpc::Status DriverApp::AwaitEnd() {
  {
    absl::MutexLock lock(&mutex_);
    const auto ended = [this] {
      mutex_.AssertHeld();
      return ended_;
    };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&ended), 2 * patience_)) {
      ADD_FAILURE() << "the stream of " << driver_id_ << " did not end";
      context_->TryCancel();
    }
  }
  reader_.join();
  const grpc::Status status = stream_->Finish();
  stream_ = nullptr;
  return status;
}

void DriverApp::Drop() {
  if (stream_ == nullptr) return;
  context_->TryCancel();
  reader_.join();
  stream_->Finish();
  stream_ = nullptr;
}

}  // namespace hail::testing
