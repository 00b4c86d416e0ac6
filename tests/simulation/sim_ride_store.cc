#include "tests/simulation/sim_ride_store.h"

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>

#include "absl/time/time.h"
#include "common/errors/error.h"
#include "rider-service/domain/ride_refusals.h"
#include "rider-service/domain/validate_ride.h"

namespace hail::simulation {
namespace {

using rider::Created;
using rider::Cursor;
using rider::Decide;
using rider::Done;
using rider::DriverCatchUp;
using rider::DriverListing;
using rider::LiveRides;
using rider::Ride;
using rider::RideChange;
using rider::RideEvent;
using rider::RideEventType;
using rider::RideLog;
using rider::RidePage;
using rider::RiderListing;
using rider::RideState;

using FoundRide = std::optional<Ride>;
using Numbers = std::map<std::string, std::int64_t>;

constexpr int kQuoteKeyWords = 4;  // of 8 bytes
constexpr std::size_t kMaxDriverEvents = 256;
constexpr int kMaxAttempts = 8;

FoundRide CopyOf(const Ride* ride) { return ride == nullptr ? FoundRide() : FoundRide(*ride); }

// The ride that `index` names for `key`.
template <typename Index, typename Key>
const Ride* Lookup(const RideDisk& disk, const Index& index, const Key& key) {
  const auto at = index.find(key);
  return at == index.end() ? nullptr : disk.Find(at->second);
}

template <typename Index>
std::vector<const Ride*> LookupAll(const RideDisk& disk, const Index& index, const std::string& key) {
  std::vector<const Ride*> found;
  if (const auto at = index.find(key); at != index.end()) {
    for (const std::string& ride_id : at->second) found.push_back(disk.Find(ride_id));
  }
  return found;
}

RidePage FirstOf(const std::vector<const Ride*>& rides, int limit) {
  RidePage page;
  for (const Ride* ride : rides) {
    if (page.rides.size() == static_cast<std::size_t>(limit)) {
      page.more = true;
      break;
    }
    page.rides.push_back(*ride);
  }
  return page;
}

RidePage PageOfRider(const RideDisk& disk, const RiderListing& listing) {
  std::vector<const Ride*> rides = LookupAll(disk, disk.of_rider, listing.rider_id);
  std::erase_if(rides, [&](const Ride* ride) {
    const bool is_older = listing.before_ride_id.empty() || ride->ride_id() < listing.before_ride_id;
    const bool is_wanted = listing.states.empty() || std::find(listing.states.begin(), listing.states.end(),
                                                               ride->state()) != listing.states.end();
    return !is_older || !is_wanted;
  });
  std::reverse(rides.begin(), rides.end());
  return FirstOf(rides, listing.limit);
}

// The ride that the driver got by an event of `after` or later and gave up, in the last version that the driver saw;
// else nullptr.
const Ride* GivenUp(const RideDisk& disk, const std::string& driver_id, const std::string& ride_id,
                    std::int64_t after) {
  const auto& log = disk.events.at(ride_id);
  for (auto at = log.upper_bound(after); at != log.end(); ++at) {
    const RideEvent& event = at->second;
    if (event.type() == RideEventType::kRedispatched && event.driver_id == driver_id) return &*event.former;
  }
  return nullptr;
}

RidePage PageOfDriver(const RideDisk& disk, const DriverListing& listing) {
  // The place of an assignment in its driver's list (in microseconds), and its ride.
  using Place = std::tuple<std::int64_t, std::string, std::int64_t>;
  std::map<Place, const Ride*, std::greater<>> assigned;
  if (const auto of_driver = disk.events_of_driver.find(listing.driver_id); of_driver != disk.events_of_driver.end()) {
    for (const auto& [ride_id, sequence] : of_driver->second) {
      const RideEvent& event = disk.events.at(ride_id).at(sequence);
      if (event.type() != RideEventType::kAssigned) continue;
      const Ride* const given_up = GivenUp(disk, listing.driver_id, ride_id, sequence);
      assigned.emplace(Place(absl::ToUnixMicros(event.event_time()), ride_id, sequence),
                       given_up != nullptr ? given_up : disk.Find(ride_id));
    }
  }
  std::vector<const Ride*> rides;
  for (const auto& [place, ride] : assigned) {
    const std::pair<std::int64_t, std::string> before(std::get<0>(place), std::get<1>(place));
    if (listing.before_assign_time &&
        before >= std::pair(absl::ToUnixMicros(*listing.before_assign_time), listing.before_ride_id)) {
      continue;
    }
    rides.push_back(ride);
  }
  return FirstOf(rides, listing.limit);
}

// The ride's events above `after`, in order.
std::vector<RideEvent> EventsAfter(const RideDisk& disk, const std::string& ride_id, std::int64_t after) {
  std::vector<RideEvent> found;
  const auto log = disk.events.find(ride_id);
  if (log == disk.events.end()) return found;
  for (auto at = log->second.upper_bound(after); at != log->second.end(); ++at) found.push_back(at->second);
  return found;
}

std::vector<RideEvent> EventsOfDriver(const RideDisk& disk, const std::string& driver_id, std::int64_t after) {
  std::vector<RideEvent> found;
  const auto log = disk.events_of_driver.find(driver_id);
  if (log == disk.events_of_driver.end()) return found;
  for (std::size_t i = static_cast<std::size_t>(std::max<std::int64_t>(after, 0));
       i < log->second.size() && found.size() < kMaxDriverEvents; ++i) {
    const auto& [ride_id, sequence] = log->second[i];
    found.push_back(disk.events.at(ride_id).at(sequence));
  }
  return found;
}

DriverCatchUp CatchUp(const RideDisk& disk, const std::string& driver_id, const std::optional<Cursor>& cursor) {
  DriverCatchUp catch_up;
  catch_up.driver_sequence = disk.LastOfDriver(driver_id);
  catch_up.ride = CopyOf(Lookup(disk, disk.live_of_driver, driver_id));
  if (!cursor || cursor->ride_id.empty()) return catch_up;

  std::int64_t last = 0;
  for (RideEvent& event : EventsAfter(disk, cursor->ride_id, 0)) {
    if (event.driver_id != driver_id) continue;
    last = event.sequence();
    if (event.sequence() > cursor->sequence) catch_up.missed.push_back(std::move(event));
  }
  catch_up.reset = last == 0 || cursor->sequence > last;
  return catch_up;
}

absl::StatusOr<RideLog> Log(const RideDisk& disk, const std::string& ride_id,
                            const std::optional<std::int64_t>& after) {
  const Ride* ride = disk.Find(ride_id);
  if (ride == nullptr) return rider::NoSuchRide();
  RideLog log{.ride = *ride, .events = {}};
  if (after) log.events = EventsAfter(disk, ride_id, *after);
  return log;
}

// Checks that the adapters make when they read a row. Rows are never damaged here: the disk keeps them unchanged.
absl::Status Judge(const Ride& ride) {
  absl::Status whole = rider::ValidateRide(ride);
  return absl::IsUnavailable(whole) ? whole : absl::OkStatus();
}
absl::Status Judge(const FoundRide& ride) { return ride ? Judge(*ride) : absl::OkStatus(); }
absl::Status Judge(const RideEvent& event) {
  const absl::Status status = Judge(event.ride);
  return status.ok() ? Judge(event.former) : status;
}
template <typename T>
absl::Status Judge(const std::vector<T>& all) {
  for (const T& one : all) {
    if (absl::Status status = Judge(one); !status.ok()) return status;
  }
  return absl::OkStatus();
}
absl::Status Judge(const RidePage& page) { return Judge(page.rides); }
absl::Status Judge(const RideLog& log) {
  const absl::Status status = Judge(log.ride);
  return status.ok() ? Judge(log.events) : status;
}
absl::Status Judge(const DriverCatchUp& catch_up) {
  const absl::Status status = Judge(catch_up.ride);
  return status.ok() ? Judge(catch_up.missed) : status;
}

template <typename T>
absl::StatusOr<T> Judged(absl::StatusOr<T> read) {
  if (!read.ok()) return read;
  if (absl::Status status = Judge(*read); !status.ok()) return status;
  return read;
}

bool ToDispatch(const Ride& ride) {
  return ride.state() == RideState::kMatching || (ride.state() == RideState::kEnrouteToPickup && !ride.seen_time());
}

// The owner of the ride, if it is not `incarnation_id`.
std::string KeeperBeside(const RideDisk& disk, const std::string& ride_id, const std::string& incarnation_id) {
  const std::string& keeper = disk.keepers.at(ride_id);
  return keeper == incarnation_id ? "" : keeper;
}

std::map<RideState, LiveRides> CountLiveOn(const RideDisk& disk) {
  std::map<RideState, LiveRides> counts;
  for (const auto& [rider_id, ride_id] : disk.live_of_rider) {
    const Ride& ride = *disk.Find(ride_id);
    const absl::Time changed = absl::FromUnixMicros(absl::ToUnixMicros(ride.update_time()));
    auto [at, is_first] = counts.try_emplace(ride.state(), LiveRides{.count = 0, .oldest = changed});
    ++at->second.count;
    at->second.oldest = std::min(at->second.oldest, changed);
  }
  return counts;
}

}  // namespace

SimRideStore::SimRideStore(RideDisk* disk, Executor& executor, const Clock* clock,
                           std::function<std::uint64_t()> random, StoreFaults faults, std::string incarnation_id,
                           const Clock* own_clock)
    : clock_(clock),
      incarnation_id_(std::move(incarnation_id)),
      random_(Shared(std::move(random))),
      committer_(disk, executor, own_clock != nullptr ? own_clock : clock, random_, faults),
      readers_(disk, executor, random_, faults) {}

void SimRideStore::set_on_commit(
    std::function<void(const Ride*, const Ride&, const RideEvent*, const std::string&)> on_commit) {
  if (!on_commit) return committer_.set_on_commit(nullptr);
  committer_.set_on_commit([on_commit = std::move(on_commit)](const Row& row) {
    on_commit(row.before ? &*row.before : nullptr, row.after, row.event ? &*row.event : nullptr, row.what);
  });
}

void SimRideStore::set_faults(const StoreFaults& faults) {
  committer_.set_faults(faults);
  readers_.set_faults(faults);
}

absl::StatusOr<Created> SimRideStore::CreateOn(RideDisk& disk, const RideChange& change,
                                               const std::string& incarnation_id, std::vector<Row>* rows) {
  const Ride& ride = change.ride;
  if (const Ride* known = Lookup(disk, disk.by_request, std::pair(ride.rider_id(), ride.request_id()));
      known != nullptr) {
    if (absl::Status status = Judge(*known); !status.ok()) return status;
    if (known->request_fingerprint() == ride.request_fingerprint()) {
      return Created{.ride = *known,
                     .existed = true,
                     .keeper = KeeperBeside(disk, known->ride_id(), incarnation_id),
                     .event = std::nullopt};
    }
    return rider::RequestIdReused(known->ride_id());
  }
  if (const Ride* live = Lookup(disk, disk.live_of_rider, ride.rider_id()); live != nullptr) {
    if (absl::Status status = Judge(*live); !status.ok()) return status;
    return rider::RiderBusy(live->ride_id());
  }
  if (disk.by_quote.count(ride.quote_id()) > 0) {
    return rider::QuoteUsed();
  }
  Created created{.ride = ride, .existed = false, .keeper = "", .event = change.event};
  if (absl::Status status = disk.Insert(ride, *created.event); !status.ok()) return status;
  disk.keepers[ride.ride_id()] = incarnation_id;
  rows->push_back({.before = std::nullopt, .after = created.ride, .event = created.event, .what = "create"});
  return created;
}

absl::StatusOr<rider::Changed> SimRideStore::ChangeOn(RideDisk& disk, const std::string& ride_id, const Decide& decide,
                                                      const std::string& incarnation_id, std::vector<Row>* rows) {
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    const FoundRide before = CopyOf(disk.Find(ride_id));
    if (!before) return rider::NoSuchRide();
    if (absl::Status status = Judge(before); !status.ok()) return status;
    absl::StatusOr<RideChange> change = decide(*before);
    if (!change.ok()) return change.status();
    rider::Changed changed{.ride = std::move(change->ride),
                           .event = std::move(change->event),
                           .changed = change->changed,
                           .keeper = KeeperBeside(disk, ride_id, incarnation_id)};
    if (!changed.changed) return changed;
    if (changed.ride.driver() != nullptr && !changed.ride.offer_id().empty() &&
        changed.ride.offer_id() != before->offer_id() &&
        disk.denied_offers.contains({changed.ride.offer_id(), changed.ride.driver()->driver_id()})) {
      return rider::OfferDenied();
    }

    const absl::StatusOr<RideDisk::Outcome> outcome = disk.Update(*before, changed.ride, changed.event);
    if (!outcome.ok()) return outcome.status();
    if (*outcome == RideDisk::Outcome::kDriverBusy) {
      return rider::DriverBusy();
    }
    if (*outcome == RideDisk::Outcome::kDone) {
      disk.keepers[ride_id] = incarnation_id;
      rows->push_back({.before = *before, .after = changed.ride, .event = changed.event, .what = "change"});
      return changed;
    }
  }
  return rider::ConcurrentModification();
}

