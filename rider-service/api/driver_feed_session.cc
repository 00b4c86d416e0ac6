#include "rider-service/api/driver_feed_session.h"

#include <utility>

#include "common/errors/error.h"
#include "common/logging/log.h"
#include "common/logging/person_tag.h"
#include "rider-service/api/api_codec.h"

namespace hail::rider {

using hail::internal::v1::WatchDriversResponse;

std::shared_ptr<DriverFeedSession> DriverFeedSession::Open(const SessionPorts& ports, std::shared_ptr<Sink> sink) {
  std::shared_ptr<DriverFeedSession> session(new DriverFeedSession(ports, std::move(sink)));
  ports.checks->AddDriverFeed(session);
  return session;
}

void DriverFeedSession::Subscribe(const hail::internal::v1::SubscribeDriver& subscribe) {
  const std::string driver_id = subscribe.driver_id();
  std::uint64_t number = 0;
  {
    absl::MutexLock lock(&mutex_);
    if (sink_ == nullptr) return;
    number = next_number_++;
    DriverFeed::Out* const out = this;
    auto watch =
        std::make_unique<DriverWatch>(number, driver_id, subscribe.subscription(), DecodeCursor(subscribe), out);
    std::unique_ptr<DriverWatch>& slot = drivers_[driver_id];
    if (slot != nullptr) Retire(std::move(slot->bus_subscription));
    slot = std::move(watch);
  }
  // Not under the lock: the bus may call back on any publisher's thread.
  std::shared_ptr<Bus::Subscription> bus_subscription = ports_.bus->Subscribe(
      DriverTopic(driver_id), [weak = weak_from_this(), driver_id, number](const BusPayload& payload) {
        const auto self = weak.lock();
        if (self == nullptr) return;
        const absl::StatusOr<RideEvent> event = self->ports_.codec->Decode(*payload);
        if (!event.ok()) {
          Log(LogLevel::kError, "bad_bus_payload", {{"driver", PersonTag(driver_id)}, {"status", event.status()}});
          return;
        }
        self->Feed(driver_id, number, [&event](DriverFeed& feed) { feed.OnEvent(*event); });
      });
  {
    absl::MutexLock lock(&mutex_);
    const auto found = drivers_.find(driver_id);
    if (found == drivers_.end() || found->second->number != number) {
      Retire(std::move(bus_subscription));
      return;
    }
    found->second->bus_subscription = std::move(bus_subscription);
  }
  Feed(driver_id, number, [](DriverFeed& feed) { feed.Begin(); });
}

void DriverFeedSession::Unsubscribe(const std::string& driver_id) {
  absl::MutexLock lock(&mutex_);
  const auto found = drivers_.find(driver_id);
  if (found == drivers_.end()) return;
  Retire(std::move(found->second->bus_subscription));
  drivers_.erase(found);
}

void DriverFeedSession::Close() {
  absl::MutexLock lock(&mutex_);
  sink_ = nullptr;
  for (auto& [driver_id, watch] : drivers_) Retire(std::move(watch->bus_subscription));
  drivers_.clear();
}

void DriverFeedSession::Retire(std::shared_ptr<Bus::Subscription> subscription) {
  if (subscription != nullptr) ports_.housekeeping->Post([subscription = std::move(subscription)] {});
}

std::vector<std::string> DriverFeedSession::Watched() const {
  absl::MutexLock lock(&mutex_);
  std::vector<std::string> ids;
  ids.reserve(drivers_.size());
  for (const auto& [driver_id, watch] : drivers_) ids.push_back(driver_id);
  return ids;
}

void DriverFeedSession::OnStoreSequences(const StoreSequences& sequences) {
  std::vector<WantedRead> wanted;
  {
    absl::MutexLock lock(&mutex_);
    if (sink_ == nullptr) return;
    for (auto& [driver_id, watch] : drivers_) {
      const auto found = sequences.find(driver_id);
      watch->feed.OnStoreSequence(found == sequences.end() ? 0 : found->second);
    }
    wanted = std::exchange(wanted_, {});
  }
  AskFor(std::move(wanted));
}

void DriverFeedSession::OnStoreAway() {
  if (!ports_.store->shared()) return;
  absl::MutexLock lock(&mutex_);
  if (sink_ != nullptr) sink_->Finish(Unavailable(Reason::kStoreUnavailable, "this replica cannot read the store"));
}

void DriverFeedSession::Feed(const std::string& driver_id, std::uint64_t number,
                             const std::function<void(DriverFeed&)>& input) {
  std::vector<WantedRead> wanted;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = drivers_.find(driver_id);
    if (sink_ == nullptr || found == drivers_.end() || found->second->number != number) return;
    input(found->second->feed);
    wanted = std::exchange(wanted_, {});
  }
  AskFor(std::move(wanted));
}

void DriverFeedSession::AskFor(std::vector<WantedRead> wanted) {
  for (WantedRead& read : wanted) {
    const auto tell = [weak = weak_from_this(), driver_id = read.driver_id, number = read.number](const auto& input) {
      if (const auto self = weak.lock()) self->Feed(driver_id, number, input);
    };
    if (read.catch_up) {
      ports_.store->ReadDriver(read.driver_id, read.cursor, [tell](const absl::StatusOr<DriverCatchUp>& result) {
        tell([&result](DriverFeed& feed) { feed.OnCatchUp(result); });
      });
    } else {
      ports_.store->ReadDriverEvents(read.driver_id, read.after,
                                     [tell](const absl::StatusOr<std::vector<RideEvent>>& result) {
                                       tell([&result](DriverFeed& feed) { feed.OnEvents(result); });
                                     });
    }
  }
}

void DriverFeedSession::ReadCatchUp(const std::string& driver_id, const std::optional<Cursor>& cursor) {
  wanted_.push_back({driver_id, drivers_.at(driver_id)->number, true, cursor, 0});
}

void DriverFeedSession::ReadEvents(const std::string& driver_id, std::int64_t after) {
  wanted_.push_back({driver_id, drivers_.at(driver_id)->number, false, std::nullopt, after});
}

void DriverFeedSession::SendSnapshot(const std::string& driver_id, std::int64_t subscription,
                                     const DriverCatchUp& snapshot) {
  WatchDriversResponse message;
  EncodeSnapshot(driver_id, subscription, snapshot, message.mutable_snapshot());
  sink_->Send(std::move(message));
}

void DriverFeedSession::SendEvent(const std::string& driver_id, std::int64_t subscription, const RideEvent& event) {
  WatchDriversResponse message;
  EncodeDriverEvent(driver_id, subscription, event, message.mutable_event());
  sink_->Send(std::move(message));
}

}  // namespace hail::rider
