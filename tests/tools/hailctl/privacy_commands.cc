#include "tests/tools/hailctl/privacy_commands.h"

#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "hail/internal/v1/privacy_service.grpc.pb.h"

namespace hail::ctl {
namespace {

namespace pb = hail::internal::v1;
using Stub = pb::PrivacyService::Stub;

std::unique_ptr<Stub> StubAt(const Context& context, const std::string& address) {
  return pb::PrivacyService::NewStub(context.Connect(address));
}

// Prints all pages of `call`, a method of `stub` for `request`.
template <typename Request, typename Response>
ExitCode PrintPages(Context& context, Stub& stub, Request request,
                    grpc::Status (Stub::*call)(grpc::ClientContext*, const Request&, Response*)) {
  do {
    Response page;
    const grpc::Status status =
        context.Call([&](grpc::ClientContext* client) { return (stub.*call)(client, request, &page); });
    if (!status.ok()) return context.Fail(status);
    request.set_page_token(page.next_page_token());
    page.clear_next_page_token();
    std::cout << JsonText(page) << '\n' << std::flush;
  } while (!request.page_token().empty());
  return kOk;
}

}  // namespace

ExitCode RiderErase(Context& context, const PrivacyArguments& arguments) {
  pb::EraseRiderRequest request;
  request.set_rider_id(arguments.id);
  request.set_note(arguments.note);
  pb::EraseRiderResponse response;
  const auto stub = StubAt(context, context.options().rider_internal_address);
  const grpc::Status status =
      context.Call([&](grpc::ClientContext* call) { return stub->EraseRider(call, request, &response); });
  if (!status.ok()) return context.Fail(status);
  context.Print(response, absl::StrCat("erased from ", response.rides(), " rides\n"));
  return kOk;
}

ExitCode RiderExport(Context& context, const PrivacyArguments& arguments) {
  pb::ExportRiderRequest request;
  request.set_rider_id(arguments.id);
  const auto stub = StubAt(context, context.options().rider_internal_address);
  return PrintPages(context, *stub, std::move(request), &Stub::ExportRider);
}

ExitCode DriverErase(Context& context, const PrivacyArguments& arguments) {
  pb::EraseDriverRequest request;
  request.set_driver_id(arguments.id);
  request.set_note(arguments.note);
  pb::EraseDriverResponse all;
  for (const std::string& address :
       {context.options().driver_internal_address, context.options().rider_internal_address}) {
    pb::EraseDriverResponse response;
    const auto stub = StubAt(context, address);
    const grpc::Status status =
        context.Call([&](grpc::ClientContext* call) { return stub->EraseDriver(call, request, &response); });
    if (!status.ok()) return context.Fail(status);
    all.MergeFrom(response);
  }
  context.Print(all, absl::StrCat(all.profile() ? "erased the profile, " : "no profile; erased ", all.offers(),
                                  " offers, and the driver from ", all.rides(), " rides\n"));
  return kOk;
}

ExitCode DriverExport(Context& context, const PrivacyArguments& arguments) {
  for (const std::string& address :
       {context.options().driver_internal_address, context.options().rider_internal_address}) {
    pb::ExportDriverRequest request;
    request.set_driver_id(arguments.id);
    const auto stub = StubAt(context, address);
    if (const ExitCode code = PrintPages(context, *stub, std::move(request), &Stub::ExportDriver); code != kOk) {
      return code;
    }
  }
  return kOk;
}

}  // namespace hail::ctl
