#include "common/rpc/identity.h"

#include <memory>
#include <string>
#include <vector>

#include "common/errors/error.h"
#include "common/rpc/methods.h"
#include "gtest/gtest.h"
#include "hail/internal/v1/assignment_service.pb.h"
#include "tests/unit/common/rpc/direct.h"

namespace hail::rpc {
namespace {

using auth::Caller;
using auth::Identity;
using auth::Role;

const std::string kAda = "ada";
const Person kRider{kAda, "rider_id", Person::Kind::kRider};
const Person kDriver{kAda, "driver_id", Person::Kind::kDriver};
const std::string kRide = "ride-1";
const std::string kOtherRide = "ride-2";

absl::Status Speaks(const Identity& identity, const Person& person = kRider, const std::string* ride = nullptr) {
  return CheckSpeaksFor(Caller(identity), person, ride);
}

TEST(Roles, AreWhatTheyWereMadeOf) {
  constexpr Roles kTwo = {Role::kRider, Role::kServer};
  EXPECT_TRUE(kTwo.Has(Role::kRider) && kTwo.Has(Role::kServer));
  EXPECT_FALSE(kTwo.Has(Role::kDriver) || kTwo.Has(Role::kOperator) || kTwo.HasNobody());
  EXPECT_TRUE(Roles().empty());
  constexpr Roles kAll = Roles::Everybody();
  EXPECT_TRUE(kAll.Has(Role::kDriverService) && kAll.Has(Role::kRider) && kAll.HasNobody());
}

TEST(CheckRole, RefusesTheRestAndNamesNoClaim) {
  const Roles roles = {Role::kRider};
  EXPECT_TRUE(CheckRole(Caller({.role = Role::kRider}), roles).ok());
  const absl::Status refused = CheckRole(Caller({.role = Role::kDriver, .subject = "secret"}), roles);
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(HasReason(refused, Reason::kRoleNotAllowed));
  EXPECT_EQ(refused.message().find("secret"), std::string::npos);
  EXPECT_TRUE(HasReason(CheckRole(Caller({.role = Role::kRider}), {}), Reason::kRoleNotAllowed));
}

TEST(CheckRole, ACallerWithoutAnIdentityIsRefusedUnlessTheMethodIsForEverybody) {
  const absl::Status refused = CheckRole(Caller(), {Role::kRider});
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(HasReason(refused, Reason::kTokenMissing));
  EXPECT_TRUE(CheckRole(Caller(), Roles::Everybody()).ok());
  EXPECT_TRUE(CheckRole(Caller::Unchecked(), {}).ok());
}

TEST(CheckSpeaksFor, OneIdOrAllOfTheRightKind) {
  EXPECT_TRUE(Speaks({.role = Role::kRider, .rider = "ada"}).ok());
  EXPECT_TRUE(Speaks({.role = Role::kServer, .rider = "*"}).ok());
  EXPECT_TRUE(Speaks({.role = Role::kDriver, .driver = "ada"}, kDriver).ok());
  for (const Identity& other : {Identity{.role = Role::kRider, .rider = "eve"}, Identity{.role = Role::kRider},
                                Identity{.role = Role::kRider, .driver = "ada"},
                                Identity{.role = Role::kServer, .driver = "*"}, Identity{.role = Role::kOperator}}) {
    const absl::Status refused = Speaks(other);
    EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_TRUE(HasReason(refused, Reason::kIdentityMismatch));
  }
  EXPECT_TRUE(HasReason(Speaks({.role = Role::kDriver, .rider = "*"}, kDriver), Reason::kIdentityMismatch));
}

TEST(CheckSpeaksFor, NobodySpeaksForNobody) {
  EXPECT_TRUE(HasReason(CheckSpeaksFor(Caller(), kRider), Reason::kTokenMissing));
  EXPECT_TRUE(CheckSpeaksFor(Caller::Unchecked(), kRider).ok());
  const std::string none;
  const Person nameless{none, "rider_id", Person::Kind::kRider};
  // An empty claim is not the empty id.
  EXPECT_TRUE(HasReason(Speaks({.role = Role::kRider}, nameless), Reason::kInvalidField));
  EXPECT_TRUE(HasReason(Speaks({.role = Role::kServer, .rider = "*"}, nameless), Reason::kInvalidField));
  EXPECT_TRUE(HasReason(CheckSpeaksFor(Caller::Unchecked(), nameless), Reason::kInvalidField));
}

TEST(CheckSpeaksFor, AViewerReadsItsRideAndNothingElse) {
  const Identity viewer{.role = Role::kViewer, .ride = kRide};
  EXPECT_TRUE(Speaks(viewer, kRider, &kRide).ok());
  EXPECT_TRUE(HasReason(Speaks(viewer, kRider, &kOtherRide), Reason::kIdentityMismatch));
  EXPECT_TRUE(HasReason(Speaks(viewer), Reason::kIdentityMismatch));
  EXPECT_TRUE(HasReason(Speaks({.role = Role::kViewer, .rider = "*"}, kRider, &kRide), Reason::kIdentityMismatch));
}

TEST(CheckSpeaksFor, AnIdentityForOneRideReadsItAndNothingElse) {
  for (const Role role : {Role::kRider, Role::kServer}) {
    const Identity narrow{.role = role, .rider = "ada", .ride = kRide};
    EXPECT_TRUE(Speaks(narrow, kRider, &kRide).ok());
    EXPECT_TRUE(HasReason(Speaks(narrow, kRider, &kOtherRide), Reason::kIdentityMismatch));
    EXPECT_TRUE(HasReason(Speaks(narrow), Reason::kIdentityMismatch));
  }
  EXPECT_TRUE(HasReason(Speaks({.role = Role::kRider, .rider = "eve", .ride = kRide}, kRider, &kRide),
                        Reason::kIdentityMismatch));
  EXPECT_TRUE(Speaks({.role = Role::kRider, .rider = "ada", .ride = "*"}).ok());
}

TEST(ExpiryOf, IsTheIdentitys) {
  EXPECT_EQ(ExpiryOf(Caller({.expires = absl::UnixEpoch()})), absl::UnixEpoch());
  EXPECT_EQ(ExpiryOf(Caller::Unchecked()), absl::InfiniteFuture());
  EXPECT_EQ(ExpiryOf(Caller()), absl::InfiniteFuture());
}

// --- The rows of a table ---

namespace pb = hail::internal::v1;

using WatchSink = Sink<pb::WatchDriversResponse>;

// Its stream is for drivers, and each `subscribe` names one.
class Feed {
 public:
  static constexpr char kName[] = "hail.internal.v1.AssignmentService";
  static constexpr auto Methods() {
    return std::tuple(Unary("FindAssignment", &Feed::Find, {.roles = {Role::kDriver}, .person = &Feed::Finder}),
                      Bidi("WatchDrivers", &Feed::Watch, {.roles = {Role::kDriver}, .person = &Feed::Subscriber}));
  }

