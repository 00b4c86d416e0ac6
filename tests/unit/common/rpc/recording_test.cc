// What a table of methods reports for the audit log, whatever the transport.
#include "common/rpc/recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/errors/error.h"
#include "common/rpc/methods.h"
#include "hail/internal/v1/assignment_service.pb.h"
#include "tests/unit/common/rpc/direct.h"

namespace hail::rpc {
namespace {

namespace v1 = hail::internal::v1;
using auth::Role;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Recorder final : public CallRecorder {
 public:
  void OnCall(const RecordedCall& call, const absl::Status& status) override {
    const auth::Identity* const identity = call.context.caller.identity();
    std::string line = identity == nullptr ? "nobody" : identity->subject;
    line += call.stream ? " opens " : " calls ";
    line += std::string(call.method) + " of " + std::string(call.person);
    if (!call.ride.empty()) line += " for " + std::string(call.ride);
    lines.push_back(line + ": " + std::string(status.ok() ? "OK" : ReasonName(DetailsOf(status)->reason)));
  }
  std::vector<std::string> lines;
};

// The contract's messages without their meaning.
class TableService {
 public:
  static constexpr char kName[] = "hail.internal.v1.AssignmentService";
  static constexpr auto Methods() {
    constexpr Roles kAll = {Role::kDriver, Role::kServer};
    return std::tuple(
        Unary("FindAssignment", &TableService::Find, {.roles = kAll, .person = &TableService::DriverOf}),
        Unary("RecordTripEvent", &TableService::RecordTrip,
              {.roles = kAll, .ride = &TableService::RideOf, .audit = audit::Audited::kAlways}),
        Unary("ListDriverRides", &TableService::List,
              {.roles = kAll, .about = &TableService::AboutDriver, .audit = audit::Audited::kDenied}),
        Bidi("WatchDrivers", &TableService::Watch, {.roles = kAll, .person = &TableService::DriverOfWatch}));
  }
  void Find(const CallContext&, const v1::FindAssignmentRequest& request, Done<v1::FindAssignmentResponse> done) {
    if (request.driver_id() == "gone") return done(NotFound(Reason::kDriverNotFound, "no"));
    done(v1::FindAssignmentResponse());
  }
  void RecordTrip(const CallContext&, const v1::RecordTripEventRequest&, Done<v1::RecordTripEventResponse> done) {
    done(v1::RecordTripEventResponse());
  }
  void List(const CallContext&, const v1::ListDriverRidesRequest&, Done<v1::ListDriverRidesResponse> done) {
    done(v1::ListDriverRidesResponse());
  }
  std::shared_ptr<InboundSession<v1::WatchDriversRequest>> Watch(const CallContext&,
                                                                 std::shared_ptr<Sink<v1::WatchDriversResponse>>) {
    struct Silent final : InboundSession<v1::WatchDriversRequest> {
      void OnMessage(const v1::WatchDriversRequest&) override {}
      void OnHalfClose() override {}
      void OnDrain(absl::Duration) override {}
      void OnEnd() override {}
    };
    return std::make_shared<Silent>();
  }

 private:
  static std::optional<Person> DriverOf(const v1::FindAssignmentRequest& request) {
    return Person{request.driver_id(), "driver_id", Person::Kind::kDriver};
  }
  static const std::string& RideOf(const v1::RecordTripEventRequest& request) { return request.ride_id(); }
  static const std::string& AboutDriver(const v1::ListDriverRidesRequest& request) { return request.driver_id(); }
  static std::optional<Person> DriverOfWatch(const v1::WatchDriversRequest& message) {
    if (!message.has_subscribe()) return std::nullopt;
    return Person{message.subscribe().driver_id(), "subscribe.driver_id", Person::Kind::kDriver};
  }
};

class RecordingTest : public ::testing::Test {
 protected:
  CallContext From(auth::Identity identity) {
    CallContext call = CallOf(std::move(identity));
    call.recorder = &recorder_;
    return call;
  }
  CallContext Driver() { return From({.role = Role::kDriver, .subject = "grace", .driver = "grace"}); }
  CallContext Server() { return From({.role = Role::kServer, .subject = "backend", .driver = "*"}); }
  static v1::FindAssignmentRequest Of(const std::string& driver_id) {
    v1::FindAssignmentRequest request;
    request.set_driver_id(driver_id);
    return request;
  }
  static v1::WatchDriversRequest Subscribe(const std::string& driver_id) {
    v1::WatchDriversRequest message;
    message.mutable_subscribe()->set_driver_id(driver_id);
    return message;
  }

