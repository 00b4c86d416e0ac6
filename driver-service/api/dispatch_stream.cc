#include "driver-service/api/dispatch_stream.h"

#include <optional>
#include <utility>
#include <variant>

#include "absl/time/time.h"
#include "common/errors/error.h"
#include "common/failpoint/failpoint.h"
#include "common/logging/log.h"
#include "common/time/clock.h"
#include "driver-service/codec/internal_codec.h"

namespace hail::driver {
namespace {

// Wall time. More than message delays and NTP can explain.
constexpr absl::Duration kClocksAgree = absl::Seconds(5);

// No decision compares the two clocks, but times shown to people would contradict each other.
void WarnIfClocksDiffer(absl::Time theirs, absl::Time ours, const TimeScale& scale) {
  const absl::Duration difference = theirs - ours;
  if (absl::AbsDuration(scale.ToWall(difference)) <= kClocksAgree) return;
  Log(LogLevel::kError, "domain_clocks_differ",
      {{"rider_service_ahead_s", absl::ToDoubleSeconds(difference)},
       {"hint", "time_scale and time_anchor must be the same in both services"}});
}

}  // namespace

void DispatchStream::OnMessage(const internal::v1::DispatchRequest& request) {
  if (request.has_hello() == said_hello_) {
    sink_->Finish(MakeError(absl::StatusCode::kInvalidArgument, "hello must come first, and once",
                            {.reason = Reason::kProtocolViolation}));
    return;
  }
  switch (request.message_case()) {
    case internal::v1::DispatchRequest::kHello:
      OnHello(request.hello());
      return;
    case internal::v1::DispatchRequest::kStart:
      OnStart(request.start());
      return;
    case internal::v1::DispatchRequest::kStop: {
      const internal::v1::StopDispatch& stop = request.stop();
      host_.Post([link = link_, ride_id = stop.ride_id(), epoch = stop.epoch(), reason = FromProto(stop.reason())](
                     Dispatch& core, Now now) { core.Stop(now, link, ride_id, epoch, reason); });
      return;
    }
    default:
      return;
  }
}

void DispatchStream::OnHeartbeat() {
  internal::v1::DispatchResponse response;
  response.mutable_heartbeat();
  sink_->SendLatest("heartbeat", std::move(response));
}

void DispatchStream::OnEnd() {
  if (!said_hello_) return;
  Log(LogLevel::kInfo, "dispatch_link_down", {{"link", link_}});
  host_.Post([&host = host_, link = link_](Dispatch& core, Now now) {
    core.LinkDown(now, link);
    host.RemoveLinkSink(link);
  });
}

void DispatchStream::OnHello(const internal::v1::LinkHello& hello) {
  said_hello_ = true;
  Log(LogLevel::kInfo, "dispatch_link_up", {{"link", link_}, {"incarnation_id", hello.incarnation_id()}});
  const std::optional<absl::Time> theirs =
      hello.has_domain_time() ? std::optional(absl::FromUnixSeconds(hello.domain_time().seconds())) : std::nullopt;
  host_.Post([&host = host_, link = link_, sink = sink_, theirs](Dispatch& core, Now now) {
    if (theirs.has_value()) WarnIfClocksDiffer(*theirs, now.domain, host.clock().scale());
    host.AddLinkSink(link, [sink, burst = host.BatcherOf<internal::v1::DispatchResponse>([sink](auto message) {
                       sink->Send(std::move(message));
                     })](const LinkMessage& message) mutable {
      // A set replaces a waiting older one. Other messages all arrive in order, and those sent before a set arrive
      // before it.
      if (std::holds_alternative<WorkingSet>(message)) {
        burst.Flush();
        sink->SendLatest("working_set", ToProto(message));
      } else {
        burst.Add(ToProto(message));
      }
    });
    core.LinkUp(now, link);
    HAIL_FAILPOINT(kLinkUp);
  });
}

void DispatchStream::OnStart(const internal::v1::StartDispatch& start) {
  absl::StatusOr<DispatchStart> decoded = FromProto(start);
  if (!decoded.ok()) {
    // rider-service repeats the start until the ride's deadline, and decides about the ride.
    Log(LogLevel::kError, "dispatch_start_refused", {{"ride_id", start.ride_id()}, {"status", decoded.status()}});
    return;
  }
  host_.Post([link = link_, start = std::make_shared<const DispatchStart>(*std::move(decoded))](
                 Dispatch& core, Now now) { core.Start(now, link, start); });
}

}  // namespace hail::driver
