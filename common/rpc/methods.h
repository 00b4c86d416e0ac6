// A service is a plain class, and one table describes its methods. Registration with gRPC (service.h), authorization,
// admission under load, forwarding (forwarding.h), metric labels and the simulation's network come from the table.
//
//   class RiderService {
//    public:
//     static constexpr char kName[] = "hail.rider.v1.RiderService";
//     static constexpr auto Methods() {
//       return std::tuple(
//           rpc::Unary("GetRide", &RiderService::GetRide, {.roles = kReaders, .person = &RiderService::RiderOf}),
//           rpc::Unary("ListProducts", &RiderService::ListProducts, {.roles = rpc::Roles::Everybody()}),
//           rpc::ServerStream("WatchRide", &RiderService::WatchRide,
//                             {.roles = kReaders, .person = &RiderService::RiderOf}, {.queue = 128}),
//           rpc::Bidi("StreamRide", &RiderService::StreamRide, {.roles = kRiders, .person = &RiderService::RiderOf}));
//     }
//
//     void GetRide(const rpc::CallContext& call, const GetRideRequest& request, Done<GetRideResponse> done);
//     std::shared_ptr<rpc::StreamSession> WatchRide(const rpc::CallContext& call, const WatchRideRequest& request,
//                                                   std::shared_ptr<rpc::Sink<WatchRideResponse>> sink);
//     std::shared_ptr<rpc::InboundSession<StreamRideRequest>> StreamRide(
//         const rpc::CallContext& call, std::shared_ptr<rpc::Sink<StreamRideResponse>> sink);
//     …
//
// Methods are called on a transport's threads, concurrently, and must not block. A unary method answers by one call of
// `done`, at any time, on any thread. `call` and `request` live until `done` is called or destroyed. If `done` is
// destroyed without a call, the call ends with INTERNAL. `call` of a stream lives until the method has returned.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/exec/done.h"
#include "common/rpc/call_context.h"
#include "common/rpc/checked_session.h"
#include "common/rpc/identity.h"
#include "common/rpc/recording.h"
#include "common/rpc/sink.h"
#include "common/rpc/stream_session.h"

namespace hail::rpc {

struct StreamOptions {
  // Messages that may wait for a slow client.
  std::size_t queue = 256;
  // Only for streams with an inbound half: the client sends heartbeats, and counts as gone after GateOptions::silence.
  bool must_beat = true;
  // Only for streams with an inbound half: larger messages end the stream with INVALID_ARGUMENT. 0: the gate's limit.
  std::size_t max_message_bytes = 0;
  // Whether GateOptions::stream_age applies.
  bool ages = true;
  // Sends the initial metadata as soon as there is a session, for clients that wait for it (client_stream.h). Otherwise
  // it goes out with the first message: a stream that is refused, also by the session, then ends without headers, so
  // that clients and proxies may try another replica.
  bool greets = false;
};

template <typename S, typename Req, typename Resp>
struct UnaryOptions {
  // Called before the request is decoded, and may refuse it: under overload most calls end there. Null: every call is
  // admitted.
  absl::Status (S::*admit)(absl::Time deadline) const = nullptr;
  // Roles that may make the call besides those of its Access, by the service's configuration. Null: none.
  Roles (S::*further_roles)() const = nullptr;
  // The implementation of the call at the replica that has the person's session; other replicas forward the call to it
  // (forwarding.h). Null: the call needs no session.
  void (S::*at_owner)(const CallContext&, const Req&, Done<Resp>) = nullptr;
};

// The rows of a table. `S` is the class, `Req` and `Resp` are the messages. Every transport calls Serve or Open, which
// check the caller by `access` before the service sees the call.

template <typename S, typename Req, typename Resp>
struct Unary {
  using Request = Req;
  using Response = Resp;
  static constexpr bool kClientStreams = false;
  static constexpr bool kServerStreams = false;

  constexpr Unary(const char* name, void (S::*call)(const CallContext&, const Req&, Done<Resp>),
                  const Access<Req>& access, const UnaryOptions<S, Req, Resp>& options = {})
      : name(name), call(call), access(access), options(options) {}

  absl::Status Admit(const S& service, absl::Time deadline) const {
    return options.admit == nullptr ? absl::OkStatus() : (service.*options.admit)(deadline);
  }

  void Serve(S& service, const CallContext& context, const Req& request, Done<Resp> done) const {
    const RecordedCall recorded{.context = context, .service = S::kName, .method = name};
    const absl::Status allowed = access.Check(context.caller, request, RolesAt(service));
    if (!allowed.ok()) {
      Record(recorded, access, &request, allowed);
      return done(allowed);
    }
    if (IsRecorded(context, access)) {
      done = [recorded, access = access, &request, done = std::move(done)](absl::StatusOr<Resp> response) {
        Record(recorded, access, &request, response.status());
        done(std::move(response));
      };
    }
    (service.*call)(context, request, std::move(done));
  }

  // The roles that may call the method at `service`.
  Roles RolesAt(const S& service) const {
    return options.further_roles == nullptr ? access.roles : access.roles | (service.*options.further_roles)();
  }