  Recorder recorder_;
  TableService service_;
};

TEST_F(RecordingTest, ACallOfStaffIsRecordedWithItsOutcome) {
  EXPECT_TRUE(Ask(&service_, Of("grace"), Server()).ok());
  EXPECT_FALSE(Ask(&service_, Of("gone"), Server()).ok());
  EXPECT_THAT(recorder_.lines, ElementsAre("backend calls FindAssignment of grace: OK",
                                           "backend calls FindAssignment of gone: DRIVER_NOT_FOUND"));
}

TEST_F(RecordingTest, OnesOwnCallIsNotUnlessTheRowSaysSo) {
  EXPECT_TRUE(Ask(&service_, Of("grace"), Driver()).ok());
  EXPECT_THAT(recorder_.lines, IsEmpty());
  v1::RecordTripEventRequest request;
  request.set_ride_id("r1");
  EXPECT_TRUE(Ask(&service_, request, Driver()).ok());
  EXPECT_THAT(recorder_.lines, ElementsAre("grace calls RecordTripEvent of  for r1: OK"));
}

TEST_F(RecordingTest, ADeniedCallIsRecordedWhateverTheRowSays) {
  EXPECT_FALSE(Ask(&service_, Of("ada"), Driver()).ok());
  v1::ListDriverRidesRequest list;
  list.set_driver_id("ada");
  EXPECT_TRUE(Ask(&service_, list, Server()).ok());
  EXPECT_FALSE(Ask(&service_, list, From({.role = Role::kRider, .subject = "eve"})).ok());
  CallContext nobody;
  nobody.recorder = &recorder_;
  EXPECT_FALSE(Ask(&service_, Of("ada"), nobody).ok());
  EXPECT_THAT(recorder_.lines, ElementsAre("grace calls FindAssignment of ada: IDENTITY_MISMATCH",
                                           "eve calls ListDriverRides of ada: ROLE_NOT_ALLOWED",
                                           "nobody calls FindAssignment of ada: TOKEN_MISSING"));
}

TEST_F(RecordingTest, AStreamIsRecordedWhenItSaysWhoseItIs) {
  const auto sink = std::make_shared<ListSink<v1::WatchDriversResponse>>();
  const auto session = OpenInbound<v1::WatchDriversRequest>(&service_, sink, Server());
  EXPECT_THAT(recorder_.lines, IsEmpty());
  session->OnMessage(v1::WatchDriversRequest());
  session->OnMessage(Subscribe("ada"));
  EXPECT_THAT(recorder_.lines, ElementsAre("backend opens WatchDrivers of ada: OK"));
  recorder_.lines.clear();
  const auto own = OpenInbound<v1::WatchDriversRequest>(&service_, sink, Driver());
  own->OnMessage(Subscribe("grace"));
  EXPECT_THAT(recorder_.lines, IsEmpty());
  own->OnMessage(Subscribe("ada"));
  EXPECT_THAT(recorder_.lines, ElementsAre("grace opens WatchDrivers of ada: IDENTITY_MISMATCH"));
  recorder_.lines.clear();
  EXPECT_EQ(OpenInbound<v1::WatchDriversRequest>(&service_, sink, From({.role = Role::kRider, .subject = "eve"})),
            nullptr);
  EXPECT_THAT(recorder_.lines, ElementsAre("eve opens WatchDrivers of : ROLE_NOT_ALLOWED"));
}

}  // namespace
}  // namespace hail::rpc
