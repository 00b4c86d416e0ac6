// The decimals and the rounding of currencies.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hail {

inline constexpr std::int64_t kMicrosPerUnit = 1'000'000;

// The number of decimals of the currency by ISO 4217: 2 for USD, 0 for JPY, 3 for KWD, 4 for CLF. nullopt if the code
// is not a currency with a smallest unit (unknown, gold, the code for tests).
std::optional<int> DecimalsOf(std::string_view currency_code);

// The currency's smallest unit in millionths of its unit; nullopt as above.
std::optional<std::int64_t> SmallestUnitMicros(std::string_view currency_code);

// The multiple of `step` (above 0) nearest to `micros` (0 or more); the higher one if two are equally near.
std::int64_t RoundedTo(std::int64_t step, double micros);

}  // namespace hail
