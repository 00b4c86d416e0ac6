// Persons who have been erased are nowhere any more: not in a file of either service, not in a table, not in the logs.
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "hail/internal/v1/privacy_service.grpc.pb.h"
#include "tests/engines/postgres_server.h"
#include "tests/integration/driver_app.h"
#include "tests/integration/process.h"
#include "tests/integration/rider_fixture.h"
#include "tests/integration/trip_steps.h"

namespace hail::testing {
namespace {

namespace pb = hail::internal::v1;
using hail::type::v1::Ride;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Texts that occur nowhere else.
constexpr char kRider[] = "zz-rider-quux";
constexpr char kDriver[] = "zz-driver-grault";
const std::vector<std::string> kWordsOfRider = {"zz-rider-quux", "zz-request", "ZzName",      "ZzStreet",
                                                "ZzDoor",        "zzlabel",    "ZzGoodReason"};
const std::vector<std::string> kWordsOfDriver = {"zz-driver-grault", "ZzDriverName", "ZZPLATE", "ZzMaker",
                                                 "ZzFlatTyre"};

// Those of `words` that are in the bytes.
std::vector<std::string> FoundIn(const std::string& bytes, const std::vector<std::string>& words) {
  std::vector<std::string> found;
  for (const std::string& word : words) {
    if (bytes.find(word) != std::string::npos) found.push_back(word);
  }
  return found;
}

// All bytes of all files of the service's data.
std::string FilesOf(const ServiceProcess& service) {
  std::string bytes;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(service.data_dir())) {
    if (entry.is_regular_file()) absl::StrAppend(&bytes, entry.path().string(), "\n", ReadFile(entry.path()));
  }
  return bytes;
}

// An operator's calls.
class Operator {
 public:
  explicit Operator(const ServiceProcess& service) : stub_(pb::PrivacyService::NewStub(service.InternalChannel())) {}

