// The rights of the persons whose data the store has: to have it erased, and to get all of it; and the end of its
// retention. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "rider-service/domain/erasure.h"
#include "rider-service/domain/person_store.h"
#include "rider-service/domain/ride_store.h"

namespace hail::rider {

class People {
 public:
  // What the store has of a person, ride by ride.
  struct Exported {
    // As the person may see them (view.h): whole rides, with all events that are the person's.
    std::vector<RideLog> rides;
    // Empty: no more rides.
    std::string next_page_token;
  };
  struct Coarsened {
    // Rides without persons from now on.
    int rides = 0;
    // Rides that could not be read or changed; the first error.
    int failed = 0;
    absl::Status error;
    // The next call's `after`; empty: none is left.
    std::string after;
  };

  // The stores must outlive every call.
  People(RideStore* rides, PersonStore* persons, Pseudonyms pseudonyms)
      : rides_(rides), persons_(persons), pseudonyms_(std::move(pseudonyms)) {}

  // Erases a person from all rides; the number of rides of which this call did so. Repeat it after any error: it goes
  // on with what is left. INVALID_FIELD; RIDER_BUSY or DRIVER_BUSY (metadata ride_id) while a ride of the person is
  // live (for a driver also one that he gave up).
  void Erase(PersonKind kind, std::string id, Done<int> done);

  // One page. INVALID_FIELD.
  void Export(PersonKind kind, std::string id, std::string page_token, Done<Exported> done);

  // Erases all persons from ended rides whose id is above `after` and below `before`, a few dozen of them at most. A
  // ride that cannot be changed now is passed over.
  void Coarsen(std::string before, std::string after, Done<Coarsened> done);

 private:
  struct Erasing;
  struct Exporting;

  void EraseSome(std::shared_ptr<Erasing> erasing);
  void ExportNext(std::shared_ptr<Exporting> exporting);
  // Rewrites the rides, all at once; `done` gets the result of each.
  void RewriteAll(const std::vector<std::string>& ride_ids, const Rewrite& rewrite, bool coarse,
                  Done<std::vector<absl::StatusOr<bool>>> done);

  RideStore* const rides_;
  PersonStore* const persons_;
  const Pseudonyms pseudonyms_;
};

}  // namespace hail::rider
