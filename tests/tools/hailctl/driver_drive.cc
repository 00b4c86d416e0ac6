// The I/O around DriveSession: one stream at a time; a separate thread reads it, and the caller's thread writes.
#include "tests/tools/hailctl/drive.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <deque>
#include <iostream>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/text/text.h"
#include "tests/tools/hailctl/driver_commands.h"
#include "tests/tools/hailctl/format.h"
#include "tests/tools/hailctl/patience.h"
#include "tests/tools/hailctl/silence.h"

namespace hail::ctl {
namespace {

using hail::driver::v1::StreamDriverRequest;
using hail::driver::v1::StreamDriverResponse;

constexpr absl::Duration kTick = absl::Seconds(1);
// Gives up if no stream has delivered a message for this long.
constexpr absl::Duration kGiveUp = absl::Minutes(1);

std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set by a signal handler");

void OnSignal(int) { interrupted = true; }

// Passes messages from the reading thread to the caller's.
class Inbox {
 public:
  void Put(StreamDriverResponse message) {
    absl::MutexLock lock(&mutex_);
    messages_.push_back(std::move(message));
  }
  void Close() {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  // Waits until `until` for messages or the end. False: closed and empty.
  bool Take(absl::Time until, std::deque<StreamDriverResponse>* messages) {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithDeadline(absl::Condition(this, &Inbox::Ready), until);
    messages->swap(messages_);
    messages_.clear();
    return !(closed_ && messages->empty());
  }

 private:
  bool Ready() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return closed_ || !messages_.empty(); }

  absl::Mutex mutex_;
  std::deque<StreamDriverResponse> messages_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

ExitCode DriverDrive(Context& context, const DriverArguments& arguments) {
  const auto start = ParsePoint(arguments.at);
  if (!start.ok()) {
    return Report(
        {.code = grpc::StatusCode::INVALID_ARGUMENT, .message = "--at: " + std::string(start.status().message())},
        context.json());
  }
  const bool json = context.json();
  DriveSession session({.driver_id = arguments.driver_id,
                        .start = {start->latitude_deg(), start->longitude_deg()},
                        .accept = arguments.accept,
                        .speed_mps = arguments.speed_mps,
                        .boarding = absl::Seconds(arguments.boarding_s)},
                       [json](const std::string& line) {
                         if (!json) std::cout << Shown(line) << '\n' << std::flush;
                       });
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);

  const auto finished = [&] {
    return interrupted || (arguments.rides > 0 && session.completed() >= arguments.rides && !session.has_ride());
  };
  Patience patience;
  std::optional<absl::Time> last_message;
  while (!finished()) {
    grpc::ClientContext call;
    context.Authorize(&call);
    const auto stream = context.driver().StreamDriver(&call);
    Inbox inbox;
    bool writable = true;
    const auto send = [&](const DriveSession::Requests& requests) {
      for (const StreamDriverRequest& request : requests) writable = writable && stream->Write(request);
    };
    {
      SilenceGuard guard(&call);
      std::thread reader([&] {
        StreamDriverResponse message;
        while (stream->Read(&message)) {
          guard.OnMessage();
          inbox.Put(std::move(message));
        }
        inbox.Close();
      });
      send(session.Open(absl::Now()));
      absl::Time next_tick = absl::Now() + kTick;
      std::deque<StreamDriverResponse> messages;
      while (!finished() && inbox.Take(std::min(next_tick, absl::Now() + absl::Milliseconds(200)), &messages)) {
        for (const StreamDriverResponse& message : messages) {
          last_message = absl::Now();
          patience.Reset();
          if (json) context.Print(message, "");
          send(session.OnMessage(message, absl::Now()));
        }
        messages.clear();
        if (absl::Now() < next_tick) continue;
        next_tick += kTick;
        send(session.OnTick(absl::Now()));
      }
      if (finished()) send(session.GoOffline());
      stream->WritesDone();
      reader.join();
    }
    const grpc::Status status = stream->Finish();
    if (finished()) break;
    if (session.replaced()) {
      return Report({.code = grpc::StatusCode::ABORTED, .message = "a newer stream of this driver took over"}, json);
    }
    if (!status.ok() && (IsAnswer(status) || !last_message.has_value() || absl::Now() - *last_message > kGiveUp)) {
      return context.Fail(status);
    }
    if (!status.ok() && !json) std::cerr << "the stream broke: " << Shown(status.error_message()) << "; resuming\n";
    const absl::Duration wait = patience.After(status);
    // `draining` says when to reconnect; the times are spread over clients.
    absl::SleepFor(session.TakeRetryAfter().value_or(wait));
  }
  return kOk;
}

}  // namespace hail::ctl
