#include "common/auth/key_source.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "common/logging/log.h"

namespace hail::auth {
namespace {

// A write to a connection that the other side has closed must not end the process.
void BlockPipeSignal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

KeySchedule::Options KeptKeys::ForFile() {
  return {.period = absl::Seconds(1), .first_retry = absl::Seconds(1), .max_retry = absl::Seconds(1)};
}

KeptKeys::KeptKeys(std::unique_ptr<KeyOrigin> origin, const KeySchedule::Options& options, const Clock* clock,
                   std::function<double()> random, metrics::Registry* registry, OnChange on_change)
    : origin_(std::move(origin)),
      clock_(clock),
      random_(std::move(random)),
      on_change_(std::move(on_change)),
      reads_ok_(
          registry->Counters("auth_key_reads_total", "Reads of the keys that verify tokens.").Of({{"outcome", "ok"}})),
      reads_failed_(registry->Counters("auth_key_reads_total", "Reads of the keys that verify tokens.")
                        .Of({{"outcome", "failed"}})),
      schedule_(options) {
  scrape_ = registry->BeforeScrape(
      [this, count = registry->Gauges("auth_keys", "Keys that verify tokens.").Of(),
       age = registry
                 ->Gauges("auth_keys_age_seconds", "Since the keys were last read, or found unchanged; 0 before that.")
                 .Of()] {
        const absl::Time now = clock_->Read().wall;
        const absl::MutexLock lock(&mutex_);
        count.Set(keys_ == nullptr ? 0 : static_cast<double>(keys_->size()));
        const absl::Time last = schedule_.last_read();
        age.Set(last == absl::InfinitePast() ? 0 : absl::ToDoubleSeconds(now - last));
      });
  if (origin_->local()) Read();
  thread_ = std::thread([this] { Run(); });
}

KeptKeys::~KeptKeys() {
  {
    const absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  origin_->Cancel();
  thread_.join();
}

std::shared_ptr<const KeySet> KeptKeys::Keys() const {
  const absl::MutexLock lock(&mutex_);
  return keys_;
}

bool KeptKeys::OnUnknownKey() {
  // A file is read each second anyway.
  if (origin_->local()) return false;
  const absl::MutexLock lock(&mutex_);
  const bool under_way = schedule_.OnUnknownKey(clock_->Read().wall);
  if (under_way) changed_.SignalAll();
  return under_way;
}

void KeptKeys::Run() {
  BlockPipeSignal();
  while (true) {
    bool too_old = false;
    {
      const absl::MutexLock lock(&mutex_);
      while (true) {
        if (stopping_) return;
        const absl::Time now = clock_->Read().wall;
        if (keys_ != nullptr && !schedule_.Usable(now)) {
          keys_ = nullptr;
          too_old = true;
          break;
        }
        if (schedule_.next_read() <= now) break;
        absl::Time next = schedule_.next_read();
        if (keys_ != nullptr) next = std::min(next, schedule_.usable_until());
        changed_.WaitFor(&mutex_, next - now);
      }
    }
    if (too_old) {
      // The same text makes the set anew.
      text_.clear();
      Log(LogLevel::kError, "keys_too_old");
    } else {
      Read();
    }
  }
}

void KeptKeys::Read() {
  absl::StatusOr<KeyOrigin::Content> content = origin_->Read();
  if (!content.ok()) return OnFailed(content.status());
  OnText(*content);
}

void KeptKeys::OnText(const KeyOrigin::Content& content) {
  // A set that is the same keeps its generation, and with it the cache of tokens.
  std::shared_ptr<const KeySet> made;
  if (content.text != text_) {
    absl::StatusOr<std::shared_ptr<const KeySet>> parsed = KeySet::Parse(content.text);
    if (!parsed.ok()) return OnFailed(parsed.status());
    made = *std::move(parsed);
    text_ = content.text;
    for (const KeySet::LeftOut& key : made->left_out()) {
      Log(LogLevel::kWarn, "key_left_out", {{"kid", key.key_id}, {"why", key.why}});
    }
    Log(LogLevel::kInfo, "keys_read", {{"keys", made->size()}, {"left_out", made->left_out().size()}});
    if (on_change_) on_change_(made);
  } else if (!logged_.empty()) {
    Log(LogLevel::kInfo, "keys_read", {{"unchanged", true}});
  }
  logged_.clear();
  reads_ok_.Add();
  const double random = random_();
  const absl::MutexLock lock(&mutex_);
  if (made != nullptr) keys_ = std::move(made);
  schedule_.OnRead(clock_->Read().wall, content.good_for, random);
}

void KeptKeys::OnFailed(const absl::Status& why) {
  reads_failed_.Add();
  absl::Duration age;
  bool stopping = false;
  bool kept = false;
  {
    const absl::MutexLock lock(&mutex_);
    const absl::Time now = clock_->Read().wall;
    schedule_.OnFailed(now);
    stopping = stopping_;
    kept = keys_ != nullptr;
    if (kept) age = now - schedule_.last_read();
  }
  // One line for each failure, not for each attempt.
  std::string text = why.ToString();
  if (stopping || text == logged_) return;
  Log(LogLevel::kError, "keys_not_read", {{"why", why}, {"old_keys_stay", kept}, {"age_s", age}});
  if (on_change_) on_change_(why);
  logged_ = std::move(text);
}

}  // namespace hail::auth
