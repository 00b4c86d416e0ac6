// Which amounts a currency has.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hail {

inline constexpr std::int64_t kMicrosPerUnit = 1'000'000;

// How many decimals amounts of the currency have by ISO 4217: 2 for USD, 0 for JPY, 3 for KWD, 4 for CLF. Nothing for a
// code that is no currency with a smallest unit (unknown, gold, the code for tests).
std::optional<int> DecimalsOf(std::string_view currency_code);

// The currency's smallest unit in millionths of its unit; nothing as above.
std::optional<std::int64_t> SmallestUnitMicros(std::string_view currency_code);

// The multiple of `step` (above 0) that is nearest to `micros` (0 or more); of two equally near ones the higher.
std::int64_t RoundedTo(std::int64_t step, double micros);

}  // namespace hail
