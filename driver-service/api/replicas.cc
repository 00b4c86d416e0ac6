#include "driver-service/api/replicas.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/logging/log.h"
#include "common/time/lease.h"
#include "driver-service/codec/replica_codec.h"

namespace hail::driver {
namespace {

// Wall time.
constexpr absl::Duration kCheckEvery = absl::Seconds(2);
// A claim takes effect at its commit, which is some time after its timestamp.
constexpr absl::Duration kCheckBack = absl::Seconds(10);
// Minimum interval between batches of presences.
constexpr absl::Duration kPresencesApart = absl::Milliseconds(5);

constexpr char kToAll[] = "replicas";
std::string TopicOf(const std::string& replica) { return absl::StrCat("replica.", TopicWord(replica)); }

// Set while this thread publishes: a local bus delivers to its own process at once, and a replica ignores its own
// messages.
thread_local bool publishing = false;

}  // namespace

Replicas::Replicas(Parts parts) : parts_(std::move(parts)), own_topic_(TopicOf(parts_.replica)) {}

void Replicas::Start(std::function<void()> on_lease) {
  to_all_ = parts_.bus.Subscribe(kToAll, [this](const BusPayload& payload) { OnPayload(payload); });
  to_this_ = parts_.bus.Subscribe(own_topic_, [this](const BusPayload& payload) { OnPayload(payload); });
  Executor& loop = parts_.host.loop();
  parts_.presences.SetOnDirty([this, &loop] {
    loop.PostAfter(kPresencesApart, [this] {
      if (stopped_) return;
      for (const Presences& presences : parts_.presences.Take()) ToReplicas(presences);
    });
  });
  loop.Post([this, &loop, on_lease = std::move(on_lease)] {
    checked_ = parts_.clock.Read().wall;
    RenewLease(on_lease);
    loop.Every(kRenewLeaseEvery, [this] { RenewLease(nullptr); });
    loop.Every(kCheckEvery, [this] { CheckClaims(); });
  });
}

void Replicas::Stop() {
  if (to_all_ == nullptr) return;
  to_all_.reset();
  to_this_.reset();
  parts_.presences.SetOnDirty(nullptr);
  absl::Notification ended;
  const bool posted = parts_.host.loop().Post([this, &ended] {
    stopped_ = true;
    parts_.store.EndLease(parts_.replica, [](const absl::Status&) {});
    ended.Notify();
  });
  if (posted) ended.WaitForNotification();
}

void Replicas::ToReplica(const std::string& replica, const ReplicaMessage& message) {
  Publish(TopicOf(replica), message);
}

void Replicas::ToReplicas(const ReplicaMessage& message) { Publish(kToAll, message); }

void Replicas::Publish(const std::string& topic, const ReplicaMessage& message) {
  if (stopped_) return;
  publishing = true;
  parts_.bus.Publish(
      topic, std::make_shared<const std::string>(ReplicaBytes(parts_.replica, message, parts_.clock.Read().domain)));
  publishing = false;
}

void Replicas::OnPayload(const BusPayload& payload) {
  if (publishing) return;
  auto received = ReplicaMessageFromBytes(*payload, parts_.clock.Read().domain);
  if (!received.ok()) {
    Log(LogLevel::kWarn, "bad_bus_payload", {{"status", received.status()}});
    return;
  }
  parts_.host.Post([said = std::make_shared<const std::pair<std::string, ReplicaMessage>>(*std::move(received))](
                       Dispatch& core, Now now) { core.OnReplicaMessage(now, said->first, said->second); });
}

void Replicas::RenewLease(std::function<void()> done) {
  // One renewal at a time, so that a slow store does not get more of them.
  if (stopped_ || std::exchange(renewing_, true)) return;
  parts_.store.RenewLease(parts_.replica, [this, done = std::move(done)](const absl::Status& status) {
    parts_.host.loop().Post([this, status] {
      renewing_ = false;
      // After Stop the lease is not renewed, so that is no error.
      if (!status.ok() && !stopped_) Log(LogLevel::kWarn, "lease_not_renewed", {{"status", status}});
    });
    if (done) done();
  });
}

void Replicas::CheckClaims() {
  if (stopped_ || std::exchange(checking_, true)) return;
  const absl::Time now = parts_.clock.Read().wall;
  // Looks further back after failed checks.
  const absl::Duration within = kCheckBack + std::max(absl::ZeroDuration(), now - checked_);
  parts_.store.RecentClaims(within, [this, now](const absl::StatusOr<std::vector<SessionClaim>>& claims) {
    if (!claims.ok()) Log(LogLevel::kWarn, "claims_not_read", {{"status", claims.status()}});
    parts_.host.Post([this, now, claims](Dispatch& core, Now present) {
      checking_ = false;
      if (!claims.ok()) return;
      checked_ = now;
      core.OnClaims(present, *claims);
    });
  });
}

}  // namespace hail::driver