  void Find(const CallContext&, const pb::FindAssignmentRequest&, Done<pb::FindAssignmentResponse> done) {
    ++calls;
    done(pb::FindAssignmentResponse());
  }
  std::shared_ptr<InboundSession<pb::WatchDriversRequest>> Watch(const CallContext&, std::shared_ptr<WatchSink> sink) {
    struct Session final : InboundSession<pb::WatchDriversRequest> {
      Session(Feed* feed, std::shared_ptr<WatchSink> to) : feed(feed), sink(std::move(to)) {}
      void OnMessage(const pb::WatchDriversRequest& message) override {
        feed->got.push_back(message.has_heartbeat() ? "heartbeat" : message.subscribe().driver_id());
      }
      void OnHalfClose() override { sink->Finish(); }
      void OnDrain(absl::Duration) override { sink->Finish(); }
      void OnEnd() override { feed->got.emplace_back("end"); }
      Feed* const feed;
      const std::shared_ptr<WatchSink> sink;
    };
    ++calls;
    return std::make_shared<Session>(this, std::move(sink));
  }

  int calls = 0;
  std::vector<std::string> got;

 private:
  static std::optional<Person> Finder(const pb::FindAssignmentRequest& request) {
    return Person{request.driver_id(), "driver_id", Person::Kind::kDriver};
  }
  static std::optional<Person> Subscriber(const pb::WatchDriversRequest& message) {
    if (!message.has_subscribe()) return std::nullopt;
    return Person{message.subscribe().driver_id(), "subscribe.driver_id", Person::Kind::kDriver};
  }
};

pb::WatchDriversRequest Of(const std::string& driver_id) {
  pb::WatchDriversRequest message;
  message.mutable_subscribe()->set_driver_id(driver_id);
  return message;
}

const CallContext kDan = CallOf({.role = Role::kDriver, .driver = "dan"});

TEST(Rows, TheServiceDoesNotSeeARefusedCall) {
  Feed feed;
  pb::FindAssignmentRequest request;
  request.set_driver_id("dan");
  EXPECT_TRUE(Ask(&feed, request, kDan).ok());
  EXPECT_EQ(feed.calls, 1);
  // The default is nobody: a transport that forgets the caller serves no one.
  EXPECT_TRUE(HasReason(Ask(&feed, request, {}).status(), Reason::kTokenMissing));
  EXPECT_TRUE(HasReason(Ask(&feed, request, CallOf({.role = Role::kRider, .driver = "dan"})).status(),
                        Reason::kRoleNotAllowed));
  request.set_driver_id("eve");
  EXPECT_TRUE(HasReason(Ask(&feed, request, kDan).status(), Reason::kIdentityMismatch));
  EXPECT_EQ(feed.calls, 1);
}

TEST(Rows, AStreamOfTheWrongRoleIsNotOpened) {
  Feed feed;
  for (const auto& [call, reason] : {std::pair(CallContext(), Reason::kTokenMissing),
                                     std::pair(CallOf({.role = Role::kServer}), Reason::kRoleNotAllowed)}) {
    const auto list = std::make_shared<ListSink<pb::WatchDriversResponse>>();
    EXPECT_EQ(OpenInbound<pb::WatchDriversRequest>(&feed, list, call), nullptr);
    EXPECT_TRUE(HasReason(list->AwaitEnd(), reason));
  }
  EXPECT_EQ(feed.calls, 0);
}

TEST(Rows, EachMessageThatNamesAPersonIsChecked) {
  Feed feed;
  const auto list = std::make_shared<ListSink<pb::WatchDriversResponse>>();
  const auto session = OpenInbound<pb::WatchDriversRequest>(&feed, list, kDan);
  pb::WatchDriversRequest heartbeat;
  heartbeat.mutable_heartbeat();
  session->OnMessage(Of("dan"));
  session->OnMessage(heartbeat);
  EXPECT_TRUE(list->open());
  session->OnMessage(Of("eve"));
  EXPECT_TRUE(HasReason(list->AwaitEnd(), Reason::kIdentityMismatch));
  // Nothing after it counts, although it would be allowed.
  session->OnMessage(Of("dan"));
  session->OnMessage(heartbeat);
  session->OnEnd();
  EXPECT_EQ(feed.got, (std::vector<std::string>{"dan", "heartbeat", "end"}));
}

}  // namespace
}  // namespace hail::rpc
