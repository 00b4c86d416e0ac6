#include "common/audit/audit_log.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors/error.h"
#include "common/logging/log.h"
#include "common/time/clock.h"

namespace hail::audit {
namespace {

// How soon a failed write is repeated.
constexpr absl::Duration kRetry = absl::Seconds(1);

int OpenFile(const std::string& path) {
  return open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
}

}  // namespace

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(AuditOptions options) {
  int file = STDERR_FILENO;
  if (!options.file.empty()) {
    file = OpenFile(options.file);
    if (file < 0) {
      return Unavailable(Reason::kInternal, absl::StrCat("cannot write ", options.file, ": ", std::strerror(errno)));
    }
  }
  return std::unique_ptr<AuditLog>(new AuditLog(std::move(options), file));
}

AuditLog::AuditLog(AuditOptions options, int file) : options_(std::move(options)), file_(file) {
  writer_ = std::thread([this] { Run(); });
  pthread_setname_np(writer_.native_handle(), "audit");
}

AuditLog::~AuditLog() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.Signal();
  }
  writer_.join();
  if (file_ >= 0 && !options_.file.empty()) close(file_);
}

void AuditLog::Record(const Entry& entry) {
  std::string line = Line(entry, options_.service);
  absl::MutexLock lock(&mutex_);
  if (queue_.size() >= options_.queue_size) {
    ++stats_.lost;
    ++unreported_;
    return;
  }
  queue_.push_back(std::move(line));
  changed_.Signal();
}

void AuditLog::RecordDenied(const limits::Key& caller, Entry entry) {
  {
    absl::MutexLock lock(&mutex_);
    const std::optional<std::uint64_t> skipped = sampler_.Sample(caller, entry.wall);
    if (!skipped) {
      ++stats_.skipped;
      return;
    }
    entry.skipped = *skipped;
  }
  Record(entry);
}

AuditStats AuditLog::stats() const {
  absl::MutexLock lock(&mutex_);
  return stats_;
}

void AuditLog::Run() {
  // Lines taken from the queue and not written yet, and how many of them are there.
  std::string pending;
  std::uint64_t lines = 0;
  bool failing = false;
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      const auto due = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stopping_ || (!failing && (!queue_.empty() || unreported_ > 0));
      };
      changed_.Await(&mutex_, failing ? kRetry : absl::InfiniteDuration(), due);
      if (pending.empty() && unreported_ > 0) {
        const Entry lost{.wall = WallNow(), .event = "audit_lost", .details = {{"lines", absl::StrCat(unreported_)}}};
        pending = Line(lost, options_.service);
        ++lines;
        unreported_ = 0;
      }
      // While writing fails, lines stay in the queue: it is limited, and `pending` is not.
      for (; pending.size() < (std::size_t{1} << 16) && !queue_.empty(); queue_.pop_front(), ++lines) {
        pending += queue_.front();
      }
      if (pending.empty() && stopping_) return;
    }
    FollowRename();
    pending.erase(0, Write(pending));
    if (std::exchange(failing, !pending.empty()) != failing) {
      Log(failing ? LogLevel::kError : LogLevel::kInfo, failing ? "audit_not_written" : "audit_written_again",
          {{"file", options_.file}, {"error", failing ? std::strerror(errno) : "none"}});
    }
    absl::MutexLock lock(&mutex_);
    if (!failing) {
      stats_.written += std::exchange(lines, 0);
    } else if (stopping_) {
      stats_.lost += lines + queue_.size();
      return;
    }
  }
}

void AuditLog::FollowRename() {
  if (options_.file.empty()) return;
  struct stat named {};
  struct stat held {};
  if (file_ >= 0 && stat(options_.file.c_str(), &named) == 0 && fstat(file_, &held) == 0 &&
      named.st_dev == held.st_dev && named.st_ino == held.st_ino) {
    return;
  }
  // If that fails, lines still go to the file that was renamed.
  const int fresh = OpenFile(options_.file);
  if (fresh < 0) return;
  if (file_ >= 0) close(file_);
  file_ = fresh;
}

std::size_t AuditLog::Write(const std::string& text) const {
  std::size_t written = 0;
  while (written < text.size()) {
    // The ordinary log writes to stderr too: a line goes out in one piece.
    const std::size_t end = options_.file.empty() ? text.find('\n', written) + 1 : text.size();
    const ssize_t count = write(file_, text.data() + written, end - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    written += static_cast<std::size_t>(count);
  }
  return written;
}

}  // namespace hail::audit
