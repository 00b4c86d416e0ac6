// Received errors: google.rpc.Status with any details, and the metadata that calls carry.
#include <string>

#include "common/errors/error.h"
#include "common/rpc/error_codec.h"
#include "common/rpc/metadata.h"
#include "tests/fuzz/fuzz_target.h"

namespace hail::fuzz {
namespace {

void Details(Input& input) {
  google::rpc::Status proto;
  if (!proto.ParseFromString(input.Rest())) return;
  const absl::Status status = rpc::FromProto(proto);
  Require(status.ok() == (proto.code() == 0), "an error stays an error");
  if (status.ok()) return;
  // The decoded error survives another round.
  const absl::Status again = rpc::FromProto(rpc::ToProto(status));
  Require(again.code() == status.code() && again.message() == status.message(), "code and message stay");
  const auto before = DetailsOf(status);
  const auto after = DetailsOf(again);
  if (!before) return;
  Require(after.has_value(), "details stay");
  Require(after->reason == before->reason && after->field == before->field, "reason and field stay");
  for (const auto& [key, value] : before->metadata) {
    const auto found = after->metadata.find(key);
    Require(found != after->metadata.end() && found->second == value, "metadata stay", key);
  }
}

void Metadata(Input& input) {
  const std::string text = input.Rest();
  const std::string trace = rpc::CheckedTraceparent(text);
  Require(trace.empty() || (trace == text && trace.size() == 55), "a traceparent is taken whole or not at all");
  const std::string request_id = rpc::CheckedRequestId(text);
  Require(request_id.empty() || request_id == text, "a request id is taken whole or not at all");
  for (const char c : trace + request_id) Require(c > ' ' && c < 0x7f, "nothing in it breaks a header or a line");
}

}  // namespace
}  // namespace hail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hail::fuzz::Input input(data, size);
  if (input.Coin()) {
    hail::fuzz::Details(input);
  } else {
    hail::fuzz::Metadata(input);
  }
  return 0;
}
