// Unary calls on their way to the replica that has the driver's session: requests and replies over the bus. Which calls
// those are, and what the owner of the session does for them, is in DriverService's table.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/bus/request_reply.h"
#include "common/exec/done.h"
#include "driver-service/api/dispatch_host.h"

namespace hail::driver {

// Thread-safe. The replica that was called checks who calls; the others believe it.
class SessionCalls {
 public:
  // Serves a forwarded call (rpc::ServeForwarded). On the loop; must not block.
  using Serve = std::function<void(const std::string& method, const std::string& request, absl::Time deadline,
                                   Done<std::string> done)>;

  // `host` must outlive this.
  explicit SessionCalls(DispatchHost* host) : host_(host) {}

  // Forwards calls, and serves those of other replicas, over `bus`, which must outlive this. Before any call.
  void Join(Bus* bus, Serve serve);
  // Serves no more calls of others. Before the loop stops.
  void Leave();
  // Whether there may be other replicas.
  bool joined() const { return asker_ != nullptr; }

  // Has the replica `owner` do a call. `done` gets the bytes of its response or its error; PEER_UNAVAILABLE if it does
  // not answer in time. `no_session` runs instead if it has no session of the driver. On any thread; after the loop has
  // stopped perhaps neither.
  void Forward(const std::string& owner, const std::string& driver_id, const char* method, const std::string& request,
               Done<std::string> done, std::function<void()> no_session);

  // The owner of the session cannot be asked.
  static absl::Status NoAnswer();

 private:
  void OnForwarded(std::string_view bytes, const RequestServer::Reply& reply);

  DispatchHost* const host_;
  Serve serve_;
  std::unique_ptr<RequestClient> asker_;
  std::unique_ptr<RequestServer> request_server_;
};

}  // namespace hail::driver
