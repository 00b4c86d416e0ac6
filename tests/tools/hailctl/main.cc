// The command line: the commands and their options. The file of the same name implements each command.
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "common/rpc/tls.h"
#include "common/text/text.h"
#include "hail/type/v1/ride.pb.h"
#include "tests/tools/hailctl/context.h"
#include "tests/tools/hailctl/driver_commands.h"
#include "tests/tools/hailctl/format.h"
#include "tests/tools/hailctl/health.h"
#include "tests/tools/hailctl/privacy_commands.h"
#include "tests/tools/hailctl/ride_commands.h"
#include "tests/tools/hailctl/token_command.h"
#include "tests/tools/tls_options.h"

namespace hail::ctl {
namespace {

constexpr char kFooter[] =
    "Places are LAT,LNG or LAT,LNG,ADDRESS in degrees; write --at=-33.86,151.2 for a latitude below zero.\n"
    "Exit codes: 0 done; 1 bug; 2 wrong command line or field; 3 not found; 4 refused; 5 no answer or too busy, try\n"
    "again; 6 the watched ride was canceled or found no driver.";

// Where `hailctl token` keeps its key.
constexpr char kKeyFolder[] = "hail-data/keys";

struct Command {
  std::function<ExitCode(Context&)> run;
  TokenFor bearer;
};

// The subject of a token where the command names nobody.
constexpr char kNobody[] = "hailctl";

TokenFor RiderOf(const RideArguments& arguments) {
  return {.role = "rider", .subject = arguments.rider_id.empty() ? kNobody : arguments.rider_id};
}

std::vector<std::string> CancelReasons() {
  using hail::type::v1::CancelReason;
  std::vector<std::string> words;
  for (const std::string& word : Words<CancelReason>()) {
    // The last three reasons are Hail's own.
    if (FromWord<CancelReason>(word) < hail::type::v1::CANCEL_REASON_DRIVER_UNREACHABLE) words.push_back(word);
  }
  return words;
}

std::vector<std::string> StepReasons() {
  std::vector<std::string> words = Words<hail::type::v1::WaitReason>();
  for (std::string& word : CancelReasons()) words.push_back(std::move(word));
  return words;
}

void AddRideCommands(CLI::App& app, RideArguments& arguments, Command& chosen) {
  CLI::App& ride = *app.add_subcommand("ride", "what a rider can do")->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& what,
                       ExitCode (*run)(Context&, const RideArguments&)) {
    CLI::App& command = *ride.add_subcommand(name, what);
    command.callback([&arguments, &chosen, run] {
      chosen = {[&arguments, run](Context& c) { return run(c, arguments); }, RiderOf(arguments)};
    });
    return &command;
  };
  const auto rider_id = [&](CLI::App* command) {
    command->add_option("--rider-id", arguments.rider_id, "the rider's id")->required();
  };
  const auto trip = [&](CLI::App* command) {
    command->add_option("--from", arguments.from, "the pickup: LAT,LNG[,ADDRESS]")->required();
    command->add_option("--to", arguments.to, "the drop-off: LAT,LNG[,ADDRESS]")->required();
    command->add_option("--seats", arguments.seats, "seats")->capture_default_str();
  };

  CLI::App* products = add("products", "the products offered at a position", RideProducts);
  products->add_option("--at", arguments.at, "LAT,LNG")->required();

  CLI::App* quote = add("quote", "price a ride and hold the price", RideQuote);
  rider_id(quote);
  trip(quote);
  quote->add_option("--product", arguments.product_id, "only this product");

  CLI::App* request = add("request", "request a ride", RideRequest);
  rider_id(request);
  trip(request);
  request->add_option("--product", arguments.product_id, "the product: economy, say")->required();
  request->add_option("--quote-token", arguments.quote_token, "from `ride quote`: the price that was held");
  request->add_option("--request-id", arguments.request_id, "makes repeating safe; a new one if not given");
  request->add_option("--name", arguments.name, "what the driver calls the rider");
  request->add_option("--note", arguments.note, "for the driver, about the pickup");
  request->add_option("--label", arguments.labels, "KEY=VALUE, a mark of your own; may be repeated");
  request->add_flag("--watch", arguments.watch, "then watch it to its end");