void SimRideStore::Create(RideChange change, absl::Time deadline, Done<Created> done) {
  committer_.Submit<Created>(
      deadline,
      [change = std::move(change), keeper = incarnation_id_](RideDisk& disk, std::vector<Row>* rows) {
        return CreateOn(disk, change, keeper, rows);
      },
      std::move(done));
}

void SimRideStore::Change(std::string ride_id, Decide decide, absl::Time deadline, Done<rider::Changed> done) {
  committer_.Submit<rider::Changed>(
      deadline,
      [ride_id = std::move(ride_id), decide = std::move(decide), keeper = incarnation_id_](
          RideDisk& disk, std::vector<Row>* rows) { return ChangeOn(disk, ride_id, decide, keeper, rows); },
      std::move(done));
}

void SimRideStore::QuoteKey(Done<std::string> done) {
  committer_.Submit<std::string>(
      absl::InfiniteFuture(),
      [random = random_](RideDisk& disk, std::vector<Row>*) {
        if (!disk.quote_key) {
          std::string key;
          for (int i = 0; i < kQuoteKeyWords; ++i) {
            const std::uint64_t word = random();
            for (int shift = 0; shift < 64; shift += 8) key.push_back(static_cast<char>(word >> shift & 0xff));
          }
          disk.quote_key = std::move(key);
        }
        return *disk.quote_key;
      },
      std::move(done));
}

