// The port through which drivers are erased and exported, and old offers end. Asynchronous like DriverStore, with its
// errors.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/exec/done.h"
#include "driver-service/domain/offer.h"

namespace hail::driver {

struct ErasedProfile {
  // Whether there was one.
  bool existed = false;
  // The driver is online: nothing was deleted.
  bool online = false;
  // Above the epochs of all claims of the driver's session, and below those of a driver who registers with that id
  // later.
  std::int64_t session_epoch = 0;
};

// Thread-safe.
class PersonStore {
 public:
  virtual ~PersonStore() = default;

  // Deletes the profile of a driver who is offline, and the driver's records that this process has not written yet.
  virtual void EraseProfile(const std::string& driver_id, Done<ErasedProfile> done) = 0;

  // The driver's offers with ids above `after` (empty: from the start), in the order of ids; at most `limit`.
  virtual void OffersOf(const std::string& driver_id, const std::string& after, int limit,
                        Done<std::vector<OfferRecord>> done) = 0;

  // Deletes at most `limit` offers of the driver; their number.
  virtual void DeleteOffersOf(const std::string& driver_id, int limit, Done<int> done) = 0;

  // Deletes at most `limit` offers with ids below `before`; their number. The id of an offer begins with the wall time
  // at which it was made (UUIDv7).
  virtual void DeleteOffersBefore(const std::string& before, int limit, Done<int> done) = 0;

  // Removes what deleted values left in the store's files, as far as the store can.
  virtual void Scrub(Done<bool> done) = 0;
};

}  // namespace hail::driver