  Outcome<pb::EraseRiderResponse> EraseRider(const std::string& note = "case 7") {
    pb::EraseRiderRequest request;
    request.set_rider_id(kRider);
    request.set_note(note);
    Outcome<pb::EraseRiderResponse> outcome;
    outcome.status = stub_->EraseRider(PatientContext().get(), request, &outcome.response);
    return outcome;
  }
  Outcome<pb::EraseDriverResponse> EraseDriver() {
    pb::EraseDriverRequest request;
    request.set_driver_id(kDriver);
    request.set_note("case 8");
    Outcome<pb::EraseDriverResponse> outcome;
    outcome.status = stub_->EraseDriver(PatientContext().get(), request, &outcome.response);
    return outcome;
  }
  pb::ExportRiderResponse ExportRider() {
    pb::ExportRiderRequest request;
    request.set_rider_id(kRider);
    pb::ExportRiderResponse response;
    const grpc::Status status = stub_->ExportRider(PatientContext().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  pb::ExportDriverResponse ExportDriver() {
    pb::ExportDriverRequest request;
    request.set_driver_id(kDriver);
    pb::ExportDriverResponse response;
    const grpc::Status status = stub_->ExportDriver(PatientContext().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

 private:
  const std::unique_ptr<pb::PrivacyService::Stub> stub_;
};

class Privacy : public ::testing::Test {
 protected:
  using Settings = std::map<std::string, std::string>;
  explicit Privacy(const Settings& settings = {}) : Privacy(settings, settings) {}
  Privacy(const Settings& rider, const Settings& driver)
      : services_(Audited(rider, "/rider.jsonl"), Audited(driver, "/driver.jsonl")) {}

  // The audit log names the persons whose data was read, and has a period of its own.
  Settings Audited(Settings settings, const std::string& file) const {
    settings["audit.file"] = audit_.path() + file;
    return settings;
  }

  // A ride of the person with every text that a person can leave, to its end, by the person who drives.
  Ride Live(const std::string& request_id, bool to_the_end = true) {
    RiderClient client(services_.rider);
    auto request = RiderClient::RideRequest(kRider, "zz-request-" + request_id);
    request.set_rider_display_name("ZzName");
    request.mutable_pickup()->set_address("ZzStreet 1");
    request.mutable_pickup()->set_note("ZzDoor");
    request.mutable_dropoff()->set_address("ZzStreet 2");
    (*request.mutable_labels())["zzlabel-key"] = "zzlabel-value";
    const auto requested = client.Request(request);
    EXPECT_TRUE(requested.ok()) << requested.status.error_message();
    Ride ride = Accept(*app_);
    Advance(*app_, ride, Seen);
    if (!to_the_end) return ride;
    Advance(*app_, ride, Arrive);
    Advance(*app_, ride, Start);
    return Advance(*app_, ride, Complete);
  }

  void Register() {
    app_ = std::make_unique<DriverApp>(services_.driver.PublicChannel(), kDriver);
    hail::driver::v1::RegisterDriverRequest request;
    auto& driver = *request.mutable_driver();
    driver.set_driver_id(kDriver);
    driver.set_display_name("ZzDriverName");
    driver.set_region_id("san_francisco");
    driver.mutable_vehicle()->set_plate("ZZPLATE");
    driver.mutable_vehicle()->set_make("ZzMaker");
    driver.mutable_vehicle()->set_seats(4);
    driver.add_product_ids("economy");
    hail::driver::v1::RegisterDriverResponse response;
    const grpc::Status status = app_->stub().RegisterDriver(CallContext().get(), request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  // Before the services: they write there.
  const TempDir audit_;
  BothServices services_;
  std::unique_ptr<DriverApp> app_;
};

class PrivacyOnSqlite : public Privacy {};

class PrivacyOnPostgres : public Privacy {
 protected:
  PrivacyOnPostgres() : PrivacyOnPostgres(std::make_unique<PostgresServer>()) {}

  // The values of all columns of all tables of both services.
  std::string Everything() const {
    std::string all;
    for (const auto& column :
         postgres_->Ask("SELECT table_schema || '.' || table_name, column_name, data_type FROM"
                        " information_schema.columns WHERE table_schema IN ('hail_rider', 'hail_driver')")) {
      const std::string value = column[2] == "bytea" ? "encode(" + column[1] + ", 'escape')" : column[1] + "::text";
      for (const auto& row : postgres_->Ask("SELECT " + value + " FROM " + column[0])) all += row[0] + "\n";
    }
    return all;
  }

 private:
  explicit PrivacyOnPostgres(std::unique_ptr<PostgresServer> postgres)
      : Privacy({{"store.url", postgres->url()}}), postgres_(std::move(postgres)) {}

  const std::unique_ptr<PostgresServer> postgres_;
};

TEST_F(PrivacyOnSqlite, AnErasedRiderIsInNoFile) {
  Register();
  app_->GoAvailable(kNearFerryBuilding);
  const Ride ride = Live("1");
  Live("2");
  RiderClient client(services_.rider);
  hail::rider::v1::CancelRideRequest cancel;
  // A ride that the rider calls off, with a note.
  const Ride given_up = Live("3", /*to_the_end=*/false);
  cancel.set_rider_id(kRider);
  cancel.set_ride_id(given_up.ride_id());
  cancel.set_note("ZzGoodReason");
  Operator at_rider(services_.rider);
  EXPECT_EQ(ErrorOf(at_rider.EraseRider().status).reason, "RIDER_BUSY");
  hail::rider::v1::CancelRideResponse canceled;
  ASSERT_TRUE(client.rides().CancelRide(PatientContext().get(), cancel, &canceled).ok());

  const pb::ExportRiderResponse exported = at_rider.ExportRider();
  ASSERT_THAT(exported.rides(), SizeIs(3));
  EXPECT_THAT(exported.rides(0).events(), SizeIs(6));
  EXPECT_EQ(FoundIn(exported.ShortDebugString(), kWordsOfRider), kWordsOfRider);
  EXPECT_EQ(FoundIn(FilesOf(services_.rider), kWordsOfRider), kWordsOfRider);

  EXPECT_EQ(ErrorOf(at_rider.EraseRider("").status).reason, "INVALID_FIELD");
  const auto erased = at_rider.EraseRider();
  ASSERT_TRUE(erased.ok()) << erased.status.error_message();
  EXPECT_EQ(erased.response.rides(), 3);
  EXPECT_EQ(at_rider.EraseRider().response.rides(), 0);

  EXPECT_THAT(at_rider.ExportRider().rides(), IsEmpty());
  EXPECT_EQ(ErrorOf(client.Get(kRider, ride.ride_id()).status).reason, "RIDE_NOT_FOUND");
  EXPECT_THAT(FoundIn(FilesOf(services_.rider), kWordsOfRider), IsEmpty());
  EXPECT_THAT(FoundIn(FilesOf(services_.driver), kWordsOfRider), IsEmpty());
  EXPECT_THAT(FoundIn(services_.rider.Log() + services_.driver.Log(), kWordsOfRider), IsEmpty());
  EXPECT_THAT(FoundIn(FilesOf(services_.rider), {ride.ride_id()}), SizeIs(1));
  EXPECT_THAT(services_.rider.Log(), HasSubstr("\"event\":\"person_erased\""));
  // The trips are still the driver's.
  EXPECT_THAT(at_rider.ExportDriver().rides(), SizeIs(3));
  app_->Drop();
}

TEST_F(PrivacyOnSqlite, AnErasedDriverIsInNoFile) {
  Register();
  app_->GoAvailable(kNearFerryBuilding);
  const Ride ride = Live("1");
  const Ride canceled = Live("2", /*to_the_end=*/false);
  Advance(*app_, canceled, Arrive);
  Advance(*app_, canceled, [](hail::driver::v1::AdvanceTripRequest& request) {
    request.mutable_cancel()->set_note("ZzFlatTyre");
    request.mutable_cancel()->set_reason(hail::type::v1::CANCEL_REASON_VEHICLE_PROBLEM);
  });
  const Ride given_up = Live("3", /*to_the_end=*/false);
  Operator at_driver(services_.driver);
  Operator at_rider(services_.rider);
  ASSERT_TRUE(app_->SetAvailability(hail::driver::v1::AVAILABILITY_OFFLINE).has_state());
  // On a ride, although the driver wants no other.
  EXPECT_EQ(ErrorOf(at_driver.EraseDriver().status).reason, "DRIVER_BUSY");
  EXPECT_EQ(ErrorOf(at_rider.EraseDriver().status).reason, "DRIVER_BUSY");
  Advance(*app_, given_up, GiveUp);
  // Live with nobody.
  EXPECT_EQ(ErrorOf(at_rider.EraseDriver().status).reason, "DRIVER_BUSY");
  ASSERT_TRUE(RiderClient(services_.rider).Cancel(kRider, given_up.ride_id()).ok());

  const std::string exported = at_driver.ExportDriver().ShortDebugString() + at_rider.ExportDriver().ShortDebugString();
  EXPECT_EQ(FoundIn(exported, kWordsOfDriver), kWordsOfDriver);
  EXPECT_EQ(FoundIn(FilesOf(services_.rider), kWordsOfDriver), kWordsOfDriver);

  const auto erased = at_driver.EraseDriver();
  ASSERT_TRUE(erased.ok()) << erased.status.error_message();
  EXPECT_TRUE(erased.response.profile());
  EXPECT_EQ(erased.response.offers(), 3);
  EXPECT_EQ(at_rider.EraseDriver().response.rides(), 3);
  EXPECT_FALSE(at_driver.EraseDriver().response.profile());

  EXPECT_THAT(FoundIn(FilesOf(services_.rider) + FilesOf(services_.driver), kWordsOfDriver), IsEmpty());
  EXPECT_THAT(FoundIn(services_.rider.Log() + services_.driver.Log(), kWordsOfDriver), IsEmpty());
  EXPECT_EQ(at_rider.ExportRider().rides(0).ride().ride_id(), ride.ride_id());
  // The stream is closed, and does not bring the driver back.
  EXPECT_FALSE(app_->AwaitEnd().ok());
  EXPECT_THAT(FoundIn(FilesOf(services_.driver), kWordsOfDriver), IsEmpty());

  Register();
  app_->GoAvailable(kNearFerryBuilding);
  EXPECT_EQ(Live("4").state(), hail::type::v1::RIDE_STATE_COMPLETED);
  app_->Drop();
}

TEST_F(PrivacyOnPostgres, ErasedPersonsAreInNoTable) {
  Register();
  app_->GoAvailable(kNearFerryBuilding);
  Live("1");
  ASSERT_TRUE(app_->SetAvailability(hail::driver::v1::AVAILABILITY_OFFLINE).has_state());
  EXPECT_THAT(FoundIn(Everything(), {kRider, kDriver, "ZzStreet", "ZZPLATE"}), SizeIs(4));
  Operator at_driver(services_.driver);
  Operator at_rider(services_.rider);
  EXPECT_EQ(at_rider.EraseRider().response.rides(), 1);
  EXPECT_TRUE(at_driver.EraseDriver().response.profile());
  EXPECT_EQ(at_rider.EraseDriver().response.rides(), 1);
  EXPECT_THAT(FoundIn(Everything(), kWordsOfRider), IsEmpty());
  EXPECT_THAT(FoundIn(Everything(), kWordsOfDriver), IsEmpty());
  EXPECT_FALSE(app_->AwaitEnd().ok());

  Register();
  app_->GoAvailable(kNearFerryBuilding);
  EXPECT_EQ(Live("2").state(), hail::type::v1::RIDE_STATE_COMPLETED);
  app_->Drop();
}

class Retention : public Privacy {
 protected:
  Retention() : Privacy({{"retention.rides", "1ms"}}, {{"retention.offers", "1ms"}}) {}
};

TEST_F(Retention, WhatIsOldLosesItsPersons) {
  Register();
  app_->GoAvailable(kNearFerryBuilding);
  const Ride ride = Live("1");
  Operator at_driver(services_.driver);
  Operator at_rider(services_.rider);
  const absl::Time give_up = absl::Now() + absl::Seconds(60);
  while (at_rider.ExportRider().rides_size() > 0 || at_rider.ExportDriver().rides_size() > 0 ||
         at_driver.ExportDriver().offers_size() > 0) {
    ASSERT_LT(absl::Now(), give_up);
    absl::SleepFor(absl::Milliseconds(50));
  }
  EXPECT_THAT(HttpGet(services_.rider.metrics_address(), "/metrics"), HasSubstr("hail_rider_retention_rides_total 1"));
  EXPECT_THAT(HttpGet(services_.driver.metrics_address(), "/metrics"),
              HasSubstr("hail_driver_retention_offers_total 1"));
  // The profile stays, and so does the trip.
  EXPECT_TRUE(at_driver.ExportDriver().has_driver());
  EXPECT_THAT(FoundIn(FilesOf(services_.rider), {ride.ride_id()}), SizeIs(1));
  app_->Drop();
}

}  // namespace
}  // namespace hail::testing