void SimRideStore::ById(std::string ride_id, Done<FoundRide> done) {
  readers_.Submit<FoundRide>(
      [ride_id = std::move(ride_id)](const RideDisk& disk) { return Judged<FoundRide>(CopyOf(disk.Find(ride_id))); },
      std::move(done));
}

void SimRideStore::ByRequest(std::string rider_id, std::string request_id, Done<FoundRide> done) {
  readers_.Submit<FoundRide>(
      [request = std::pair(std::move(rider_id), std::move(request_id))](const RideDisk& disk) {
        return Judged<FoundRide>(CopyOf(Lookup(disk, disk.by_request, request)));
      },
      std::move(done));
}

void SimRideStore::ActiveOfRider(std::string rider_id, Done<FoundRide> done) {
  readers_.Submit<FoundRide>(
      [rider_id = std::move(rider_id)](const RideDisk& disk) {
        return Judged<FoundRide>(CopyOf(Lookup(disk, disk.live_of_rider, rider_id)));
      },
      std::move(done));
}

void SimRideStore::ByOffer(std::string driver_id, std::string offer_id, Done<FoundRide> done) {
  committer_.Submit<FoundRide>(
      absl::InfiniteFuture(),
      [driver_id = std::move(driver_id), offer_id = std::move(offer_id)](RideDisk& disk, std::vector<Row>*) {
        for (const Ride* ride : LookupAll(disk, disk.of_driver, driver_id)) {
          if (ride->offer_id() == offer_id) return Judged<FoundRide>(*ride);
        }
        if (const auto log = disk.events_of_driver.find(driver_id); log != disk.events_of_driver.end()) {
          for (auto at = log->second.rbegin(); at != log->second.rend(); ++at) {
            const RideEvent& event = disk.events.at(at->first).at(at->second);
            if (event.type() == RideEventType::kRedispatched && event.former->offer_id() == offer_id) {
              return Judged<FoundRide>(*event.former);
            }
          }
        }
        disk.denied_offers.insert({offer_id, driver_id});
        return absl::StatusOr<FoundRide>(FoundRide());
      },
      std::move(done));
}

