// hailctl driver …: the commands of a driver.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/tools/hailctl/context.h"

namespace hail::ctl {

// Arguments of the command line; empty if missing. Each command reads those that concern it.
struct DriverArguments {
  std::string driver_id;
  std::string name;
  std::string region = "san_francisco";
  std::string make;
  std::string model;
  std::string color;
  std::string plate;
  int seats = 4;
  std::vector<std::string> products = {"economy"};
  std::string at;
  std::string offer_id;
  std::string answer;
  std::string ride_id;
  std::string step;
  std::int64_t epoch = 0;
  int leg = -1;
  std::string reason;
  std::string note;
  bool accept = false;
  double speed_mps = 11;
  double boarding_s = 3;
  int rides = 0;
  int limit = 20;
};

ExitCode DriverRegister(Context& context, const DriverArguments& arguments);
ExitCode DriverShow(Context& context, const DriverArguments& arguments);
// With --at also reports the position.
ExitCode DriverOnline(Context& context, const DriverArguments& arguments);
ExitCode DriverOffline(Context& context, const DriverArguments& arguments);
ExitCode DriverRespond(Context& context, const DriverArguments& arguments);
// The values of DriverArguments::step: each action of AdvanceTripRequest by its name.
std::vector<std::string> TripActions();
ExitCode DriverStep(Context& context, const DriverArguments& arguments);
ExitCode DriverTrips(Context& context, const DriverArguments& arguments);
// Keeps a session open until interrupted, replaced, or `rides` rides were completed; then goes offline.
ExitCode DriverDrive(Context& context, const DriverArguments& arguments);

}  // namespace hail::ctl
