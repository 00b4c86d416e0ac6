// Forwarded calls: calls of a table (methods.h) that need a session, which may be on another replica. The called
// replica forwards the bytes of the request; the replica with the session serves them here, by the table.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "common/errors/error.h"
#include "common/exec/done.h"
#include "common/rpc/methods.h"

namespace hail::rpc {

namespace detail {

// False if the row belongs to another method.
template <typename S, typename Row>
bool ServeForwardedBy(const Row& row, S& service, std::string_view method, const std::string& bytes,
                      const CallContext& context, const Done<std::string>& done) {
  if constexpr (Row::kClientStreams || Row::kServerStreams) {
    return false;
  } else {
    if (row.options.at_owner == nullptr || method != row.name) return false;
    struct Arrived {
      CallContext context;
      typename Row::Request request;
    };
    const auto arrived = std::make_shared<Arrived>();
    arrived->context = context;
    if (!arrived->request.ParseFromString(bytes)) {
      done(Internal("a forwarded request cannot be read"));
      return true;
    }
    (service.*row.options.at_owner)(arrived->context, arrived->request,
                                    [arrived, done](const absl::StatusOr<typename Row::Response>& response) {
                                      if (!response.ok()) return done(response.status());
                                      done(response->SerializeAsString());
                                    });
    return true;
  }
}

}  // namespace detail

// Serves the call `method` that another replica has forwarded. That replica has checked the caller by the table, so
// context.caller only says who it is. `bytes` is the encoded request; `done` gets the encoded response.
// PEER_UNAVAILABLE if this version does not know the method, or does not serve it for other replicas: the other replica
// is newer.
template <typename S>
void ServeForwarded(S& service, std::string_view method, const std::string& bytes, const CallContext& context,
                    const Done<std::string>& done) {
  const bool served = std::apply(
      [&](const auto&... rows) {
        return (detail::ServeForwardedBy(rows, service, method, bytes, context, done) || ...);
      },
      S::Methods());
  if (served) return;
  done(Unavailable(Reason::kPeerUnavailable,
                   "the replica that has the session is of a version without this call; retry"));
}

}  // namespace hail::rpc