void SimRideStore::ListOfRider(RiderListing listing, Done<RidePage> done) {
  readers_.Submit<RidePage>(
      [listing = std::move(listing)](const RideDisk& disk) { return Judged<RidePage>(PageOfRider(disk, listing)); },
      std::move(done));
}

void SimRideStore::ListOfDriver(DriverListing listing, Done<RidePage> done) {
  readers_.Submit<RidePage>(
      [listing = std::move(listing)](const RideDisk& disk) { return Judged<RidePage>(PageOfDriver(disk, listing)); },
      std::move(done));
}

void SimRideStore::ReadLog(std::string ride_id, std::optional<std::int64_t> after, Done<RideLog> done) {
  readers_.Submit<RideLog>([ride_id = std::move(ride_id),
                            after](const RideDisk& disk) { return Judged<RideLog>(Log(disk, ride_id, after)); },
                           std::move(done));
}

void SimRideStore::ReadDriver(std::string driver_id, std::optional<Cursor> cursor, Done<DriverCatchUp> done) {
  readers_.Submit<DriverCatchUp>(
      [driver_id = std::move(driver_id), cursor = std::move(cursor)](const RideDisk& disk) {
        return Judged<DriverCatchUp>(CatchUp(disk, driver_id, cursor));
      },
      std::move(done));
}

