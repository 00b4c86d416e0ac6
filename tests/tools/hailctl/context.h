// Common parameters of the hailctl commands: the services' addresses, the output format, the time limits.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "google/protobuf/message.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/security/credentials.h"
#include "hail/driver/v1/driver_service.grpc.pb.h"
#include "hail/rider/v1/rider_service.grpc.pb.h"
#include "tests/tools/hailctl/outcome.h"
#include "tests/tools/tokens/token_source.h"

namespace hail::ctl {

// The options before the command.
struct Options {
  std::string rider_address = "127.0.0.1:50051";
  std::string driver_address = "127.0.0.1:50052";
  // For operators' commands.
  std::string rider_internal_address = "127.0.0.1:50061";
  std::string driver_internal_address = "127.0.0.1:50062";
  // One JSON object a line instead of tables.
  bool json = false;
  // For one unary call; a stream has no limit.
  double timeout_s = 10;
  // Of all channels; null: plaintext.
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  // Of the calls. By default none.
  std::shared_ptr<TokenSource> tokens;
  // Whose command it is, where a token is signed for it.
  TokenFor bearer;
};

// `message` in the JSON mapping of protobuf, on one line, with the contract's field names.
std::string JsonText(const google::protobuf::Message& message);

class Context {
 public:
  explicit Context(Options options) : options_(std::move(options)) {}

  const Options& options() const { return options_; }
  bool json() const { return options_.json; }

  // A channel that detects a dead address within the call's deadline and reconnects within 2 s.
  std::shared_ptr<grpc::Channel> Connect(const std::string& address) const;

  // Created at first use.
  hail::rider::v1::RiderService::Stub& rider();
  hail::driver::v1::DriverService::Stub& driver();

  // Adds the token, if there is one. Each stream calls it; Call does it itself.
  void Authorize(grpc::ClientContext* call) const;

  // Makes one unary call by `call(context)`. Returns OK, or the error to Report.
  template <typename MakeCall>
  grpc::Status Call(MakeCall call) const {
    grpc::ClientContext context;
    Authorize(&context);
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::milliseconds(static_cast<std::int64_t>(options_.timeout_s * 1000)));
    return call(&context);
  }

  ExitCode Fail(const grpc::Status& status) const { return Report(FailureOf(status), options_.json); }

  // Writes to standard output and flushes: JSON if --json is set, else `text`, which ends with a newline.
  void Print(const google::protobuf::Message& message, const std::string& text) const;

 private:
  const Options options_;
  std::unique_ptr<hail::rider::v1::RiderService::Stub> rider_;
  std::unique_ptr<hail::driver::v1::DriverService::Stub> driver_;
};

}  // namespace hail::ctl
