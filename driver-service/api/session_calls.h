// Forwards unary calls to the replica that has the driver's session: requests and replies over the bus. DriverService's
// table defines the forwarded calls and their implementation at the owner.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/auth/caller.h"
#include "common/bus/request_reply.h"
#include "common/exec/done.h"
#include "common/rpc/call_context.h"
#include "driver-service/api/dispatch_host.h"

namespace hail::driver {

// Thread-safe. The called replica checks the caller; the owner trusts it, and learns who calls.
class SessionCalls {
 public:
  // Serves a forwarded call (rpc::ServeForwarded). On the loop; must not block.
  using Serve = std::function<void(const std::string& method, const std::string& request, const rpc::CallContext& call,
                                   Done<std::string> done)>;

  // `host` must outlive this.
  explicit SessionCalls(DispatchHost* host) : host_(host) {}

  // Starts to forward calls and to serve calls of other replicas over `bus`, which must outlive this. Must be called
  // before any call.
  void Join(Bus* bus, Serve serve);
  // Stops serving other replicas' calls. Must be called before the loop stops.
  void Leave();
  // Whether there may be other replicas.
  bool joined() const { return asker_ != nullptr; }

  // Forwards a call of `caller` to the replica `owner`. `done` gets the bytes of the response, or an error:
  // PEER_UNAVAILABLE if the owner does not answer in time. `no_session` runs instead if the owner has no session of the
  // driver. On any thread; after the loop has stopped possibly neither runs.
  void Forward(const std::string& owner, const auth::Caller& caller, const std::string& driver_id, const char* method,
               const std::string& request, Done<std::string> done, std::function<void()> no_session);

  // The owner of the session does not answer.
  static absl::Status NoAnswer();

 private:
  void OnForwarded(std::string_view bytes, const RequestServer::Reply& reply);

  DispatchHost* const host_;
  Serve serve_;
  std::unique_ptr<RequestClient> asker_;
  std::unique_ptr<RequestServer> request_server_;
};

}  // namespace hail::driver
