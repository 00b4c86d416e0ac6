#include "tests/simulation/sim_driver_store.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "common/errors/error.h"

namespace hail::simulation {
namespace {

using driver::Availability;
using driver::ClaimedSession;
using driver::Driver;
using driver::OfferRecord;
using driver::Opening;
using driver::SessionClaim;
using driver::StoredDriver;

constexpr std::size_t kRecordsPerJob = 500;

// Times are stored in microseconds.
absl::Time AsKept(absl::Time time) { return absl::FromUnixMicros(absl::ToUnixMicros(time)); }

OfferRecord AsKept(OfferRecord record) {
  record.made_time = AsKept(record.made_time);
  record.settled_time = AsKept(record.settled_time);
  record.pickup_eta = absl::Trunc(record.pickup_eta, absl::Microseconds(1));
  return record;
}

absl::StatusOr<StoredDriver> Find(const DriverDisk& disk, const std::string& driver_id) {
  const auto at = disk.drivers.find(driver_id);
  if (at == disk.drivers.end()) return NotFound(Reason::kDriverNotFound, "no such driver; register first");
  return at->second;
}

// Whether another driver is online with the plate of `driver`.
bool PlateTaken(const DriverDisk& disk, const Driver& driver) {
  const std::string plate = driver::NormalPlate(driver.vehicle.plate);
  return !plate.empty() && std::any_of(disk.drivers.begin(), disk.drivers.end(), [&](const auto& entry) {
    const StoredDriver& other = entry.second;
    return entry.first != driver.driver_id && other.availability == Availability::kOnline &&
           driver::NormalPlate(other.driver.vehicle.plate) == plate;
  });
}

SessionClaim ClaimIn(const DriverDisk& disk, const std::string& driver_id) {
  const auto at = disk.sessions.find(driver_id);
  return at == disk.sessions.end() ? SessionClaim{driver_id} : at->second.claim;
}

}  // namespace

SimDriverStore::SimDriverStore(DriverDisk* disk, Executor& executor, const Clock* clock,
                               std::function<std::uint64_t()> random, StoreFaults faults, const Clock* own_clock,
                               std::size_t max_waiting_records)
    : clock_(clock),
      max_waiting_records_(max_waiting_records),
      random_(Shared(std::move(random))),
      committer_(disk, executor, own_clock != nullptr ? own_clock : clock, random_, faults),
      readers_(disk, executor, random_, faults) {
  committer_.set_on_commit([this](const Row& row) { OnCommit(row); });
}

void SimDriverStore::set_on_commit(
    std::function<void(const StoredDriver*, const StoredDriver&, const std::string&)> on_commit) {
  on_commit_ = std::move(on_commit);
}

void SimDriverStore::OnCommit(const Row& row) {
  // Each of the two hooks may destroy this object.
  if (row.claimed_before.has_value()) {
    if (const auto on_claim = on_claim_; on_claim) on_claim(*row.claimed_before, row.claimed);
  } else if (const auto on_commit = on_commit_; on_commit) {
    on_commit(row.before ? &*row.before : nullptr, row.after, row.what);
  }
}

void SimDriverStore::set_faults(const StoreFaults& faults) {
  committer_.set_faults(faults);
  readers_.set_faults(faults);
}

void SimDriverStore::Register(const Driver& driver, const std::string& replica, std::int64_t epoch, absl::Time now,
                              absl::Time deadline, ClaimDone done) {
  committer_.Submit<ClaimedSession>(
      deadline,
      [this, driver, replica, epoch, now](DriverDisk& disk, std::vector<Row>* rows) -> absl::StatusOr<ClaimedSession> {
        absl::StatusOr<StoredDriver> known = Find(disk, driver.driver_id);
        if (!known.ok()) {
          StoredDriver added{.driver = driver, .availability = Availability::kOffline};
          added.driver.create_time = added.driver.update_time = AsKept(now);
          added.driver.version = 0;
          disk.drivers.emplace(driver.driver_id, added);
          rows->push_back({.before = std::nullopt, .after = added, .what = "register"});
          return ClaimedSession{added, true, ClaimIn(disk, driver.driver_id)};
        }
        SessionClaim session = ClaimIn(disk, driver.driver_id);
        const bool alive = !session.replica.empty() && disk.leases.IsAlive(session.replica, clock_->Read().wall);
        if (driver::SameProfile(known->driver, driver)) return ClaimedSession{*known, true, session};
        if (alive && session.epoch != epoch) return ClaimedSession{*known, false, session};
        if (known->availability == Availability::kOnline && PlateTaken(disk, driver)) return driver::PlateInUse();
        StoredDriver& row = disk.drivers.at(driver.driver_id);
        const StoredDriver before = row;
        row.driver = driver;
        row.driver.create_time = before.driver.create_time;
        row.driver.update_time = AsKept(now);
        row.driver.version = before.driver.version + 1;
        rows->push_back({.before = before, .after = row, .what = "register"});
        // The session of another replica ends.
        if (!session.replica.empty() && session.replica != replica) {
          const SessionClaim ended = session;
          session = {driver.driver_id, session.epoch + 1};
          disk.sessions[driver.driver_id].claim = session;
          disk.sessions[driver.driver_id].claimed = clock_->Read().wall;
          rows->push_back({.claimed_before = ended, .claimed = session});
        }
        return ClaimedSession{row, true, session};
      },
      std::move(done));
}

void SimDriverStore::Get(const std::string& driver_id, Done done) {
  readers_.Submit<StoredDriver>([driver_id](const DriverDisk& disk) { return Find(disk, driver_id); }, std::move(done));
}

void SimDriverStore::SetAvailability(const SessionClaim& session, Availability availability, absl::Time now,
                                     absl::Time deadline, ClaimDone done) {
  committer_.Submit<ClaimedSession>(
      deadline,
      [this, session, availability, now](DriverDisk& disk, std::vector<Row>* rows) -> absl::StatusOr<ClaimedSession> {
        const absl::StatusOr<StoredDriver> before = Find(disk, session.driver_id);
        if (!before.ok()) return before.status();
        const SessionClaim present = ClaimIn(disk, session.driver_id);
        if (present.replica != session.replica || present.epoch != session.epoch) {
          if (on_moved_) on_moved_();
          return ClaimedSession{*before, false, present};
        }
        if (before->availability == availability) return ClaimedSession{*before, true, present};
        if (availability == Availability::kOnline && PlateTaken(disk, before->driver)) return driver::PlateInUse();
        StoredDriver& row = disk.drivers.at(session.driver_id);
        row.availability = availability;
        row.driver.update_time = AsKept(now);
        ++row.driver.version;
        rows->push_back({.before = *before, .after = row, .what = "set_availability"});
        return ClaimedSession{row, true, present};
      },
      std::move(done));
}

void SimDriverStore::GetSession(const std::string& driver_id, ClaimDone done) {
  readers_.Submit<ClaimedSession>(
      [this, driver_id](const DriverDisk& disk) -> absl::StatusOr<ClaimedSession> {
        absl::StatusOr<StoredDriver> stored = Find(disk, driver_id);
        if (!stored.ok()) return stored.status();
        SessionClaim session = ClaimIn(disk, driver_id);
        if (!disk.leases.IsAlive(session.replica, clock_->Read().wall)) session.replica.clear();
        return ClaimedSession{*std::move(stored), false, session};
      },
      std::move(done));
}

void SimDriverStore::ClaimSession(const std::string& driver_id, const std::string& replica, const Opening& opening,
                                  ClaimDone done) {
  Claim(
      driver_id, replica, opening,
      [opening](const DriverDisk&, const DriverDisk::Session& session) {
        return opening.incarnation_id.empty() || session.opening.incarnation_id != opening.incarnation_id ||
               session.opening.number <= opening.number;
      },
      std::move(done));
}

void SimDriverStore::ClaimIdleSession(const std::string& driver_id, const std::string& replica, std::int64_t gone,
                                      ClaimDone done) {
  Claim(
      driver_id, replica, std::nullopt,
      [this, replica, gone](const DriverDisk& disk, const DriverDisk::Session& session) {
        const SessionClaim& claim = session.claim;
        if (claim.replica.empty() || claim.replica == replica || claim.epoch == gone) return true;
        return !disk.leases.IsAlive(claim.replica, clock_->Read().wall);
      },
      std::move(done));
}

void SimDriverStore::Claim(const std::string& driver_id, const std::string& replica, std::optional<Opening> opening,
                           std::function<bool(const DriverDisk&, const DriverDisk::Session&)> may, ClaimDone done) {
  committer_.Submit<ClaimedSession>(
      absl::InfiniteFuture(),
      [this, driver_id, replica, opening, may = std::move(may)](
          DriverDisk& disk, std::vector<Row>* rows) -> absl::StatusOr<ClaimedSession> {
        absl::StatusOr<StoredDriver> stored = Find(disk, driver_id);
        if (!stored.ok()) return stored.status();
        const auto at = disk.sessions.find(driver_id);
        DriverDisk::Session session = at == disk.sessions.end() ? DriverDisk::Session() : at->second;
        session.claim.driver_id = driver_id;
        const bool claimed = may(disk, session);
        if (claimed) {
          const SessionClaim before = session.claim;
          ++session.claim.epoch;
          session.claim.replica = replica;
          session.claim.by_stream = opening.has_value();
          if (opening.has_value()) session.opening = *opening;
          session.claimed = clock_->Read().wall;
          disk.sessions[driver_id] = session;
          rows->push_back({.claimed_before = before, .claimed = session.claim});
        }
        return ClaimedSession{*std::move(stored), claimed, session.claim};
      },
      std::move(done));
}

void SimDriverStore::RenewLease(const std::string& replica, std::function<void(absl::Status)> done) {
  Change([this, replica](DriverDisk& disk) { return disk.leases.Renew(replica, clock_->Read().wall + kLeaseTime); },
         std::move(done));
}

void SimDriverStore::EndLease(const std::string& replica, std::function<void(absl::Status)> done) {
  Change(
      [replica](DriverDisk& disk) {
        disk.leases.End(replica);
        return absl::OkStatus();
      },
      std::move(done));
}

void SimDriverStore::Change(std::function<absl::Status(DriverDisk&)> change, std::function<void(absl::Status)> done) {
  committer_.Submit<bool>(
      absl::InfiniteFuture(),
      [change = std::move(change)](DriverDisk& disk, std::vector<Row>*) -> absl::StatusOr<bool> {
        const absl::Status status = change(disk);
        if (!status.ok()) return status;
        return true;
      },
      [done = std::move(done)](const absl::StatusOr<bool>& changed) { done(changed.status()); });
}

void SimDriverStore::RecentClaims(absl::Duration within,
                                  std::function<void(absl::StatusOr<std::vector<SessionClaim>>)> done) {
  readers_.Submit<std::vector<SessionClaim>>(
      [this, within](const DriverDisk& disk) {
        std::vector<SessionClaim> claims;
        for (const auto& [driver_id, session] : disk.sessions) {
          if (session.claimed > clock_->Read().wall - within) claims.push_back(session.claim);
        }
        return claims;
      },
      std::move(done));
}

void SimDriverStore::AppendOfferLog(OfferRecord record) {
  waiting_.push_back(std::move(record));
  if (waiting_.size() > max_waiting_records_) {
    waiting_.pop_front();
    ++lost_;
  }
  FlushRecords();
}

void SimDriverStore::FindOffer(const std::string& offer_id, FindOfferDone done) {
  readers_.Submit<std::optional<driver::LoggedOffer>>(
      [offer_id](const DriverDisk& disk) {
        const auto logged = disk.offers.find(offer_id);
        if (logged == disk.offers.end()) return std::optional<driver::LoggedOffer>();
        const OfferRecord& record = logged->second;
        return std::optional<driver::LoggedOffer>({record.driver_id, record.ride_id, record.outcome, record.reason});
      },
      std::move(done));
}

void SimDriverStore::FlushRecords() {
  if (writing_ || waiting_.empty()) return;
  writing_ = true;
  const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(waiting_.size(), kRecordsPerJob));
  std::vector<OfferRecord> records(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
  waiting_.erase(waiting_.begin(), end);
  const std::size_t count = records.size();
  committer_.Submit<bool>(
      absl::InfiniteFuture(),
      [records = std::move(records)](DriverDisk& disk, std::vector<Row>*) {
        for (const OfferRecord& record : records) disk.offers.emplace(record.offer_id, AsKept(record));
        return true;
      },
      [this, count](absl::StatusOr<bool> written) {
        writing_ = false;
        if (!written.ok()) lost_ += count;
        if (written.ok()) FlushRecords();
      });
}

}  // namespace hail::simulation
