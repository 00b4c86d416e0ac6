// Structured logs: one JSON object per line.
//
//   Log(LogLevel::kInfo, "ride_requested", {{"ride_id", ride.id}, {"rider_id", ride.rider_id}});
//   {"time":"2026-11-22T08:36:27.123456Z","level":"info","service":"rider-service","event":"ride_requested","ride_id":"…",…}
//
// Lines of level info and above contain no exact positions.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/logging/level.h"

namespace hail {

// The value of a field. Valid during the call to Log only: it refers to strings and does not copy them, except strings
// that it creates itself.
class LogValue {
 public:
  LogValue(const char* text) : value_(std::string_view(text)) {}         // NOLINT(google-explicit-constructor)
  LogValue(const std::string& text) : value_(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  LogValue(std::string_view text) : value_(text) {}                      // NOLINT(google-explicit-constructor)
  LogValue(bool flag) : value_(flag) {}                                  // NOLINT(google-explicit-constructor)
  LogValue(double number) : value_(number) {}                            // NOLINT(google-explicit-constructor)
  template <std::signed_integral T>
  LogValue(T number) : value_(static_cast<std::int64_t>(number)) {}  // NOLINT(google-explicit-constructor)
  template <std::unsigned_integral T>
  requires(!std::same_as<T, bool>) LogValue(T number)
      : value_(static_cast<std::uint64_t>(number)) {}  // NOLINT(google-explicit-constructor)
  // In seconds, a number. Name such fields "…_s".
  LogValue(absl::Duration duration) : value_(absl::ToDoubleSeconds(duration)) {}  // NOLINT(google-explicit-constructor)
  // "CODE: message".
  LogValue(const absl::Status& status)
      : value_(status.ToString(absl::StatusToStringMode::kWithNoExtraData)) {}  // NOLINT

 private:
  friend class LogLine;
  std::variant<std::string_view, std::string, bool, double, std::int64_t, std::uint64_t> value_;
};

struct LogField {
  // Snake case; not "time", "level", "service" or "event".
  std::string_view key;
  LogValue value;
};

// Writes one line, unless `level` is below the configured one. Thread-safe. Never blocks and never throws: the line is
// queued; if the queue is full, its oldest line is dropped and counted. Before InitLogging and after ShutdownLogging,
// lines of level warn and above go to stderr directly.
void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

// For fields that are expensive to compute.
bool LogEnabled(LogLevel level);

struct LoggingOptions {
  // The "service" field of every line.
  std::string service;
  LogLevel level = LogLevel::kInfo;
  // The size of the queue, in lines.
  std::size_t queue_size = 8192;
  // Receives each line with its newline, on the logging thread. Unset: stderr.
  std::function<void(std::string_view line)> write;
};

// Starts the logging thread. Once, early in main.
void InitLogging(LoggingOptions options);

// Writes the queued lines and ends the thread. Call it at the end of main; harmless without InitLogging.
void ShutdownLogging();

// The number of lines dropped since InitLogging.
std::uint64_t LogLinesDropped();

}  // namespace hail
