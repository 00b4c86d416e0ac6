#include "driver-service/storage/offer_log_buffer.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace hail::driver {
namespace {

// Limit of one write, because other writes in the same batch wait for it.
constexpr std::size_t kRecordsPerWrite = 500;

}  // namespace

OfferLogBuffer::OfferLogBuffer(std::size_t max_waiting, Write write)
    : max_waiting_(max_waiting), write_(std::move(write)) {}

void OfferLogBuffer::Append(OfferRecord record) {
  {
    absl::MutexLock lock(&mutex_);
    waiting_.push_back(std::move(record));
    if (waiting_.size() > max_waiting_) {
      waiting_.pop_front();
      ++lost_;
    }
  }
  Flush(/*hurry=*/false);
}

void OfferLogBuffer::Flush(bool hurry) {
  auto records = std::make_shared<std::vector<OfferRecord>>();
  {
    absl::MutexLock lock(&mutex_);
    if (writing_ || waiting_.empty()) return;
    writing_ = true;
    const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(waiting_.size(), kRecordsPerWrite));
    records->assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
    waiting_.erase(waiting_.begin(), end);
  }
  write_(records, hurry, [this, hurry, count = records->size()](const absl::Status& status) {
    if (status.ok() && !hurry) {
      {
        absl::MutexLock lock(&mutex_);
        writing_ = false;
      }
      Flush(/*hurry=*/false);
      return;
    }
    // After a refusal the next record triggers another attempt: this may be the caller's thread, with the queue still
    // full. Must be the last statement: Drain may return, and its caller destroy this object, as soon as no write is
    // open.
    absl::MutexLock lock(&mutex_);
    if (!status.ok()) lost_ += count;
    writing_ = false;
  });
}

void OfferLogBuffer::Forget(const std::string& driver_id) {
  absl::MutexLock lock(&mutex_);
  std::erase_if(waiting_, [&](const OfferRecord& record) { return record.driver_id == driver_id; });
}

void OfferLogBuffer::Drain() {
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !writing_; };
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(&idle));
      if (waiting_.empty()) return;
    }
    Flush(/*hurry=*/true);
  }
}

std::uint64_t OfferLogBuffer::lost() const {
  absl::MutexLock lock(&mutex_);
  return lost_;
}

}  // namespace hail::driver
