// One dispatch link: rider-service's stream of rides that need a driver.
#pragma once

#include <memory>

#include "common/rpc/sink.h"
#include "common/rpc/stream_session.h"
#include "driver-service/api/dispatch_host.h"
#include "hail/internal/v1/dispatch_service.pb.h"

namespace hail::driver {

class DispatchStream final : public rpc::InboundSession<internal::v1::DispatchRequest> {
 public:
  using Sink = rpc::Sink<internal::v1::DispatchResponse>;

  // `host` must outlive the stream's calls.
  DispatchStream(DispatchHost& host, std::shared_ptr<Sink> sink)
      : host_(host), sink_(std::move(sink)), link_(host.NewId()) {}

  void OnMessage(const internal::v1::DispatchRequest& request) override;
  void OnHalfClose() override { sink_->Finish(); }
  void OnHeartbeat() override;
  // No farewell message: rider-service opens the next link after any end.
  void OnDrain(absl::Duration) override { sink_->Finish(); }
  void OnEnd() override;

 private:
  void OnHello(const internal::v1::LinkHello& hello);
  void OnStart(const internal::v1::StartDispatch& start);

  DispatchHost& host_;
  const std::shared_ptr<Sink> sink_;
  const LinkId link_;
  // Used by the session's serial calls only, so it needs no lock.
  bool said_hello_ = false;
};

}  // namespace hail::driver