  CLI::App* get = add("get", "a ride as it is now; without RIDE_ID the rider's live ride", RideGet);
  rider_id(get);
  get->add_option("RIDE_ID", arguments.ride_id, "the ride");

  CLI::App* watch = add("watch", "follow a ride to its end", RideWatch);
  rider_id(watch);
  watch->add_option("RIDE_ID", arguments.ride_id, "the ride")->required();
  watch->add_option("--after", arguments.after, "the last sequence you know: events after it, no snapshot");

  CLI::App* cancel = add("cancel", "call a ride off", RideCancel);
  rider_id(cancel);
  cancel->add_option("RIDE_ID", arguments.ride_id, "the ride")->required();
  cancel->add_option("--reason", arguments.reason, "why")->check(CLI::IsMember(CancelReasons()));
  cancel->add_option("--note", arguments.note, "in your own words");

  CLI::App* list = add("list", "the rider's rides, latest first", RideList);
  rider_id(list);
  list->add_option("--state", arguments.states, "only rides in this state; may be repeated")
      ->check(CLI::IsMember(Words<hail::type::v1::RideState>()));
  list->add_option("--limit", arguments.limit, "how many")->capture_default_str()->check(CLI::Range(1, 10'000));

  CLI::App& cars = *app.add_subcommand("cars", "cars for hire near a position");
  cars.callback([&] { chosen = {[&arguments](Context& c) { return Cars(c, arguments); }, RiderOf(arguments)}; });
  cars.add_option("--at", arguments.at, "LAT,LNG")->required();
  cars.add_option("--radius", arguments.radius_m, "metres, at most 5000")->check(CLI::Range(1.0, 5000.0));
  cars.add_option("--product", arguments.product_id, "only this product");
  cars.add_option("--limit", arguments.limit, "how many")->capture_default_str()->check(CLI::Range(1, 50));
}

void AddDriverCommands(CLI::App& app, DriverArguments& arguments, Command& chosen) {
  CLI::App& driver = *app.add_subcommand("driver", "what a driver can do")->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& what,
                       ExitCode (*run)(Context&, const DriverArguments&)) {
    CLI::App& command = *driver.add_subcommand(name, what);
    command.callback([&arguments, &chosen, run] {
      // Drivers are registered by the operator's backend.
      const bool registers = run == &DriverRegister;
      chosen = {[&arguments, run](Context& c) { return run(c, arguments); },
                registers ? ServerToken(kNobody) : TokenFor{.role = "driver", .subject = arguments.driver_id}};
    });
    command.add_option("DRIVER_ID", arguments.driver_id, "the driver's id")->required();
    return &command;
  };

  CLI::App* registration = add("register", "make a driver known", DriverRegister);
  registration->add_option("--name", arguments.name, "the name that riders see");
  registration->add_option("--region", arguments.region, "where the driver works")->capture_default_str();
  registration->add_option("--plate", arguments.plate, "the licence plate")->required();
  registration->add_option("--make", arguments.make, "the car's maker");
  registration->add_option("--model", arguments.model, "the car's model");
  registration->add_option("--color", arguments.color, "the car's colour");
  registration->add_option("--seats", arguments.seats, "seats for passengers")->capture_default_str();
  registration->add_option("--product", arguments.products, "what it can be ordered as; may be repeated")
      ->capture_default_str();

  add("show", "what the driver is doing: offer, ride", DriverShow);

  CLI::App* online = add("online", "want rides", DriverOnline);
  online->add_option("--at", arguments.at, "LAT,LNG: where the car is");

  add("offline", "want no rides after the present one", DriverOffline);

  CLI::App* respond = add("respond", "answer an offer", DriverRespond);
  respond->add_option("OFFER_ID", arguments.offer_id, "the offer")->required();
  respond->add_option("ANSWER", arguments.answer, "accept or decline")
      ->required()
      ->check(CLI::IsMember(Words<hail::driver::v1::OfferResponse>()));

  CLI::App* step = add("step", "move the driver's ride on", DriverStep);
  step->add_option("RIDE_ID", arguments.ride_id, "the ride")->required();
  step->add_option("STEP", arguments.step, "seen, arrive, start, complete, wait or cancel")
      ->required()
      ->check(CLI::IsMember(TripActions()));
  step->add_option("--epoch", arguments.epoch, "the assignment; the ride in hand's if not given");
  step->add_option("--leg", arguments.leg, "the leg; the ride in hand's if not given");
  step->add_option("--reason", arguments.reason, "why, for wait and cancel")->check(CLI::IsMember(StepReasons()));
  step->add_option("--note", arguments.note, "in your own words, for cancel");

  CLI::App* trips = add("trips", "the driver's trips, latest first", DriverTrips);
  trips->add_option("--limit", arguments.limit, "how many")->capture_default_str()->check(CLI::Range(1, 10'000));

  CLI::App* drive =
      add("drive", "keep a session open: online, shows offers and rides; Ctrl-C goes offline", DriverDrive);
  drive->add_option("--at", arguments.at, "LAT,LNG: where the car is")->required();
  drive->add_flag("--accept", arguments.accept, "accept every offer and drive the rides");
  drive->add_option("--speed", arguments.speed_mps, "metres per second, with --accept")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 85.0));
  drive->add_option("--boarding", arguments.boarding_s, "seconds from arrival to start, with --accept")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 600.0));
  drive->add_option("--rides", arguments.rides, "stop after so many completed rides; 0: never")
      ->capture_default_str()
      ->check(CLI::Range(0, 1'000'000));
}

