// WatchDrivers: the feed of drivers' rides to driver-service.
#include "gmock/gmock.h"
#include "tests/integration/rider_fixture.h"

namespace hail::testing {
namespace {

using hail::internal::v1::WatchDriversRequest;
using hail::internal::v1::WatchDriversResponse;
using hail::type::v1::Ride;
using ::testing::ElementsAre;

// One WatchDrivers stream.
class Feed {
 public:
  explicit Feed(hail::internal::v1::AssignmentService::Stub& stub)
      : context_(PatientContext(absl::Seconds(40))), stream_(stub.WatchDrivers(context_.get())) {}
  ~Feed() {
    context_->TryCancel();
    stream_->Finish();
  }

  void Subscribe(const std::string& driver_id, std::int64_t subscription, const std::string& ride_id = "",
                 std::int64_t sequence = 0) {
    WatchDriversRequest request;
    request.mutable_subscribe()->set_driver_id(driver_id);
    request.mutable_subscribe()->set_subscription(subscription);
    if (!ride_id.empty()) {
      request.mutable_subscribe()->mutable_cursor()->set_ride_id(ride_id);
      request.mutable_subscribe()->mutable_cursor()->set_sequence(sequence);
    }
    EXPECT_TRUE(stream_->Write(request));
  }
  void Unsubscribe(const std::string& driver_id) {
    WatchDriversRequest request;
    request.mutable_unsubscribe()->set_driver_id(driver_id);
    EXPECT_TRUE(stream_->Write(request));
  }

  // The next message that is no heartbeat; an empty one once the stream has ended.
  WatchDriversResponse Next() {
    WatchDriversResponse response;
    while (stream_->Read(&response)) {
      if (!response.has_heartbeat()) return response;
      WatchDriversRequest heartbeat;
      heartbeat.mutable_heartbeat();
      stream_->Write(heartbeat);
    }
    return {};
  }

