#include "common/audit/entry.h"

#include "absl/strings/str_cat.h"
#include "common/errors/error.h"
#include "common/logging/log.h"
#include "common/logging/log_line.h"

namespace hail::audit {
namespace {

// Ids have 128 bytes at most; what is longer is no id.
constexpr std::size_t kMostText = 160;

std::string_view Cut(std::string_view text) { return text.substr(0, kMostText); }

}  // namespace

void SetCaller(const auth::Caller& caller, Entry* entry) {
  const auth::Identity* const identity = caller.identity();
  if (identity == nullptr) {
    entry->role = caller.unchecked() ? "unchecked" : "nobody";
    return;
  }
  entry->role = auth::RoleName(identity->role);
  entry->subject = identity->subject;
  entry->key_id = identity->key_id;
}

void SetResult(const absl::Status& status, Entry* entry) {
  entry->code = status.code();
  if (const auto details = DetailsOf(status)) entry->reason = details->reason;
}

std::string Line(const Entry& entry, std::string_view service) {
  std::vector<LogField> fields{{"log", "audit"}};
  const auto add = [&fields](std::string_view key, std::string_view value) {
    if (!value.empty()) fields.push_back({key, Cut(value)});
  };
  add("role", entry.role);
  add("subject", entry.subject);
  add("key_id", entry.key_id);
  add("peer", entry.peer);
  add("client", entry.client);
  add("method", entry.method);
  add("person", entry.person);
  add("ride", entry.ride);
  const std::string code = entry.code ? absl::StatusCodeToString(*entry.code) : "";
  add("code", code);
  if (entry.reason) add("reason", ReasonName(*entry.reason));
  add("request_id", entry.request_id);
  for (const auto& [key, value] : entry.details) add(key, value);
  if (entry.skipped > 0) fields.push_back({"skipped", entry.skipped});
  return LogLine::JsonOf(entry.wall, LogLevel::kInfo, service, entry.event, fields) + "\n";
}

}  // namespace hail::audit
