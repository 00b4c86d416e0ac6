#include "common/rpc/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/errors/error.h"
#include "google/rpc/error_details.pb.h"

namespace hail::rpc {
namespace {

TEST(StatusTest, OkIsOk) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
  EXPECT_EQ(ToProto(absl::OkStatus()).code(), 0);
}

TEST(StatusTest, DetailsGoOutAsGoogleRpcMessages) {
  const google::rpc::Status proto = ToProto(MakeError(
      absl::StatusCode::kInvalidArgument, "too far north",
      {.reason = Reason::kInvalidField, .field = "pickup.position.latitude_deg", .metadata = {{"max", "90"}}}));
  EXPECT_EQ(proto.code(), 3);
  ASSERT_EQ(proto.details_size(), 2);
  EXPECT_EQ(proto.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(proto.details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "INVALID_FIELD");
  EXPECT_EQ(info.domain(), "hail");
  EXPECT_EQ(info.metadata().at("max"), "90");
  google::rpc::BadRequest bad;
  ASSERT_TRUE(proto.details(1).UnpackTo(&bad));
  EXPECT_EQ(bad.field_violations(0).field(), "pickup.position.latitude_deg");
}

TEST(StatusTest, TheTrailerHoldsCodeAndMessageToo) {
  const grpc::Status status = ToGrpc(NotFound(Reason::kRideNotFound, "no such ride"));
  google::rpc::Status trailer;
  ASSERT_TRUE(trailer.ParseFromString(status.error_details()));
  EXPECT_EQ(trailer.code(), 5);
  EXPECT_EQ(trailer.message(), "no such ride");
}

TEST(StatusTest, EveryReasonSurvivesTheWayThereAndBack) {
  for (int i = 0; i <= static_cast<int>(Reason::kInternal); ++i) {
    const auto reason = static_cast<Reason>(i);
    const absl::Status sent =
        MakeError(absl::StatusCode::kUnavailable, "m",
                  {.reason = reason, .field = "f", .metadata = {{"k", "v"}}, .retry_after = absl::Milliseconds(1500)});
    const absl::Status back = FromGrpc(ToGrpc(sent));
    EXPECT_EQ(back.code(), sent.code());
    EXPECT_EQ(back.message(), "m");
    ASSERT_TRUE(DetailsOf(back).has_value());
    EXPECT_EQ(DetailsOf(back)->reason, reason);
    EXPECT_EQ(DetailsOf(back)->field, "f");
    EXPECT_EQ(DetailsOf(back)->metadata.at("k"), "v");
    EXPECT_EQ(DetailsOf(back)->retry_after, absl::Milliseconds(1500));
  }
}

TEST(StatusTest, AReasonOfANewerPeerIsKeptByName) {
  google::rpc::Status proto;
  proto.set_code(9);
  google::rpc::ErrorInfo info;
  info.set_domain("hail");
  info.set_reason("MOON_PHASE");
  proto.add_details()->PackFrom(info);
  const absl::Status status = FromProto(proto);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(DetailsOf(status)->metadata.at("unknown_reason"), "MOON_PHASE");
  // The name is passed on as well, because the next reader may know it.
  ASSERT_EQ(ToProto(status).details_size(), 1);
  ASSERT_TRUE(ToProto(status).details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "MOON_PHASE");
  EXPECT_TRUE(info.metadata().empty());
}

// Clients take an error without a reason for a network error.
TEST(StatusTest, WhatHasNoReasonGetsTheOneOfItsCode) {
  const auto there_and_back = [](const absl::Status& status) { return FromProto(ToProto(status)); };
  EXPECT_TRUE(HasReason(there_and_back(absl::DeadlineExceededError("late")), Reason::kOutcomeUnknown));
  EXPECT_TRUE(HasReason(there_and_back(absl::UnimplementedError("no")), Reason::kNotServed));
  EXPECT_TRUE(HasReason(there_and_back(absl::DataLossError("?")), Reason::kInternal));
  EXPECT_EQ(ToProto(absl::CancelledError("gone")).details_size(), 0);
  EXPECT_EQ(DetailsOf(FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "connection refused"))), std::nullopt);
}

// An error of another program must not pass for one of Hail's.
TEST(StatusTest, WithoutHailsErrorInfoNothingIsHails) {
  google::rpc::Status proto;
  proto.set_code(13);
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(3);
  proto.add_details()->PackFrom(retry);
  google::rpc::ErrorInfo info;
  info.set_domain("proxy.example");
  info.set_reason("UPSTREAM_RESET");
  proto.add_details()->PackFrom(info);
  EXPECT_EQ(DetailsOf(FromProto(proto)), std::nullopt);
}

TEST(StatusTest, AnErrorWithoutAReasonIsSentAsInternal) {
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(ToProto(absl::FailedPreconditionError("?")).details(0).UnpackTo(&info));
  EXPECT_EQ(info.reason(), "INTERNAL");
}

TEST(StatusTest, DetailsThatAreNoStatusAreIgnored) {
  const absl::Status status = FromGrpc(grpc::Status(grpc::StatusCode::NOT_FOUND, "gone", "\xff\xff garbage"));
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "gone");
}

}  // namespace
}  // namespace hail::rpc