 private:
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<WatchDriversRequest, WatchDriversResponse>> stream_;
};

class RiderFeed : public RiderServiceTest {};

TEST_F(RiderFeed, ADriverIsToldOfEachEventOfEachRideAndOfTheEnd) {
  auto client = Client();
  Feed feed(client.assignments());
  feed.Subscribe("driver-1", 7);
  auto message = feed.Next();
  ASSERT_TRUE(message.has_snapshot()) << message.ShortDebugString();
  EXPECT_EQ(message.snapshot().subscription(), 7);
  EXPECT_FALSE(message.snapshot().has_ride());
  EXPECT_FALSE(message.snapshot().reset());

  const Ride first = client.MustRequest("ann");
  const Ride assigned = client.MustConfirm(first, "driver-1");
  message = feed.Next();
  ASSERT_TRUE(message.has_event()) << message.ShortDebugString();
  EXPECT_EQ(message.event().subscription(), 7);
  EXPECT_EQ(message.event().event().type(), hail::type::v1::RIDE_EVENT_TYPE_ASSIGNED);
  EXPECT_EQ(message.event().event().ride().rider_id(), "");
  EXPECT_NE(message.event().event().ride().offer_id(), "");
  EXPECT_FALSE(message.event().ended());
  ASSERT_TRUE(client.Cancel("ann", first.ride_id()).ok());
  message = feed.Next();
  EXPECT_EQ(message.event().event().type(), hail::type::v1::RIDE_EVENT_TYPE_CANCELED);
  EXPECT_TRUE(message.event().ended());

  // The driver gave the ride up: the feed sends the end of the assignment, and no later event of the ride.
  const Ride second = client.MustRequest("bob");
  const Ride given_up = client.MustConfirm(second, "driver-1");
  EXPECT_EQ(feed.Next().event().event().type(), hail::type::v1::RIDE_EVENT_TYPE_ASSIGNED);
  ASSERT_TRUE(client.Step(given_up, hail::internal::v1::TRIP_STEP_CANCEL).ok());
  message = feed.Next();
  EXPECT_EQ(message.event().event().type(), hail::type::v1::RIDE_EVENT_TYPE_REDISPATCHED);
  EXPECT_TRUE(message.event().ended());
  EXPECT_EQ(message.event().event().ride().epoch(), 1) << "only the driver's own assignment";
  ASSERT_TRUE(client.Confirm(second.ride_id(), 2, "driver-2", "offer-2").ok());
  const Ride third = client.MustRequest("cat");
  client.MustConfirm(third, "driver-1");
  EXPECT_EQ(feed.Next().event().event().ride_id(), third.ride_id());
}

TEST_F(RiderFeed, ASubscriptionGoesOnFromItsCursor) {
  auto client = Client();
  const Ride first = client.MustRequest("ann");
  const Ride assigned = client.MustConfirm(first, "driver-1");
  ASSERT_TRUE(client.Step(assigned, hail::internal::v1::TRIP_STEP_ARRIVE).ok());

  Feed feed(client.assignments());
  feed.Subscribe("driver-1", 1, first.ride_id(), 2);
  auto message = feed.Next();
  ASSERT_TRUE(message.has_snapshot());
  ASSERT_EQ(message.snapshot().missed_size(), 1);
  EXPECT_EQ(message.snapshot().missed(0).sequence(), 3);
  EXPECT_EQ(message.snapshot().ride().ride_id(), first.ride_id());
  EXPECT_FALSE(message.snapshot().reset());

  // A second subscription for the same driver: only answers to it follow.
  feed.Subscribe("driver-1", 2, "no-such-ride", 9);
  message = feed.Next();
  ASSERT_TRUE(message.has_snapshot());
  EXPECT_EQ(message.snapshot().subscription(), 2);
  EXPECT_TRUE(message.snapshot().reset());
  EXPECT_EQ(message.snapshot().missed_size(), 0);
  EXPECT_EQ(message.snapshot().ride().ride_id(), first.ride_id());
  ASSERT_TRUE(client.Cancel("ann", first.ride_id()).ok());
  EXPECT_EQ(feed.Next().event().subscription(), 2);

  // The ride ended while the driver was away: the feed sends the rest of its events.
  feed.Subscribe("driver-1", 3, first.ride_id(), 3);
  message = feed.Next();
  ASSERT_EQ(message.snapshot().missed_size(), 1);
  EXPECT_EQ(message.snapshot().missed(0).sequence(), 4);
  EXPECT_FALSE(message.snapshot().has_ride());
}

TEST_F(RiderFeed, AnUnsubscribedDriverIsHeardOfNoMore) {
  auto client = Client();
  Feed feed(client.assignments());
  feed.Subscribe("driver-1", 1);
  feed.Subscribe("driver-2", 2);
  ASSERT_TRUE(feed.Next().has_snapshot());
  ASSERT_TRUE(feed.Next().has_snapshot());
  feed.Unsubscribe("driver-1");
  // Messages are read in order: this answer means that the unsubscription was read too.
  feed.Subscribe("driver-3", 3);
  ASSERT_EQ(feed.Next().snapshot().driver_id(), "driver-3");
  client.MustConfirm(client.MustRequest("ann"), "driver-1");
  client.MustConfirm(client.MustRequest("bob"), "driver-2");
  EXPECT_EQ(feed.Next().event().driver_id(), "driver-2");
}

TEST_F(RiderFeed, DrainingIsToldAndTheFeedEnds) {
  auto client = Client();
  Feed feed(client.assignments());
  feed.Subscribe("driver-1", 1);
  ASSERT_TRUE(feed.Next().has_snapshot());
  rider_.Signal(SIGTERM);
  EXPECT_TRUE(feed.Next().has_draining());
  EXPECT_EQ(feed.Next().message_case(), WatchDriversResponse::MESSAGE_NOT_SET);
  EXPECT_EQ(rider_.WaitForExit(absl::Seconds(20)), 0);
}

}  // namespace
}  // namespace hail::testing
