#include "common/errors/error.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace hail {
namespace {

// Payload of an absl::Status: words, each as its length in decimal, a colon and its bytes. Never leaves the process.
constexpr char kTypeUrl[] = "hail/error-details";

void PutWord(const std::string& word, std::string* out) { absl::StrAppend(out, word.size(), ":", word); }

std::vector<std::string> TakeWords(const std::string& text) {
  std::vector<std::string> words;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t colon = text.find(':', at);
    std::uint64_t size = 0;
    if (colon == std::string::npos || !absl::SimpleAtoi(text.substr(at, colon - at), &size) ||
        size > text.size() - colon - 1) {
      return {};
    }
    words.push_back(text.substr(colon + 1, size));
    at = colon + 1 + size;
  }
  return words;
}

std::string Encode(const ErrorDetails& details) {
  std::string out;
  PutWord(std::string(ReasonName(details.reason)), &out);
  PutWord(details.field, &out);
  PutWord(details.retry_after ? absl::StrCat(absl::ToInt64Nanoseconds(*details.retry_after)) : "", &out);
  for (const auto& [key, value] : details.metadata) {
    PutWord(key, &out);
    PutWord(value, &out);
  }
  return out;
}

std::optional<ErrorDetails> Decode(const std::string& text) {
  const std::vector<std::string> words = TakeWords(text);
  if (words.size() < 3 || words.size() % 2 == 0) return std::nullopt;
  const std::optional<Reason> reason = ReasonFromName(words[0]);
  if (!reason) return std::nullopt;
  ErrorDetails details;
  details.reason = *reason;
  details.field = words[1];
  if (std::int64_t nanos = 0; absl::SimpleAtoi(words[2], &nanos)) details.retry_after = absl::Nanoseconds(nanos);
  for (std::size_t i = 3; i < words.size(); i += 2) details.metadata.emplace(words[i], words[i + 1]);
  return details;
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, std::string_view message, ErrorDetails details) {
  if (code == absl::StatusCode::kOk) {
    // An OK status drops its payload and would let the failure pass for a success.
    code = absl::StatusCode::kInternal;
    details.reason = Reason::kInternal;
  }
  absl::Status status(code, std::string(message));
  status.SetPayload(kTypeUrl, absl::Cord(Encode(details)));
  return status;
}

std::optional<ErrorDetails> DetailsOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kTypeUrl);
  if (!payload.has_value()) return std::nullopt;
  return Decode(std::string(*payload));
}

bool HasReason(const absl::Status& status, Reason reason) {
  const std::optional<ErrorDetails> details = DetailsOf(status);
  return details.has_value() && details->reason == reason;
}

absl::Status InvalidField(std::string_view field, std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = Reason::kInvalidField, .field = std::string(field)});
}

absl::Status NotFound(Reason reason, std::string_view message) {
  return MakeError(absl::StatusCode::kNotFound, message, {.reason = reason});
}

absl::Status FailedPrecondition(Reason reason, std::string_view message, std::map<std::string, std::string> metadata) {
  return MakeError(absl::StatusCode::kFailedPrecondition, message, {.reason = reason, .metadata = std::move(metadata)});
}

absl::Status Overloaded(std::string_view message, absl::Duration retry_after) {
  return MakeError(absl::StatusCode::kResourceExhausted, message,
                   {.reason = Reason::kOverloaded, .retry_after = retry_after});
}

absl::Status Unavailable(Reason reason, std::string_view message) {
  return MakeError(absl::StatusCode::kUnavailable, message, {.reason = reason, .retry_after = absl::Seconds(1)});
}

absl::Status Internal(std::string_view message) {
  return MakeError(absl::StatusCode::kInternal, message, {.reason = Reason::kInternal});
}

}  // namespace hail
