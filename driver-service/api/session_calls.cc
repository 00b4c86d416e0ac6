#include "driver-service/api/session_calls.h"

#include <utility>

#include "common/errors/error.h"
#include "common/rpc/error_codec.h"
#include "driver-service/codec/replica.pb.h"

namespace hail::driver {
namespace {

// Wall time: longer than a call to a live replica without overload can take.
constexpr absl::Duration kForwardTime = absl::Milliseconds(500);

std::string NoSession() {
  replica::v1::ForwardedAnswer answer;
  answer.set_no_session(true);
  return answer.SerializeAsString();
}

std::string AnswerBytes(absl::StatusOr<std::string> response) {
  replica::v1::ForwardedAnswer answer;
  if (response.ok()) {
    answer.set_response(*std::move(response));
  } else {
    answer.set_error(rpc::ToProto(response.status()).SerializeAsString());
  }
  return answer.SerializeAsString();
}

absl::StatusOr<std::string> ResponseIn(replica::v1::ForwardedAnswer& answer) {
  if (answer.has_response()) return std::move(*answer.mutable_response());
  google::rpc::Status error;
  if (answer.has_error() && error.ParseFromString(answer.error())) {
    if (absl::Status status = rpc::FromProto(error); !status.ok()) return status;
  }
  return Internal("another replica's answer cannot be read");
}

replica::v1::ForwardedCaller ToProto(const auth::Identity& identity) {
  replica::v1::ForwardedCaller caller;
  caller.set_role(std::string(auth::RoleName(identity.role)));
  caller.set_subject(identity.subject);
  caller.set_key_id(identity.key_id);
  return caller;
}

auth::Caller CallerIn(const replica::v1::ForwardedCall& call) {
  if (!call.has_caller()) return auth::Caller::Unchecked();
  auth::Identity identity;
  // A role that this version does not know stays the one that may do least.
  identity.role = auth::TokenRole(call.caller().role()).value_or(auth::Role::kViewer);
  identity.subject = call.caller().subject();
  identity.key_id = call.caller().key_id();
  return auth::Caller(std::move(identity));
}

}  // namespace

absl::Status SessionCalls::NoAnswer() {
  return Unavailable(Reason::kPeerUnavailable, "the replica that has the driver's session does not answer; retry");
}

void SessionCalls::Join(Bus* bus, Serve serve) {
  serve_ = std::move(serve);
  asker_ = std::make_unique<RequestClient>(bus, &host_->loop(), host_->replica());
  request_server_ = std::make_unique<RequestServer>(
      bus, host_->replica(),
      [this](std::string_view bytes, const RequestServer::Reply& reply) { OnForwarded(bytes, reply); });
}

void SessionCalls::Leave() { request_server_.reset(); }

void SessionCalls::Forward(const std::string& owner, const auth::Caller& caller, const std::string& driver_id,
                           const char* method, const std::string& request, Done<std::string> done,
                           std::function<void()> no_session) {
  replica::v1::ForwardedCall call;
  call.set_driver_id(driver_id);
  call.set_method(method);
  call.set_request(request);
  if (caller.identity() != nullptr) *call.mutable_caller() = ToProto(*caller.identity());
  asker_->Ask(owner, call.SerializeAsString(), kForwardTime,
              [done = std::move(done), no_session = std::move(no_session)](const absl::StatusOr<std::string>& bytes) {
                replica::v1::ForwardedAnswer answer;
                if (!bytes.ok() || !answer.ParseFromString(*bytes)) return done(NoAnswer());
                if (answer.no_session()) return no_session();
                done(ResponseIn(answer));
              });
}

void SessionCalls::OnForwarded(std::string_view bytes, const RequestServer::Reply& reply) {
  replica::v1::ForwardedCall call;
  if (!call.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return reply(AnswerBytes(Internal("a forwarded call cannot be read")));
  }
  host_->Post([this, call = std::move(call), reply](Dispatch& core, Now now) {
    if (!core.HasSession(call.driver_id())) {
      // A session that is opening will be here soon: the caller retries.
      if (!host_->HasOrOpensSession(call.driver_id())) reply(NoSession());
      return;
    }
    rpc::CallContext context;
    context.deadline = now.wall + kForwardTime;
    context.caller = CallerIn(call);
    serve_(call.method(), call.request(), context,
           [reply](absl::StatusOr<std::string> response) { reply(AnswerBytes(std::move(response))); });
  });
}

}  // namespace hail::driver
