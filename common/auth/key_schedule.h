// When to read the keys again, and how long they may be used.
#pragma once

#include <optional>

#include "absl/time/time.h"

namespace hail::auth {

// Pure: every `now` is a parameter, wall time that does not jump. Not thread-safe.
class KeySchedule {
 public:
  struct Options {
    // From a successful read to the next, where the origin does not say how long its keys are good for. What it says is
    // bounded by the other two. Each period is shortened by up to a tenth at random, so that replicas spread.
    absl::Duration period = absl::Minutes(5);
    absl::Duration min_period = absl::Minutes(1);
    absl::Duration max_period = absl::Hours(24);
    // After a failure: the first wait, which then doubles.
    absl::Duration first_retry = absl::Seconds(1);
    absl::Duration max_retry = absl::Minutes(1);
    // Keys that could not be read again for this long are no longer used.
    absl::Duration max_age = absl::Hours(24);
    // Between two reads that unknown keys cause: strangers can cause them.
    absl::Duration unknown_key_gap = absl::Seconds(30);
  };

  // The first read is due at once.
  explicit KeySchedule(const Options& options) : options_(options) {}

  // A read succeeded. `good_for` is what the origin says; `random` is in [0, 1).
  void OnRead(absl::Time now, std::optional<absl::Duration> good_for, double random);
  void OnFailed(absl::Time now);
  // A token names a key that is not known. True if a read is under way because of such a token, from now on or already.
  bool OnUnknownKey(absl::Time now);

  absl::Time next_read() const { return next_read_; }
  // When the last read succeeded; InfinitePast before.
  absl::Time last_read() const { return last_read_; }
  // Whether the keys last read may still be used.
  bool Usable(absl::Time now) const { return now < usable_until(); }
  absl::Time usable_until() const { return last_read_ + options_.max_age; }

 private:
  const Options options_;
  absl::Time next_read_ = absl::InfinitePast();
  absl::Time last_read_ = absl::InfinitePast();
  absl::Duration retry_ = absl::ZeroDuration();
  absl::Time last_unknown_ = absl::InfinitePast();
  bool unknown_under_way_ = false;
};

}  // namespace hail::auth
