#include "tests/tools/hailctl/format.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/money/currency.h"

namespace hail::ctl {
namespace {

// "RIDE_STATE_" for the enum RideState.
std::string PrefixOf(const google::protobuf::EnumDescriptor* type) {
  std::string prefix;
  for (const char c : type->name()) {
    if (std::isupper(static_cast<unsigned char>(c)) && !prefix.empty()) prefix += '_';
    prefix += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return prefix + '_';
}

absl::Status BadPoint(const std::string& text) {
  return absl::InvalidArgumentError("'" + text + "' is not LAT,LNG in degrees, as 37.7749,-122.4194");
}

}  // namespace

std::string MoneyText(const hail::type::v1::Money& money) {
  if (money.currency_code().empty()) return "";
  const std::int64_t micros = money.micros();
  // In unsigned arithmetic, because the smallest int64 has no opposite.
  const std::uint64_t magnitude =
      micros < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(micros) : static_cast<std::uint64_t>(micros);
  std::string digits = absl::StrFormat("%06d", magnitude % 1'000'000);
  const auto decimals = static_cast<std::size_t>(DecimalsOf(money.currency_code()).value_or(2));
  while (digits.size() > decimals && digits.back() == '0') digits.pop_back();
  return absl::StrFormat("%s%d%s%s %s", micros < 0 ? "-" : "", magnitude / 1'000'000, digits.empty() ? "" : ".", digits,
                         money.currency_code());
}

std::string DurationText(const google::protobuf::Duration& duration) {
  const std::int64_t total =
      std::llround(static_cast<double>(duration.seconds()) + static_cast<double>(duration.nanos()) * 1e-9);
  const char* sign = total < 0 ? "-" : "";
  const std::int64_t seconds = std::abs(total);
  if (seconds < 60) return absl::StrFormat("%s%d s", sign, seconds);
  if (seconds < 3600) return absl::StrFormat("%s%d min %02d s", sign, seconds / 60, seconds % 60);
  return absl::StrFormat("%s%d h %02d min", sign, seconds / 3600, seconds % 3600 / 60);
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", absl::FromUnixSeconds(time.seconds()), absl::UTCTimeZone());
}

std::string DistanceText(double metres) {
  if (metres < 1000) return absl::StrFormat("%.0f m", metres);
  return absl::StrFormat("%.1f km", metres / 1000);
}

std::string PointText(const hail::type::v1::LatLng& point) {
  return absl::StrFormat("%.5f,%.5f", point.latitude_deg(), point.longitude_deg());
}

std::string PlaceText(const hail::type::v1::Place& place) {
  const std::string point = PointText(place.position());
  const std::string text = place.address().empty() ? point : place.address() + " (" + point + ")";
  return place.note().empty() ? text : text + ", \"" + place.note() + "\"";
}

absl::StatusOr<hail::type::v1::LatLng> ParsePoint(const std::string& text) {
  const std::size_t comma = text.find(',');
  if (comma == std::string::npos) return BadPoint(text);
  double latitude = 0;
  double longitude = 0;
  if (!absl::SimpleAtod(text.substr(0, comma), &latitude) || !absl::SimpleAtod(text.substr(comma + 1), &longitude)) {
    return BadPoint(text);
  }
  hail::type::v1::LatLng point;
  point.set_latitude_deg(latitude);
  point.set_longitude_deg(longitude);
  return point;
}

absl::StatusOr<hail::type::v1::Place> ParsePlace(const std::string& text) {
  std::size_t comma = text.find(',');
  if (comma != std::string::npos) comma = text.find(',', comma + 1);
  absl::StatusOr<hail::type::v1::LatLng> point = ParsePoint(text.substr(0, comma));
  if (!point.ok()) return point.status();
  hail::type::v1::Place place;
  *place.mutable_position() = *point;
  if (comma != std::string::npos) place.set_address(text.substr(comma + 1));
  return place;
}

std::string EnumWord(const google::protobuf::EnumDescriptor* type, int number) {
  const google::protobuf::EnumValueDescriptor* value = type->FindValueByNumber(number);
  // A newer server's enumerator is shown by its number.
  if (value == nullptr) return std::to_string(number);
  // A string_view in newer protobuf.
  std::string word(value->name());
  const std::string prefix = PrefixOf(type);
  if (word.rfind(prefix, 0) == 0) word.erase(0, prefix.size());
  std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::tolower(c); });
  return word;
}

std::optional<int> ParseEnumWord(const google::protobuf::EnumDescriptor* type, const std::string& word) {
  for (int i = 0; i < type->value_count(); ++i) {
    const int number = type->value(i)->number();
    if (number != 0 && EnumWord(type, number) == word) return number;
  }
  return std::nullopt;
}

std::vector<std::string> EnumWords(const google::protobuf::EnumDescriptor* type) {
  std::vector<std::string> words;
  for (int i = 0; i < type->value_count(); ++i) {
    if (type->value(i)->number() != 0) words.push_back(EnumWord(type, type->value(i)->number()));
  }
  return words;
}

}  // namespace hail::ctl
