#include "tests/tools/hailctl/format.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "hail/type/v1/ride.pb.h"
#include "tests/tools/hailctl/context.h"
#include "tests/tools/hailctl/show.h"
#include "tests/tools/hailctl/table.h"

namespace hail::ctl {
namespace {

hail::type::v1::Money Money(std::int64_t micros) {
  hail::type::v1::Money money;
  money.set_currency_code("USD");
  money.set_micros(micros);
  return money;
}

google::protobuf::Duration Seconds(std::int64_t seconds, int nanos = 0) {
  google::protobuf::Duration duration;
  duration.set_seconds(seconds);
  duration.set_nanos(nanos);
  return duration;
}

TEST(MoneyText, ShowsTwoDecimalsAndMoreOnlyWhereThereAre) {
  EXPECT_EQ(MoneyText(Money(12'500'000)), "12.50 USD");
  EXPECT_EQ(MoneyText(Money(0)), "0.00 USD");
  EXPECT_EQ(MoneyText(Money(1'234'567)), "1.234567 USD");
  EXPECT_EQ(MoneyText(Money(50'000)), "0.05 USD");
  EXPECT_EQ(MoneyText(Money(-500'000)), "-0.50 USD");
  EXPECT_EQ(MoneyText(Money(std::numeric_limits<std::int64_t>::min())), "-9223372036854.775808 USD");
  EXPECT_EQ(MoneyText({}), "");
}

TEST(MoneyText, ShowsTheDecimalsOfTheCurrency) {
  hail::type::v1::Money money = Money(3'140'000'000);
  money.set_currency_code("JPY");
  EXPECT_EQ(MoneyText(money), "3140 JPY");
  money.set_micros(755'000);
  money.set_currency_code("KWD");
  EXPECT_EQ(MoneyText(money), "0.755 KWD");
  money.set_micros(2'500'000);
  EXPECT_EQ(MoneyText(money), "2.500 KWD");
  // Of an old ride, from a release that did not round amounts: no digit is hidden.
  money.set_micros(1'500'000);
  money.set_currency_code("JPY");
  EXPECT_EQ(MoneyText(money), "1.5 JPY");
}

TEST(DurationText, RoundsToSecondsAndChangesUnits) {
  EXPECT_EQ(DurationText(Seconds(0)), "0 s");
  EXPECT_EQ(DurationText(Seconds(59, 499'999'999)), "59 s");
  EXPECT_EQ(DurationText(Seconds(59, 500'000'000)), "1 min 00 s");
  EXPECT_EQ(DurationText(Seconds(545)), "9 min 05 s");
  EXPECT_EQ(DurationText(Seconds(3720)), "1 h 02 min");
  EXPECT_EQ(DurationText(Seconds(-5)), "-5 s");
}

TEST(DistanceText, ChangesUnits) {
  EXPECT_EQ(DistanceText(849.6), "850 m");
  EXPECT_EQ(DistanceText(3240), "3.2 km");
}

TEST(ParsePlace, TakesPointAndAddress) {
  const auto place = ParsePlace("37.7955,-122.3937,Ferry Building, San Francisco");
  ASSERT_TRUE(place.ok()) << place.status();
  EXPECT_DOUBLE_EQ(place->position().latitude_deg(), 37.7955);
  EXPECT_DOUBLE_EQ(place->position().longitude_deg(), -122.3937);
  EXPECT_EQ(place->address(), "Ferry Building, San Francisco");
  EXPECT_EQ(PlaceText(*place), "Ferry Building, San Francisco (37.79550,-122.39370)");
}

TEST(PlaceText, EndsWithTheNote) {
  auto place = *ParsePlace("37.7955,-122.3937,Ferry Building");
  place.set_note("blue door");
  EXPECT_EQ(PlaceText(place), "Ferry Building (37.79550,-122.39370), \"blue door\"");
}

TEST(OfferLine, SaysWhoseRideItIs) {
  hail::driver::v1::Offer offer;
  offer.mutable_pickup()->set_note("blue door");
  offer.set_rider_display_name("Ann");
  EXPECT_NE(OfferLine(offer).find(", \"blue door\" to "), std::string::npos) << OfferLine(offer);
  EXPECT_NE(OfferLine(offer).find("; for Ann; "), std::string::npos) << OfferLine(offer);
}

TEST(EventLine, SaysWhyTheDriverWaits) {
  hail::type::v1::RideEvent event;
  event.set_type(hail::type::v1::RIDE_EVENT_TYPE_WAITING);
  event.mutable_ride()->mutable_wait()->mutable_since()->set_seconds(1'700'000'000);
  EXPECT_NE(EventLine(event).find("waiting, waits since 2023-11-14 22:13:20Z"), std::string::npos) << EventLine(event);
  event.mutable_ride()->mutable_wait()->set_reason(hail::type::v1::WAIT_REASON_TRAFFIC);
  EXPECT_NE(EventLine(event).find("22:13:20Z: traffic"), std::string::npos) << EventLine(event);
}

TEST(ParsePlace, WorksWithoutAnAddress) {
  const auto place = ParsePlace("37.7955,-122.3937");
  ASSERT_TRUE(place.ok()) << place.status();
  EXPECT_EQ(place->address(), "");
  EXPECT_EQ(PlaceText(*place), "37.79550,-122.39370");
}

TEST(ParsePoint, RefusesWhatIsNotTwoNumbers) {
  for (const char* text : {"", "37.7", "37.7;-122", "a,b", "37.7,", ",1", "37.7,-122x"}) {
    EXPECT_FALSE(ParsePoint(text).ok()) << text;
  }
}

TEST(EnumWord, DropsThePrefix) {
  EXPECT_EQ(Word(hail::type::v1::RIDE_STATE_ENROUTE_TO_PICKUP), "enroute_to_pickup");
  EXPECT_EQ(Word(static_cast<hail::type::v1::RideState>(77)), "77");
}

TEST(EnumWord, IsReadBack) {
  using hail::type::v1::RideState;
  for (const std::string& word : Words<RideState>()) {
    const auto state = FromWord<RideState>(word);
    ASSERT_TRUE(state.has_value()) << word;
    EXPECT_EQ(Word(*state), word);
  }
  EXPECT_FALSE(FromWord<RideState>("unspecified").has_value());
  EXPECT_FALSE(FromWord<RideState>("gone").has_value());
}

TEST(Table, AlignsByCodePoints) {
  Table table({"PLACE", "FARE"});
  EXPECT_TRUE(table.empty());
  table.Add({"Café", "1"});
  table.Add({"Ferry Building", "2"});
  EXPECT_FALSE(table.empty());
  EXPECT_EQ(table.Text(),
            "PLACE           FARE\n"
            "Café            1\n"
            "Ferry Building  2\n");
}

// An address with a line break could pass for a line of hailctl.
TEST(Table, ShowsWhatPeopleWroteWithoutObeyingIt) {
  EXPECT_EQ(FieldsText({{"pickup", "\x1B[2JHere\npaid  0.00 USD"}}), "pickup  \\u001b[2JHere\\u000apaid  0.00 USD\n");
  hail::driver::v1::Offer offer;
  offer.mutable_pickup()->set_address("Here\xE2\x80\xAE\nforged");
  EXPECT_NE(OfferLine(offer).find("Here\\u202e\\u000aforged"), std::string::npos) << OfferLine(offer);
  hail::type::v1::RideEvent event;
  event.mutable_ride()->mutable_cancellation()->set_note(
      "\xC2\x9B"
      "31m");
  EXPECT_NE(EventLine(event).find("\\u009b31m"), std::string::npos) << EventLine(event);
  EXPECT_NE(RideLine(event.ride()).find("\\u009b31m"), std::string::npos);
}

TEST(JsonText, EscapesWhatATerminalObeys) {
  hail::type::v1::Place place;
  place.set_address("\xC2\x9B\x7F\xE2\x81\xA6");
  EXPECT_EQ(JsonText(place), "{\"address\":\"\\u009b\\u007f\\u2066\"}");
}

TEST(FieldsText, LeavesOutWhatIsEmpty) {
  EXPECT_EQ(FieldsText({{"ride", "r"}, {"fee", ""}, {"driver", "d"}}), "ride    r\ndriver  d\n");
}

}  // namespace
}  // namespace hail::ctl
