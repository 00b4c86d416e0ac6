#include "tests/tools/hail-load/register.h"

#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/tools/hail-load/authorize.h"

namespace hail::load {
namespace {

using hail::driver::v1::DriverService;

constexpr absl::Duration kDeadline = absl::Seconds(20);
constexpr int kClerks = 16;

grpc::Status RegisterOne(DriverService::Stub& stub, const std::string& driver_id) {
  hail::driver::v1::RegisterDriverRequest request;
  auto& driver = *request.mutable_driver();
  driver.set_driver_id(driver_id);
  driver.set_display_name("Ada");
  driver.set_region_id("san_francisco");
  driver.mutable_vehicle()->set_plate(driver_id.size() > 32 ? driver_id.substr(driver_id.size() - 32) : driver_id);
  driver.mutable_vehicle()->set_seats(4);
  driver.add_product_ids("economy");
  grpc::Status status;
  for (int attempt = 0; attempt < 20; ++attempt) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(absl::ToChronoTime(absl::Now() + kDeadline));
    AuthorizeServer(&context);
    hail::driver::v1::RegisterDriverResponse response;
    status = stub.RegisterDriver(&context, request, &response);
    if (status.ok()) break;
    absl::SleepFor(absl::Milliseconds(200));
  }
  return status;
}

}  // namespace

absl::Status RegisterDrivers(const std::vector<std::unique_ptr<DriverService::Stub>>& stubs,
                             const std::vector<std::string>& driver_ids) {
  std::atomic<std::size_t> next = 0;
  std::atomic<int> failed = 0;
  std::vector<std::thread> clerks;
  for (int clerk = 0; clerk < kClerks; ++clerk) {
    clerks.emplace_back([&] {
      for (std::size_t i; (i = next++) < driver_ids.size();) {
        if (!RegisterOne(*stubs[i % stubs.size()], driver_ids[i]).ok()) ++failed;
      }
    });
  }
  for (std::thread& clerk : clerks) clerk.join();
  if (failed == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat(failed.load(), " drivers could not be registered"));
}

}  // namespace hail::load
