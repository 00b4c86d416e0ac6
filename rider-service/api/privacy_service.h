// hail.internal.v1.PrivacyService at rider-service, called by operators. Each erasure, done or refused, leaves a line
// in the log, without the person's id.
#pragma once

#include <string>
#include <tuple>

#include "common/rpc/methods.h"
#include "hail/internal/v1/privacy_service.pb.h"
#include "rider-service/domain/people.h"

namespace hail::rider {

// Thread-safe.
class PrivacyService final {
 public:
  static constexpr char kName[] = "hail.internal.v1.PrivacyService";
  static constexpr auto Methods() {
    constexpr rpc::Roles kOperators = {auth::Role::kOperator};
    // driver-service erases and exports what is kept here about a driver along with its own.
    constexpr rpc::Roles kOperatorsAndPeer = {auth::Role::kOperator, auth::Role::kDriverService};
    return std::tuple(
        rpc::Unary("EraseRider", &PrivacyService::EraseRider,
                   {.roles = kOperators, .limit = limits::Class::kWrite, .audit = audit::Audited::kAlways}),
        rpc::Unary("ExportRider", &PrivacyService::ExportRider,
                   {.roles = kOperators,
                    .about = &PrivacyService::RiderOf,
                    .limit = limits::Class::kWrite,
                    .audit = audit::Audited::kAlways}),
        rpc::Unary("EraseDriver", &PrivacyService::EraseDriver,
                   {.roles = kOperatorsAndPeer, .limit = limits::Class::kWrite, .audit = audit::Audited::kAlways}),
        rpc::Unary("ExportDriver", &PrivacyService::ExportDriver,
                   {.roles = kOperatorsAndPeer,
                    .about = &PrivacyService::DriverOf,
                    .limit = limits::Class::kWrite,
                    .audit = audit::Audited::kAlways}));
  }

  // `people` must outlive every call.
  explicit PrivacyService(People* people) : people_(people) {}

  void EraseRider(const rpc::CallContext& call, const internal::v1::EraseRiderRequest& request,
                  Done<internal::v1::EraseRiderResponse> done);
  void ExportRider(const rpc::CallContext& call, const internal::v1::ExportRiderRequest& request,
                   Done<internal::v1::ExportRiderResponse> done);
  void EraseDriver(const rpc::CallContext& call, const internal::v1::EraseDriverRequest& request,
                   Done<internal::v1::EraseDriverResponse> done);
  void ExportDriver(const rpc::CallContext& call, const internal::v1::ExportDriverRequest& request,
                    Done<internal::v1::ExportDriverResponse> done);

 private:
  // For the audit log. That of an erasure names nobody: the id is gone afterwards.
  static const std::string& RiderOf(const internal::v1::ExportRiderRequest& request) { return request.rider_id(); }
  static const std::string& DriverOf(const internal::v1::ExportDriverRequest& request) { return request.driver_id(); }

  People* const people_;
};

}  // namespace hail::rider
