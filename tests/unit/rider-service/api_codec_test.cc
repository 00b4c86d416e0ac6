// Requests as they are decoded.
#include "rider-service/api/api_codec.h"

#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <string>

namespace hail::rider {
namespace {

using Message = hail::rider::v1::RequestRideRequest;

Message Request() {
  Message message;
  message.set_rider_id("rider-1");
  message.set_request_id("request-1");
  for (hail::type::v1::Place* place : {message.mutable_pickup(), message.mutable_dropoff()}) {
    place->mutable_position()->set_latitude_deg(37.7749);
    place->mutable_position()->set_longitude_deg(-122.4194);
    place->set_address("Civic Center");
  }
  message.set_product_id("economy");
  message.set_seats(2);
  message.set_quote_token("token");
  (*message.mutable_labels())["trip"] = "t-1";
  return message;
}

// As a client of a later release sends it.
template <typename T>
T With(T message, int field, const std::string& value) {
  message.GetReflection()->MutableUnknownFields(&message)->AddLengthDelimited(field, value);
  return message;
}

std::string Fingerprint(const Message& message) { return RequestFingerprint(DecodeRequest(message)); }

// A request that was stored by the first release has the same fingerprint when it is repeated.
TEST(DecodeRequest, HasNothingFurtherThanTheFirstReleaseKnew) {
  EXPECT_EQ(DecodeRequest(Request()).further_fields, "");
  EXPECT_EQ(DecodeRequest(Message()).further_fields, "");
  Message empty;
  empty.mutable_pickup()->mutable_position();
  empty.mutable_dropoff();
  EXPECT_EQ(DecodeRequest(empty).further_fields, "");
}

TEST(DecodeRequest, ALaterFieldAnywhereTellsRequestsApart) {
  const std::string base = Fingerprint(Request());
  EXPECT_EQ(Fingerprint(Request()), base);
  EXPECT_NE(Fingerprint(With(Request(), 90, "x")), base);
  EXPECT_EQ(Fingerprint(With(Request(), 90, "x")), Fingerprint(With(Request(), 90, "x")));
  EXPECT_NE(Fingerprint(With(Request(), 90, "x")), Fingerprint(With(Request(), 90, "y")));
  for (const auto place : {&Message::mutable_pickup, &Message::mutable_dropoff}) {
    Message noted = Request();
    *(noted.*place)() = With(*(noted.*place)(), 90, "x");
    EXPECT_NE(Fingerprint(noted), base);
    Message high = Request();
    *(high.*place)()->mutable_position() = With((high.*place)()->position(), 90, "x");
    EXPECT_NE(Fingerprint(high), base);
    EXPECT_NE(Fingerprint(high), Fingerprint(noted));
  }
}

// Replicas of two releases make one fingerprint of a request, whichever of its fields the older one knows. A field that
// a release knows is encoded where it stands among the unknown ones of the other, as long as new fields get new
// numbers.
TEST(DecodeRequest, AKnownFieldIsEncodedAsAnUnknownOne) {
  Message sent = With(Request(), 90, "x");
  Message read;
  ASSERT_TRUE(read.ParseFromString(sent.SerializeAsString()));
  EXPECT_EQ(Fingerprint(read), Fingerprint(sent));
  // Field 90, length-delimited, one byte.
  EXPECT_EQ(DecodeRequest(read).further_fields, "\xD2\x05\x01x");
}

}  // namespace
}  // namespace hail::rider
