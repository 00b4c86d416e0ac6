// What stays of a ride after a person was erased from it. The trip is kept for tax and insurance: states, times,
// prices, and places to about a kilometre. Pure functions, thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "rider-service/domain/ride_store.h"

namespace hail::rider {

enum class PersonKind { kRider, kDriver };

// Names that take the place of erased ids. A person has another pseudonym in each ride, so erased rides do not add up
// to a person's movements. Somebody with the key and an id can still compute whether a ride was that person's.
class Pseudonyms {
 public:
  explicit Pseudonyms(std::string key) : key_(std::move(key)) {}

  // "erased-" and 32 hexadecimal digits. Deterministic.
  std::string Of(PersonKind kind, std::string_view id, std::string_view ride_id) const;

 private:
  const std::string key_;
};

// The log (with all its events) without its rider: the ids of rider, request and quote, name, labels, addresses, notes,
// and the exact places.
RideLog WithoutRider(RideLog log, const Pseudonyms& pseudonyms);

// The log (with all its events) without that driver: id, name, car, notes.
RideLog WithoutDriver(RideLog log, const std::string& driver_id, const Pseudonyms& pseudonyms);

// The log without its rider and without any of its drivers.
RideLog WithoutPersons(RideLog log, const Pseudonyms& pseudonyms);

}  // namespace hail::rider
