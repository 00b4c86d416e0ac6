// hailctl rider …, and hailctl driver erase and export: the commands of an operator who answers for people's data. They
// call the services' internal addresses.
#pragma once

#include <string>

#include "tests/tools/hailctl/context.h"

namespace hail::ctl {

struct PrivacyArguments {
  std::string id;
  // The operator and the reason; for erasures.
  std::string note;
};

ExitCode RiderErase(Context& context, const PrivacyArguments& arguments);
// Each page is one JSON object on a line, whatever the output format.
ExitCode RiderExport(Context& context, const PrivacyArguments& arguments);
// Of both services, driver-service first: it keeps the driver from further rides. Ends with the first failure; repeat
// it then.
ExitCode DriverErase(Context& context, const PrivacyArguments& arguments);
ExitCode DriverExport(Context& context, const PrivacyArguments& arguments);

}  // namespace hail::ctl
