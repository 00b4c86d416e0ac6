#include "common/service/grpc_log.h"

#include <chrono>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/logging/log.h"
#include "grpcpp/version_info.h"
// Newer versions of gRPC log through abseil.
#if GRPC_CPP_VERSION_MAJOR > 1 || GRPC_CPP_VERSION_MINOR >= 65
#define HAIL_GRPC_LOGS_BY_ABSEIL
#include "absl/log/globals.h"
#include "absl/log/log_entry.h"
#include "absl/log/log_sink.h"
#include "absl/log/log_sink_registry.h"
#else
#include "grpc/support/log.h"
#endif

namespace hail {
namespace {

// A line may contain arbitrary client data; this length is enough to recognize it.
constexpr std::size_t kMostBytes = 500;
constexpr int kBurst = 10;
constexpr absl::Duration kWithin = absl::Seconds(10);

absl::Duration SinceSomeStart() { return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()); }

}  // namespace

void GrpcLines::Take(const char* file, int line, std::string_view message, absl::Duration now) {
  // gRPC 1.51 says so of each connection to a list of replicas. Who a peer is, its names in tls.peers say, not its
  // host.
  if (message.starts_with("No match found for server name")) return;
  std::uint64_t left_out = 0;
  {
    absl::MutexLock lock(&mutex_);
    if (now - since_ >= within_) {
      since_ = now;
      logged_ = 0;
    }
    if (logged_ >= batcher_) {
      ++left_out_;
      return;
    }
    ++logged_;
    left_out = left_out_;
    left_out_ = 0;
  }
  const char* const slash = std::strrchr(file, '/');
  const std::string at = absl::StrCat(slash == nullptr ? file : slash + 1, ":", line);
  Log(LogLevel::kError, "grpc", {{"at", at}, {"message", message.substr(0, kMostBytes)}, {"left_out", left_out}});
}

#ifdef HAIL_GRPC_LOGS_BY_ABSEIL

void LogWhatGrpcSays() {
  class Sink final : public absl::LogSink {
    void Send(const absl::LogEntry& entry) override {
      if (entry.log_severity() < absl::LogSeverity::kError) return;
      const std::string file(entry.source_filename());
      lines_.Take(file.c_str(), entry.source_line(), std::string(entry.text_message()), SinceSomeStart());
    }

    GrpcLines lines_{kBurst, kWithin};
  };
  static auto* const sink = new Sink();
  absl::AddLogSink(sink);
  absl::SetStderrThreshold(absl::LogSeverityAtLeast::kInfinity);
}

#else

void LogWhatGrpcSays() {
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  gpr_set_log_function([](gpr_log_func_args* args) {
    static auto* const lines = new GrpcLines(kBurst, kWithin);
    if (args->severity != GPR_LOG_SEVERITY_ERROR) return;
    lines->Take(args->file, args->line, args->message, SinceSomeStart());
  });
}

#endif

}  // namespace hail