  const char* name;
  void (S::*call)(const CallContext&, const Req&, Done<Resp>);
  Access<Req> access;
  UnaryOptions<S, Req, Resp> options;
};

template <typename S, typename Req, typename Resp>
struct ServerStream {
  using Request = Req;
  using Response = Resp;
  static constexpr bool kClientStreams = false;
  static constexpr bool kServerStreams = true;

  constexpr ServerStream(const char* name,
                         std::shared_ptr<StreamSession> (S::*open)(const CallContext&, const Req&,
                                                                   std::shared_ptr<Sink<Resp>>),
                         const Access<Req>& access, const StreamOptions& options = {})
      : name(name), open(open), access(access), options(options) {}

  // Null if the caller is refused; the sink is then finished.
  std::shared_ptr<StreamSession> Open(S& service, const CallContext& context, const Req& request,
                                      std::shared_ptr<Sink<Resp>> sink) const {
    const absl::Status allowed = access.Check(context.caller, request, access.roles);
    Record({.context = context, .service = S::kName, .method = name, .stream = true}, access, &request, allowed);
    if (!allowed.ok()) {
      sink->Finish(allowed);
      return nullptr;
    }
    return (service.*open)(context, request, std::move(sink));
  }

  const char* name;
  std::shared_ptr<StreamSession> (S::*open)(const CallContext&, const Req&, std::shared_ptr<Sink<Resp>>);
  Access<Req> access;
  StreamOptions options;
};

namespace detail {

// Opens a stream with an inbound half. Null if the caller is refused; the sink is then finished.
template <typename S, typename Req, typename Resp>
std::shared_ptr<InboundSession<Req>> OpenChecked(
    S& service, const char* name,
    std::shared_ptr<InboundSession<Req>> (S::*open)(const CallContext&, std::shared_ptr<Sink<Resp>>),
    const Access<Req>& access, const CallContext& context, std::shared_ptr<Sink<Resp>> sink) {
  const absl::Status allowed = CheckRole(context.caller, access.roles);
  // Whose stream it is, its first message says.
  if (!allowed.ok() || access.person == nullptr) {
    Record<Req>({.context = context, .service = S::kName, .method = name, .stream = true}, access, nullptr, allowed);
  }
  if (!allowed.ok()) {
    sink->Finish(allowed);
    return nullptr;
  }
  std::shared_ptr<InboundSession<Req>> session = (service.*open)(context, sink);
  if (access.person == nullptr) return session;
  return std::make_shared<CheckedSession<Req, Resp>>(access, context, S::kName, name, std::move(sink),
                                                     std::move(session));
}

}  // namespace detail

// Of streams with an inbound half, each message is checked that names a person. The response is always empty: nothing
// may be sent on the sink.
template <typename S, typename Req, typename Resp>
struct ClientStream {
  using Request = Req;
  using Response = Resp;
  static constexpr bool kClientStreams = true;
  static constexpr bool kServerStreams = false;

  constexpr ClientStream(const char* name,
                         std::shared_ptr<InboundSession<Req>> (S::*open)(const CallContext&,
                                                                         std::shared_ptr<Sink<Resp>>),
                         const Access<Req>& access, const StreamOptions& options = {})
      : name(name), open(open), access(access), options(options) {}

  std::shared_ptr<InboundSession<Req>> Open(S& service, const CallContext& context,
                                            std::shared_ptr<Sink<Resp>> sink) const {
    return detail::OpenChecked(service, name, open, access, context, std::move(sink));
  }

  const char* name;
  std::shared_ptr<InboundSession<Req>> (S::*open)(const CallContext&, std::shared_ptr<Sink<Resp>>);
  Access<Req> access;
  StreamOptions options;
};

template <typename S, typename Req, typename Resp>
struct Bidi {
  using Request = Req;
  using Response = Resp;
  static constexpr bool kClientStreams = true;
  static constexpr bool kServerStreams = true;

  constexpr Bidi(const char* name,
                 std::shared_ptr<InboundSession<Req>> (S::*open)(const CallContext&, std::shared_ptr<Sink<Resp>>),
                 const Access<Req>& access, const StreamOptions& options = {})
      : name(name), open(open), access(access), options(options) {}

  std::shared_ptr<InboundSession<Req>> Open(S& service, const CallContext& context,
                                            std::shared_ptr<Sink<Resp>> sink) const {
    return detail::OpenChecked(service, name, open, access, context, std::move(sink));
  }

  const char* name;
  std::shared_ptr<InboundSession<Req>> (S::*open)(const CallContext&, std::shared_ptr<Sink<Resp>>);
  Access<Req> access;
  StreamOptions options;
};

namespace detail {

template <typename Request, typename... Rows>
constexpr std::size_t RowOf(const std::tuple<Rows...>*) {
  std::size_t row = 0;
  (void)((std::is_same_v<Request, typename Rows::Request> || (++row, false)) || ...);
  return row;
}

}  // namespace detail

// The row of the method that takes `Request`.
template <typename S, typename Request>
constexpr auto MethodOf() {
  using Table = decltype(S::Methods());
  return std::get<detail::RowOf<Request>(static_cast<const Table*>(nullptr))>(S::Methods());
}

// The response of the method that takes `Request`.
template <typename S, typename Request>
using ResponseTo = typename decltype(MethodOf<S, Request>())::Response;

}  // namespace hail::rpc
