// Values of the contract as people write and read them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/generated_enum_reflection.h"
#include "google/protobuf/timestamp.pb.h"
#include "hail/type/v1/geo.pb.h"
#include "hail/type/v1/money.pb.h"

namespace hail::ctl {

// "12.50 USD", "700 JPY", "0.755 KWD": with the currency's decimals, and more only if the amount has them. Empty for an
// unset amount.
std::string MoneyText(const hail::type::v1::Money& money);
// "45 s", "9 min 05 s", "1 h 02 min".
std::string DurationText(const google::protobuf::Duration& duration);
// "2008-05-22 05:00:00Z".
std::string TimeText(const google::protobuf::Timestamp& time);
// "850 m", "3.2 km".
std::string DistanceText(double metres);
// "37.77490,-122.41940".
std::string PointText(const hail::type::v1::LatLng& point);
// The address and the point, or only the point; then the note.
std::string PlaceText(const hail::type::v1::Place& place);

// "LAT,LNG" in degrees. Checks only the form; the services check the values.
absl::StatusOr<hail::type::v1::LatLng> ParsePoint(const std::string& text);
// "LAT,LNG" or "LAT,LNG,ADDRESS".
absl::StatusOr<hail::type::v1::Place> ParsePlace(const std::string& text);

// An enumerator without its enum's prefix, in lower case: RIDE_STATE_MATCHING is "matching".
std::string EnumWord(const google::protobuf::EnumDescriptor* type, int number);
std::optional<int> ParseEnumWord(const google::protobuf::EnumDescriptor* type, const std::string& word);
// All words but "unspecified", for usage texts.
std::vector<std::string> EnumWords(const google::protobuf::EnumDescriptor* type);

template <typename Enum>
std::string Word(Enum value) {
  return EnumWord(google::protobuf::GetEnumDescriptor<Enum>(), value);
}

template <typename Enum>
std::optional<Enum> FromWord(const std::string& word) {
  const std::optional<int> number = ParseEnumWord(google::protobuf::GetEnumDescriptor<Enum>(), word);
  if (!number.has_value()) return std::nullopt;
  return static_cast<Enum>(*number);
}

template <typename Enum>
std::vector<std::string> Words() {
  return EnumWords(google::protobuf::GetEnumDescriptor<Enum>());
}

}  // namespace hail::ctl