void AddTokenCommand(CLI::App& app, TokenArguments& arguments, Command& chosen) {
  CLI::App& command = *app.add_subcommand("token", "print a token for development; makes its key at first use");
  command.footer(std::string("The key is in --token-key, or in ") + kKeyFolder +
                 ": token.key, which signs, and jwks.json for the services (auth.keys) and the edge.");
  command.callback([&] { chosen = {[&arguments](Context& c) { return Token(c, arguments); }, {}}; });
  command.add_option("ROLE", arguments.bearer.role, "rider, driver, viewer, server or operator")
      ->required()
      ->check(CLI::IsMember({"rider", "driver", "viewer", "server", "operator"}));
  command.add_option("SUBJECT", arguments.bearer.subject, "who it is; for a rider or driver the id")->required();
  command.add_option("--seconds", arguments.seconds, "how long it lives; services take no more than an hour")
      ->check(CLI::Range(1.0, 86'400.0))
      ->capture_default_str();
  command.add_option("--rider-id", arguments.bearer.rider_id,
                     "the rider it is for; * for all, as a server or operator");
  command.add_option("--driver-id", arguments.bearer.driver_id, "the driver it is for");
  command.add_option("--ride-id", arguments.bearer.ride_id, "the ride it is for");
}

void AddPrivacyCommands(CLI::App& app, PrivacyArguments& arguments, Command& chosen) {
  const auto add = [&](CLI::App& person, const std::string& id, const std::string& name, const std::string& what,
                       ExitCode (*run)(Context&, const PrivacyArguments&)) {
    CLI::App& command = *person.add_subcommand(name, what);
    command.callback([&arguments, &chosen, run] {
      chosen = {[&arguments, run](Context& c) { return run(c, arguments); }, {}};
    });
    command.add_option(id, arguments.id, "whose data")->required();
    return &command;
  };
  CLI::App& rider = *app.add_subcommand("rider", "what an operator can do with a rider's data")->require_subcommand(1);
  CLI::App& driver = *app.get_subcommand("driver");
  for (CLI::App* erase :
       {add(rider, "RIDER_ID", "erase", "erase the rider from all rides, for good", RiderErase),
        add(driver, "DRIVER_ID", "erase", "for operators: erase the driver, for good", DriverErase)}) {
    erase->add_option("--note", arguments.note, "who does it and why, for the log; name the case, not the person")
        ->required();
  }
  add(rider, "RIDER_ID", "export", "all that is stored of the rider, as JSON", RiderExport);
  add(driver, "DRIVER_ID", "export", "for operators: all that is stored of the driver, as JSON", DriverExport);
}

int Main(int argc, char** argv) {
  Options options;
  RideArguments ride;
  DriverArguments driver;
  PrivacyArguments privacy;
  std::vector<std::string> health;
  TokenArguments token;
  TokenSource::Options tokens;
  Command chosen;

  CLI::App app("A command line for Hail: order rides, drive them, look at them.", "hailctl");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("hailctl ") + HAIL_VERSION);
  app.require_subcommand(1);
  // The options before the command are accepted after it, too.
  app.fallthrough();
  app.add_option("--rider", options.rider_address, "rider-service's public address")
      ->envname("HAILCTL_RIDER")
      ->take_last()
      ->capture_default_str();
  app.add_option("--driver", options.driver_address, "driver-service's public address")
      ->envname("HAILCTL_DRIVER")
      ->take_last()
      ->capture_default_str();
  app.add_option("--rider-internal", options.rider_internal_address, "rider-service's internal address, for operators")
      ->envname("HAILCTL_RIDER_INTERNAL")
      ->take_last()
      ->capture_default_str();
  app.add_option("--driver-internal", options.driver_internal_address,
                 "driver-service's internal address, for operators")
      ->envname("HAILCTL_DRIVER_INTERNAL")
      ->take_last()
      ->capture_default_str();
  app.add_option("--token-file", tokens.file, "file with the token of all calls; read again when it changes")
      ->envname("HAILCTL_TOKEN_FILE")
      ->take_last();
  app.add_option("--token-key", tokens.key,
                 "folder of a development key, which signs a token for each command's rider or driver")
      ->envname("HAILCTL_TOKEN_KEY")
      ->take_last();
  app.add_flag("--json", options.json, "one JSON object a line; failures too, on standard error");
  app.add_option("--timeout", options.timeout_s, "seconds for one call")
      ->take_last()
      ->capture_default_str()
      ->check(CLI::Range(0.01, 3600.0));

  rpc::ChannelTls tls;
  AddTlsOptions(app, &tls, "HAILCTL_");

  AddRideCommands(app, ride, chosen);
  AddDriverCommands(app, driver, chosen);
  AddPrivacyCommands(app, privacy, chosen);
  CLI::App& check = *app.add_subcommand("health", "whether the services serve");
  check.add_option("ADDRESS", health, "only these");
  check.callback([&] { chosen = {[&health](Context& context) { return Health(context, health); }, {}}; });
  AddTokenCommand(app, token, chosen);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // The message repeats the user's input.
    std::ostringstream out;
    std::ostringstream err;
    const int code = app.exit(error, out, err);
    std::cout << ShownLines(out.str());
    std::cerr << ShownLines(err.str());
    return code == 0 ? kOk : kUsage;
  }
  absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> credentials = rpc::MakeChannelCredentials(tls);
  if (!credentials.ok()) {
    std::cerr << "hailctl: " << ShownLines(std::string(credentials.status().message())) << "\n";
    return kUsage;
  }
  options.credentials = *std::move(credentials);
  options.bearer = chosen.bearer;
  // `token` is what makes the key.
  if (!app.got_subcommand("token")) {
    auto source = TokenSource::Make(tokens);
    if (!source.ok()) {
      return Report({.code = grpc::StatusCode::INVALID_ARGUMENT, .message = std::string(source.status().message())},
                    options.json);
    }
    options.tokens = *std::move(source);
  }
  token.folder = tokens.key.empty() ? kKeyFolder : tokens.key;
  Context context(options);
  return chosen.run(context);
}

}  // namespace
}  // namespace hail::ctl

int main(int argc, char** argv) { return hail::ctl::Main(argc, argv); }
