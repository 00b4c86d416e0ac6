// A store that several driver-services of one test share: one SQLite store for the rows, and claims of sessions as in a
// store of several processes.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "driver-service/domain/driver_store.h"

namespace hail::driver {

// Thread-safe. Leases do not end by themselves.
class SharedStore final : public DriverStore {
 public:
  explicit SharedStore(DriverStore* rows) : rows_(rows) {}

  void Register(const Driver& driver, const std::string& replica, std::int64_t epoch, absl::Time now,
                absl::Time deadline, ClaimDone done) override {
    {
      absl::MutexLock lock(&mutex_);
      if (holds_profiles_) {
        held_.push_back([=, this] { Register(driver, replica, epoch, now, deadline, done); });
        return;
      }
    }
    const SessionClaim present = ClaimOf(driver.driver_id);
    const bool others = !present.replica.empty() && present.replica != replica && present.epoch != epoch;
    if (others) return rows_->GetSession(driver.driver_id, Answer(present, false, std::move(done)));
    rows_->Register(driver, replica, epoch, now, deadline, Answer(present, true, std::move(done)));
  }
  void Get(const std::string& driver_id, std::function<void(absl::StatusOr<StoredDriver>)> done) override {
    rows_->Get(driver_id, std::move(done));
  }
  void SetAvailability(const SessionClaim& session, Availability availability, absl::Time now, absl::Time deadline,
                       ClaimDone done) override {
    const SessionClaim present = ClaimOf(session.driver_id);
    if (present.replica != session.replica || present.epoch != session.epoch) {
      return rows_->GetSession(session.driver_id, Answer(present, false, std::move(done)));
    }
    rows_->SetAvailability(session, availability, now, deadline, Answer(present, true, std::move(done)));
  }
  void ClaimSession(const std::string& driver_id, const std::string& replica, const Opening&, ClaimDone done) override {
    Claim(driver_id, replica, /*by_stream=*/true, std::move(done));
  }
  void ClaimIdleSession(const std::string& driver_id, const std::string& replica, std::int64_t gone,
                        ClaimDone done) override {
    const SessionClaim present = ClaimOf(driver_id);
    if (!present.replica.empty() && present.replica != replica && present.epoch != gone) {
      return rows_->GetSession(driver_id, Answer(present, false, std::move(done)));
    }
    Claim(driver_id, replica, /*by_stream=*/false, std::move(done));
  }
  void GetSession(const std::string& driver_id, ClaimDone done) override {
    rows_->GetSession(driver_id, Answer(ClaimOf(driver_id), false, std::move(done)));
  }
  void RenewLease(const std::string& replica, std::function<void(absl::Status)> done) override {
    rows_->RenewLease(replica, std::move(done));
  }
  void EndLease(const std::string& replica, std::function<void(absl::Status)> done) override {
    rows_->EndLease(replica, std::move(done));
  }
  void RecentClaims(absl::Duration within,
                    std::function<void(absl::StatusOr<std::vector<SessionClaim>>)> done) override {
    rows_->RecentClaims(within, std::move(done));
  }
  void AppendOfferLog(OfferRecord record) override { rows_->AppendOfferLog(std::move(record)); }
  void FindOffer(const std::string& offer_id, FindOfferDone done) override {
    rows_->FindOffer(offer_id, std::move(done));
  }

  // Holds writes of profiles until ReleaseProfiles.
  void HoldProfiles() {
    absl::MutexLock lock(&mutex_);
    holds_profiles_ = true;
  }
  // Waits until a write of a profile is held.
  void AwaitHeld() {
    absl::MutexLock lock(&mutex_);
    const auto held = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return !held_.empty(); };
    mutex_.AwaitWithTimeout(absl::Condition(&held), absl::Seconds(30));
  }
  void ReleaseProfiles() {
    std::vector<std::function<void()>> held;
    {
      absl::MutexLock lock(&mutex_);
      holds_profiles_ = false;
      held.swap(held_);
    }
    for (const auto& write : held) write();
  }

  // Sets a claim, for instance of a replica outside the test.
  void SetClaim(const SessionClaim& claim) {
    absl::MutexLock lock(&mutex_);
    claims_[claim.driver_id] = claim;
  }
  SessionClaim ClaimOf(const std::string& driver_id) const {
    absl::MutexLock lock(&mutex_);
    const auto found = claims_.find(driver_id);
    return found == claims_.end() ? SessionClaim{.driver_id = driver_id} : found->second;
  }

 private:
  static ClaimDone Answer(const SessionClaim& session, bool claimed, ClaimDone done) {
    return [session, claimed, done = std::move(done)](absl::StatusOr<ClaimedSession> found) {
      if (!found.ok()) return done(found.status());
      done(ClaimedSession{found->stored, claimed, session});
    };
  }
  void Claim(const std::string& driver_id, const std::string& replica, bool by_stream, ClaimDone done) {
    rows_->GetSession(driver_id, [=, this](const absl::StatusOr<ClaimedSession>& found) {
      if (!found.ok()) return done(found.status());
      const SessionClaim claim{driver_id, ClaimOf(driver_id).epoch + 1, replica, by_stream};
      SetClaim(claim);
      done(ClaimedSession{found->stored, true, claim});
    });
  }

  DriverStore* const rows_;
  mutable absl::Mutex mutex_;
  std::map<std::string, SessionClaim> claims_ ABSL_GUARDED_BY(mutex_);
  bool holds_profiles_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::function<void()>> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hail::driver
