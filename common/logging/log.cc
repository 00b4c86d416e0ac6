#include "common/logging/log.h"

#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/time/clock.h"
#include "common/logging/log_line.h"
#include "spdlog/async_logger.h"
#include "spdlog/details/thread_pool.h"
#include "spdlog/sinks/base_sink.h"

namespace hail {
namespace {

void WriteToStderr(std::string_view line) { std::fwrite(line.data(), 1, line.size(), stderr); }

// Lines are JSON already; the sink only adds the newline. Only the logging thread runs it, hence the null mutex.
class WriteSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit WriteSink(std::function<void(std::string_view)> write) : write_(std::move(write)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    line_.assign(message.payload.data(), message.payload.size());
    line_.push_back('\n');
    write_(line_);
  }
  void flush_() override {}

 private:
  const std::function<void(std::string_view)> write_;
  std::string line_;
};

// Created by InitLogging.
struct Logging {
  explicit Logging(LoggingOptions options)
      : service(std::move(options.service)),
        pool(std::make_shared<spdlog::details::thread_pool>(options.queue_size, 1)) {
    auto sink = std::make_shared<WriteSink>(options.write ? std::move(options.write) : WriteToStderr);
    logger = std::make_shared<spdlog::async_logger>(service, std::move(sink), pool,
                                                    spdlog::async_overflow_policy::overrun_oldest);
    // Log has already filtered by level.
    logger->set_level(spdlog::level::trace);
  }

  const std::string service;
  std::shared_ptr<spdlog::async_logger> logger;
  // Destroyed first: its destructor writes the queued lines and joins the thread. The logger holds only a weak pointer
  // to it.
  std::shared_ptr<spdlog::details::thread_pool> pool;
};

std::mutex mutex;
std::shared_ptr<Logging>* logging = new std::shared_ptr<Logging>;
std::atomic<int> least_level{static_cast<int>(LogLevel::kWarn)};
std::atomic<std::uint64_t> dropped_before{0};

std::shared_ptr<Logging> Current() {
  const std::lock_guard lock(mutex);
  return *logging;
}

}  // namespace

bool LogEnabled(LogLevel level) { return static_cast<int>(level) >= least_level.load(std::memory_order_relaxed); }

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!LogEnabled(level)) return;
  const std::shared_ptr<Logging> current = Current();
  const std::string line = LogLine::Json(absl::Now(), level, current ? current->service : "", event, fields);
  if (current) {
    current->logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
  } else {
    WriteToStderr(line + "\n");
  }
}

void InitLogging(LoggingOptions options) {
  const LogLevel level = options.level;
  auto made = std::make_shared<Logging>(std::move(options));
  const std::lock_guard lock(mutex);
  *logging = std::move(made);
  least_level = static_cast<int>(level);
  dropped_before = 0;
}

void ShutdownLogging() {
  std::shared_ptr<Logging> ended;
  {
    const std::lock_guard lock(mutex);
    least_level = static_cast<int>(LogLevel::kWarn);
    ended = std::exchange(*logging, nullptr);
  }
  if (ended) dropped_before = ended->pool->overrun_counter();
}

std::uint64_t LogLinesDropped() {
  const std::shared_ptr<Logging> current = Current();
  return current ? current->pool->overrun_counter() : dropped_before.load();
}

}  // namespace hail
