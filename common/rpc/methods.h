// A service is a plain class, and one table says all there is to say of its methods. Registration with gRPC
// (service.h), authorization, admission under load, forwarding (forwarding.h), the labels of metrics and the
// simulation's network come from the table.
//
//   class RiderService {
//    public:
//     static constexpr char kName[] = "hail.rider.v1.RiderService";
//     static constexpr auto Methods() {
//       return std::tuple(rpc::Unary("GetRide", &RiderService::GetRide, {.person = &RiderService::RiderOf}),
//                         rpc::Unary("ListProducts", &RiderService::ListProducts),
//                         rpc::ServerStream("WatchRide", &RiderService::WatchRide, {.queue = 128}),
//                         rpc::Bidi("StreamRide", &RiderService::StreamRide));
//     }
//
//     void GetRide(const rpc::CallContext& call, const GetRideRequest& request, Done<GetRideResponse> done);
//     std::shared_ptr<rpc::StreamSession> WatchRide(const rpc::CallContext& call, const WatchRideRequest& request,
//                                                   std::shared_ptr<rpc::Sink<WatchRideResponse>> sink);
//     std::shared_ptr<rpc::InboundSession<StreamRideRequest>> StreamRide(
//         const rpc::CallContext& call, std::shared_ptr<rpc::Sink<StreamRideResponse>> sink);
//     …
//
// Methods are called on a transport's threads, many at once, and must not block. A unary method answers with `done`,
// once, then or later, on any thread; `call` and `request` live until `done` is called or let go of. If it lets go of
// `done` without calling it, the call ends with INTERNAL. `call` of a stream lives until the method has returned.
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
#include "common/rpc/identity.h"
#include "common/rpc/sink.h"
#include "common/rpc/stream_session.h"

namespace hail::rpc {

struct StreamOptions {
  // Messages that may wait for a slow reader.
  std::size_t queue = 256;
  // Only for streams with an inbound half: the client sends heartbeats, and is gone after GateOptions::silence.
  bool must_beat = true;
  // Only for streams with an inbound half: larger messages end the stream with INVALID_ARGUMENT. 0: the gate's limit.
  std::size_t max_message_bytes = 0;
  // GateOptions::stream_age holds for it.
  bool ages = true;
  // The initial metadata goes out as soon as there is a session, for clients that send nothing before it
  // (client_stream.h). Otherwise it goes out with the first message, so that a stream that is refused, by the session
  // too, is refused before any headers: clients and proxies may then try another replica.
  bool greets = false;
};

// Whom a request names, and in which field of it.
struct Person {
  const std::string& id;
  const char* field;
};

template <typename S, typename Req, typename Resp>
struct UnaryOptions {
  // The rider or driver for whom the caller must be allowed to speak (identity.h). Null: the call concerns nobody.
  Person (*person)(const Req&) = nullptr;
  // Is asked before the request is read, and may refuse: under overload most calls get no further. Null: every call
  // gets in.
  absl::Status (S::*admit)(absl::Time deadline) const = nullptr;
  // The call's work at the replica that has the person's session: another replica forwards the call to it
  // (forwarding.h). Null: the call needs no session.
  void (S::*at_owner)(const CallContext&, const Req&, Done<Resp>) = nullptr;
};

// The rows of a table. `S` is the class, `Req` and `Resp` are the messages.

template <typename S, typename Req, typename Resp>
struct Unary {
  using Request = Req;
  using Response = Resp;
  static constexpr bool kClientStreams = false;
  static constexpr bool kServerStreams = false;

  constexpr Unary(const char* name, void (S::*call)(const CallContext&, const Req&, Done<Resp>),
                  const UnaryOptions<S, Req, Resp>& options = {})
      : name(name), call(call), options(options) {}

  absl::Status Admit(const S& service, absl::Time deadline) const {
    return options.admit == nullptr ? absl::OkStatus() : (service.*options.admit)(deadline);
  }

  // What a transport calls: the method, for those who may.
  void Serve(S& service, const CallContext& context, const Req& request, Done<Resp> done) const {
    if (options.person != nullptr) {
      const Person person = options.person(request);
      const absl::Status speaks = CheckSpeaksFor(context.caller, person.id, person.field);
      if (!speaks.ok()) return done(speaks);
    }
    (service.*call)(context, request, std::move(done));
  }

  const char* name;
  void (S::*call)(const CallContext&, const Req&, Done<Resp>);
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
                         const StreamOptions& options = {})
      : name(name), open(open), options(options) {}

  const char* name;
  std::shared_ptr<StreamSession> (S::*open)(const CallContext&, const Req&, std::shared_ptr<Sink<Resp>>);
  StreamOptions options;
};

// Its response is always the empty one: nothing may be sent on the sink.
template <typename S, typename Req, typename Resp>
struct ClientStream {
  using Request = Req;
  using Response = Resp;
  static constexpr bool kClientStreams = true;
  static constexpr bool kServerStreams = false;

  constexpr ClientStream(const char* name,
                         std::shared_ptr<InboundSession<Req>> (S::*open)(const CallContext&,
                                                                         std::shared_ptr<Sink<Resp>>),
                         const StreamOptions& options = {})
      : name(name), open(open), options(options) {}

  const char* name;
  std::shared_ptr<InboundSession<Req>> (S::*open)(const CallContext&, std::shared_ptr<Sink<Resp>>);
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
                 const StreamOptions& options = {})
      : name(name), open(open), options(options) {}

  const char* name;
  std::shared_ptr<InboundSession<Req>> (S::*open)(const CallContext&, std::shared_ptr<Sink<Resp>>);
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
