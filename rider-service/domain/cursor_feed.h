// The common part of the feeds of rides and of drivers: events are sent by number, each once. The store has the truth;
// bus events are hints. The next event in order is sent at once when it comes from the bus; a gap is read from the
// store.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "rider-service/domain/ride.h"

namespace hail::rider {

// Not thread-safe.
class CursorFeed {
 public:
  // The number of the last sent event. 0 before the first.
  std::int64_t sent_sequence() const { return sent_; }
  // The highest known number, sent or not.
  std::int64_t known_sequence() const { return known_; }

 protected:
  // `number` returns the number of an event.
  explicit CursorFeed(std::int64_t (*number)(const RideEvent&)) : number_(number) {}
  ~CursorFeed() = default;

  // Sends the event after the last one sent.
  virtual void SendNext(const RideEvent& event) = 0;
  // Requests the events after `after` from the store.
  virtual void ReadAfter(std::int64_t after) = 0;

  // One read at a time: BeginRead before the request, EndRead with the answer. EndRead is false if no read was open.
  void BeginRead() { reading_ = true; }
  bool EndRead() { return std::exchange(reading_, false); }
  bool reading() const { return reading_; }

  // Nothing is sent before the first answer determines the start.
  bool begun() const { return begun_; }
  void Begin(std::int64_t sent) {
    begun_ = true;
    sent_ = sent;
    Know(sent);
  }

  void Know(std::int64_t sequence) { known_ = std::max(known_, sequence); }

  // Events from the store, in order.
  void Deliver(const std::vector<RideEvent>& events) {
    for (const RideEvent& event : events) {
      Know(number_(event));
      Deliver(event);
    }
  }

  // An event from the bus, in any order. False: it was sent before.
  bool Hold(const RideEvent& event) {
    if (number_(event) <= sent_) return false;
    Know(number_(event));
    if (early_.size() < kMaxEarly) early_.emplace(number_(event), event);
    return true;
  }

  // Sends the held events that are next in order.
  void Drain() {
    early_.erase(early_.begin(), early_.upper_bound(sent_));
    for (auto next = early_.begin(); next != early_.end() && next->first == sent_ + 1; next = early_.erase(next)) {
      Deliver(next->second);
    }
  }

  void DropHeld() { early_.clear(); }

  // Reads again if the store has more.
  void ReadOn() {
    if (!begun_ || reading_ || known_ <= sent_) return;
    BeginRead();
    ReadAfter(sent_);
  }

 private:
  // Events beyond this are read from the store.
  static constexpr std::size_t kMaxEarly = 64;

  void Deliver(const RideEvent& event) {
    if (number_(event) != sent_ + 1) return;
    ++sent_;
    SendNext(event);
  }

  std::int64_t (*const number_)(const RideEvent&);
  bool reading_ = false;
  bool begun_ = false;
  std::int64_t sent_ = 0;
  std::int64_t known_ = 0;
  // Events that came before their turn.
  std::map<std::int64_t, RideEvent> early_;
};

}  // namespace hail::rider
