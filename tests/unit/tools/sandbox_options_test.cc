#include "tests/tools/hail-sim/sandbox_options.h"

#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hail::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

SandboxArguments ForARidersApp() {
  SandboxArguments arguments;
  arguments.driver = "127.0.0.1:50052";
  arguments.rider_internal = "127.0.0.1:50061";
  arguments.around = "37.7936,-122.3965";
  return arguments;
}

SandboxArguments ForADriversApp() {
  SandboxArguments arguments;
  arguments.around = "37.7936,-122.3965";
  arguments.riders = 2;
  return arguments;
}

RunOptions Shared() {
  RunOptions options;
  options.rider_address = "127.0.0.1:50051";
  return options;
}

std::vector<std::string> ProblemsOf(const SandboxArguments& arguments,
                                    const absl::StatusOr<RunOptions>& shared = Shared()) {
  const absl::StatusOr<SandboxOptions> options = CheckSandbox(arguments, shared);
  if (options.ok()) return {};
  return absl::StrSplit(options.status().message(), '\n');
}

TEST(CheckSandbox, HasDriversUnlessThereAreRiders) {
  const SandboxOptions drivers = *CheckSandbox(ForARidersApp(), Shared());
  EXPECT_EQ(drivers.drivers, kSandboxDrivers);
  EXPECT_EQ(drivers.riders, 0);
  EXPECT_EQ(drivers.around, (LatLng{37.7936, -122.3965}));
  EXPECT_EQ(drivers.run.rider_address, "127.0.0.1:50051");
  EXPECT_EQ(drivers.run.run_id, "sandbox");
  const SandboxOptions riders = *CheckSandbox(ForADriversApp(), Shared());
  EXPECT_EQ(riders.drivers, 0);
  EXPECT_EQ(riders.riders, 2);
  EXPECT_EQ(riders.every, absl::Seconds(30));
  EXPECT_EQ(riders.rider_script, nullptr);
  SandboxArguments both = ForARidersApp();
  both.riders = 1;
  both.drivers = 4;
  both.rider_script = "note";
  both.run_id = "mine";
  const SandboxOptions checked = *CheckSandbox(both, Shared());
  EXPECT_EQ(checked.drivers, 4);
  EXPECT_EQ(checked.rider_script, FindRiderScript("note"));
  EXPECT_EQ(checked.run.run_id, "mine");
}

TEST(CheckSandbox, ListsAllProblems) {
  SandboxArguments arguments;
  arguments.drivers = 501;
  arguments.riders = 501;
  arguments.radius_m = 10'001;
  arguments.every_s = 0;
  arguments.around = "here";
  arguments.rider_script = "no-such";
  arguments.foreign = {"--decline", "--trips"};
  EXPECT_THAT(ProblemsOf(arguments, absl::InvalidArgumentError("--rider is required")),
              ElementsAre("--rider is required", HasSubstr("--driver is"), HasSubstr("--rider-internal is"),
                          HasSubstr("--drivers must"), HasSubstr("--riders must"), HasSubstr("--around must"),
                          HasSubstr("--radius must"), HasSubstr("--every must"), HasSubstr("ride, note, "),
                          HasSubstr("--decline has no meaning"), HasSubstr("--trips has no meaning")));
}

TEST(CheckSandbox, RequiresSomebodyAndAPlace) {
  SandboxArguments arguments;
  arguments.drivers = 0;
  arguments.rider_script = "ride";
  EXPECT_THAT(ProblemsOf(arguments), ElementsAre(HasSubstr("neither"), HasSubstr("--around is required"),
                                                 HasSubstr("no meaning without --riders")));
}

TEST(CheckSandbox, RefusesWhatIsNoNumber) {
  SandboxArguments arguments = ForADriversApp();
  arguments.radius_m = arguments.every_s = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(ProblemsOf(arguments), ElementsAre(HasSubstr("--radius"), HasSubstr("--every")));
}

}  // namespace
}  // namespace hail::sim
