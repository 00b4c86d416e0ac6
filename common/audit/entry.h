// One line of the audit log: who did what to whose data, and how it ended. It holds no token, no position and no text
// that a person wrote.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/auth/caller.h"
#include "common/errors/reason.h"

namespace hail::audit {

// Empty members are left out of the line. Long ones are cut: a caller chooses some of them.
struct Entry {
  absl::Time wall;
  // "call"; "stream" for the opening of one; or what the process did by itself: "keys_loaded".
  std::string_view event = "call";

  // Who. The role's name, or "unchecked", or "nobody".
  std::string_view role;
  // The token's `sub`, or the name in the certificate.
  std::string subject;
  // The key that signed the token.
  std::string key_id;
  // The address of the connection, and that of the client if the edge has named it.
  std::string peer;
  std::string client;

  // What: "hail.rider.v1.RiderService/GetRide".
  std::string method;
  // Whose: the rider's or driver's id that the request names.
  std::string person;
  std::string ride;

  // How it ended; nullopt if it is no call.
  std::optional<absl::StatusCode> code;
  std::optional<Reason> reason;
  std::string request_id;

  // For other events: what was loaded, for example.
  std::vector<std::pair<std::string, std::string>> details;
  // Lines like this one that were left out before it (DenialSampler).
  std::uint64_t skipped = 0;
};

// Fills in who.
void SetCaller(const auth::Caller& caller, Entry* entry);
// Fills in how it ended.
void SetResult(const absl::Status& status, Entry* entry);

// The line, a JSON object with a newline: {"time":…,"level":"info","service":…,"event":…,"log":"audit",…}.
std::string Line(const Entry& entry, std::string_view service);

}  // namespace hail::audit
