// How often who may call: the classes of methods, their rates, and the buckets of all callers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "common/limits/key.h"
#include "common/limits/lru_table.h"
#include "common/limits/rate.h"

namespace hail::limits {

// What a call costs, or gives away. The row of each method names its class (common/rpc/methods.h).
enum class Class : std::uint8_t {
  // Not counted.
  kFree,
  // Reads, and the opening of a stream.
  kRead,
  // Steps of a ride, positions.
  kWrite,
  // Stores a ride for ever.
  kRequestRide,
  // Searches for cars.
  kQuoteRide,
  // Shows where cars are, also to callers without a token.
  kNearbyCars,
  // Stores a driver for ever.
  kRegisterDriver,
};
inline constexpr std::size_t kClasses = 7;

// A class as operators know it.
struct ClassRow {
  Class value;
  // The configuration key: "limits.request_ride".
  const char* key;
  // Its default.
  const char* rates;
  // For people.
  const char* what;
};

// All classes but kFree.
inline constexpr std::array<ClassRow, kClasses - 1> kClassRows{{
    {Class::kRead, "limits.read", "50/s", "read, and open a stream"},
    {Class::kWrite, "limits.write", "20/s", "act on a ride, an offer or a driver, or send a position"},
    {Class::kRequestRide, "limits.request_ride", "10/min,60/h", "request a ride"},
    {Class::kQuoteRide, "limits.quote_ride", "60/min", "ask for a quote"},
    {Class::kNearbyCars, "limits.nearby_cars", "30/min", "ask for the cars nearby"},
    {Class::kRegisterDriver, "limits.register_driver", "1/min", "register a driver"},
}};

struct CallLimits {
  // Of a subject; a caller without one is counted as his network. By class.
  std::array<Rates, kClasses> of_class;
  // Of a network, over all its subjects and classes.
  Rates of_network;
  // How many buckets are kept at most. One that is dropped was not used for the longest time; its caller starts anew.
  std::size_t buckets = 1'000'000;

  // The defaults.
  static CallLimits Shipped();
};

// The rate of a network by default; key limits.address.
inline constexpr char kNetworkRates[] = "1000/s";

// Pure, not thread-safe.
class CallRates {
 public:
  explicit CallRates(CallLimits limits);

  // Counts a call of `caller`, a subject or the network of one without a token; or counts nothing and returns how long
  // until the call would pass, were no other made. Zero: counted. Nobody is not limited.
  absl::Duration Take(const Key& caller, Class what, absl::Time now);
  // The same over all calls of a network.
  absl::Duration TakeOfNetwork(const Key& network, absl::Time now);
  // Undoes one TakeOfNetwork that returned zero.
  void GiveBackToNetwork(const Key& network);

  std::size_t buckets() const { return buckets_.size(); }

 private:
  absl::Duration Take(const Key& caller, std::uint8_t first_part, const Rates& rates, absl::Time now);
  Bucket& BucketOf(const Key& caller, std::uint8_t first_part, std::size_t rate);

  const CallLimits limits_;
  LruTable<Bucket> buckets_;
};

}  // namespace hail::limits
