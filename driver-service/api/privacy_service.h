// hail.internal.v1.PrivacyService at driver-service, called by operators. Each erasure, done or refused, leaves a line
// in the log, without the driver's id.
#pragma once

#include <memory>
#include <string>
#include <tuple>

#include "common/rpc/methods.h"
#include "driver-service/api/dispatch_host.h"
#include "driver-service/api/rider_calls.h"
#include "driver-service/domain/driver_store.h"
#include "driver-service/domain/person_store.h"
#include "hail/internal/v1/privacy_service.pb.h"

namespace hail::driver {

// Thread-safe.
class PrivacyService final {
 public:
  // Nothing is stored about riders.
  static constexpr char kName[] = "hail.internal.v1.PrivacyService";
  static constexpr auto Methods() {
    constexpr rpc::Roles kOperators = {auth::Role::kOperator};
    return std::tuple(
        rpc::Unary("EraseDriver", &PrivacyService::EraseDriver,
                   {.roles = kOperators, .limit = limits::Class::kWrite, .audit = audit::Audited::kAlways}),
        rpc::Unary("ExportDriver", &PrivacyService::ExportDriver,
                   {.roles = kOperators,
                    .about = &PrivacyService::DriverOf,
                    .limit = limits::Class::kWrite,
                    .audit = audit::Audited::kAlways}));
  }

  // All must outlive every call.
  struct Ports {
    DispatchHost* host = nullptr;
    RiderCalls* rider = nullptr;
    DriverStore* drivers = nullptr;
    PersonStore* persons = nullptr;
  };
  explicit PrivacyService(const Ports& ports) : ports_(ports) {}

  void EraseDriver(const rpc::CallContext& call, const internal::v1::EraseDriverRequest& request,
                   Done<internal::v1::EraseDriverResponse> done);
  void ExportDriver(const rpc::CallContext& call, const internal::v1::ExportDriverRequest& request,
                    Done<internal::v1::ExportDriverResponse> done);

 private:
  // For the audit log. That of an erasure names nobody: the id is gone afterwards.
  static const std::string& DriverOf(const internal::v1::ExportDriverRequest& request) { return request.driver_id(); }

  struct Erasing;

  // The steps of an erasure; each ends it with an error or starts the next.
  void CheckRides(std::shared_ptr<Erasing> erasing);
  void EraseProfile(std::shared_ptr<Erasing> erasing);
  void DeleteOffers(std::shared_ptr<Erasing> erasing);
  void AddOffers(const std::string& driver_id, const std::string& after, internal::v1::ExportDriverResponse response,
                 Done<internal::v1::ExportDriverResponse> done);

  const Ports ports_;
};

}  // namespace hail::driver