void SimRideStore::ReadDriverEvents(std::string driver_id, std::int64_t after, Done<std::vector<RideEvent>> done) {
  readers_.Submit<std::vector<RideEvent>>(
      [driver_id = std::move(driver_id), after](const RideDisk& disk) {
        return Judged<std::vector<RideEvent>>(EventsOfDriver(disk, driver_id, after));
      },
      std::move(done));
}

void SimRideStore::Sequences(std::vector<std::string> ride_ids, Done<Numbers> done) {
  readers_.Submit<Numbers>(
      [ride_ids = std::move(ride_ids)](const RideDisk& disk) {
        Numbers numbers;
        for (const std::string& ride_id : ride_ids) {
          if (const Ride* ride = disk.Find(ride_id); ride != nullptr) numbers[ride_id] = ride->sequence();
        }
        return numbers;
      },
      std::move(done));
}

void SimRideStore::DriverSequences(std::vector<std::string> driver_ids, Done<Numbers> done) {
  readers_.Submit<Numbers>(
      [driver_ids = std::move(driver_ids)](const RideDisk& disk) {
        Numbers numbers;
        for (const std::string& driver_id : driver_ids) numbers[driver_id] = disk.LastOfDriver(driver_id);
        return numbers;
      },
      std::move(done));
}

void SimRideStore::Dispatchable(Done<std::vector<Ride>> done) { ReadDispatchable(/*own=*/true, std::move(done)); }

void SimRideStore::Orphans(Done<std::vector<Ride>> done) { ReadDispatchable(/*own=*/false, std::move(done)); }

void SimRideStore::ReadDispatchable(bool own, Done<std::vector<Ride>> done) {
  readers_.Submit<std::vector<Ride>>(
      [this, own](const RideDisk& disk) {
        const absl::Time now = clock_->Read().wall;
        std::vector<Ride> found;
        for (const auto& [ride_id, ride] : disk.rides) {
          const std::string& keeper = disk.keepers.at(ride_id);
          const bool wanted = !shared() || (keeper == incarnation_id_ ? own : !disk.leases.IsAlive(keeper, now));
          if (ToDispatch(ride) && wanted) found.push_back(ride);
        }
        return found;
      },
      std::move(done));
}

void SimRideStore::RenewLease(absl::Duration lease, std::function<void(absl::Status)> done) {
  committer_.Submit<bool>(
      absl::InfiniteFuture(),
      [this, lease](RideDisk& disk, std::vector<Row>*) -> absl::StatusOr<bool> {
        if (lease <= absl::ZeroDuration()) {
          disk.leases.End(incarnation_id_);
          return true;
        }
        const absl::Status renewed = disk.leases.Renew(incarnation_id_, clock_->Read().wall + lease);
        if (!renewed.ok()) return renewed;
        return true;
      },
      [done = std::move(done)](const absl::StatusOr<bool>& renewed) { done(renewed.status()); });
}

void SimRideStore::KeptElsewhere(std::vector<std::string> ride_ids, Done<std::vector<Ride>> done) {
  readers_.Submit<std::vector<Ride>>(
      [this, ride_ids = std::move(ride_ids)](const RideDisk& disk) {
        std::vector<Ride> found;
        for (const std::string& ride_id : ride_ids) {
          const Ride* const ride = disk.Find(ride_id);
          if (ride != nullptr && disk.keepers.at(ride_id) != incarnation_id_) found.push_back(*ride);
        }
        return found;
      },
      std::move(done));
}

void SimRideStore::CountLive(Done<std::map<RideState, LiveRides>> done) {
  readers_.Submit<std::map<RideState, LiveRides>>(CountLiveOn, std::move(done));
}

}  // namespace hail::simulation
