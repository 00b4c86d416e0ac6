// hailctl ride …: the commands of a rider.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/tools/hailctl/context.h"

namespace hail::ctl {

// Arguments of the command line; empty or absent if missing. Each command reads those that concern it.
struct RideArguments {
  std::string rider_id;
  std::string ride_id;
  std::string at;
  std::string from;
  std::string to;
  std::string product_id;
  int seats = 1;
  std::string request_id;
  std::string quote_token;
  std::string name;
  std::vector<std::string> labels;
  bool watch = false;
  std::optional<std::int64_t> after;
  std::string reason;
  std::string note;
  std::vector<std::string> states;
  int limit = 20;
  double radius_m = 0;
};

ExitCode RideProducts(Context& context, const RideArguments& arguments);
ExitCode RideQuote(Context& context, const RideArguments& arguments);
// Retries with the same request_id while the service is unreachable, until the timeout.
ExitCode RideRequest(Context& context, const RideArguments& arguments);
// Without a ride id: the rider's live ride.
ExitCode RideGet(Context& context, const RideArguments& arguments);
ExitCode RideCancel(Context& context, const RideArguments& arguments);
// Reads pages until `limit` rides are shown.
ExitCode RideList(Context& context, const RideArguments& arguments);
// Resumes with the last sequence when the stream breaks; ends with the ride.
ExitCode RideWatch(Context& context, const RideArguments& arguments);
ExitCode Cars(Context& context, const RideArguments& arguments);

}  // namespace hail::ctl
