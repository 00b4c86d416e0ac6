#include "common/money/currency.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace hail {
namespace {

// The active codes of ISO 4217 (list one, amended up to 2025), by decimals: three letters and a blank each.
constexpr std::string_view kNone = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF ";
constexpr std::string_view kTwo =
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD "
    "CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD "
    "GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA "
    "MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR "
    "RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD "
    "TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG ";
constexpr std::string_view kThree = "BHD IQD JOD KWD LYD OMR TND ";
constexpr std::string_view kFour = "CLF UYW ";

struct OfDecimals {
  std::string_view codes;
  int decimals;
};
constexpr std::array<OfDecimals, 4> kCurrencies = {{{kTwo, 2}, {kNone, 0}, {kThree, 3}, {kFour, 4}}};

bool Holds(std::string_view codes, std::string_view code) {
  for (std::size_t at = 0; at + 3 <= codes.size(); at += 4) {
    if (codes.substr(at, 3) == code) return true;
  }
  return false;
}

}  // namespace

std::optional<int> DecimalsOf(std::string_view currency_code) {
  for (const OfDecimals& currencies : kCurrencies) {
    if (Holds(currencies.codes, currency_code)) return currencies.decimals;
  }
  return std::nullopt;
}

std::optional<std::int64_t> SmallestUnitMicros(std::string_view currency_code) {
  const std::optional<int> decimals = DecimalsOf(currency_code);
  if (!decimals) return std::nullopt;
  std::int64_t unit = kMicrosPerUnit;
  for (int i = 0; i < *decimals; ++i) unit /= 10;
  return unit;
}

std::int64_t RoundedTo(std::int64_t step, double micros) {
  // Well below the maximum of int64, whatever the step.
  constexpr double kMost = 4e18;
  return static_cast<std::int64_t>(std::round(std::min(micros, kMost) / static_cast<double>(step))) * step;
}

}  // namespace hail
