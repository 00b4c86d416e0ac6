// The payloads of an error's absl::Status, by type URL: serialized google.rpc messages, sent as they are. Each error of
// Hail has the first.
#pragma once

namespace hail {

inline constexpr char kErrorInfo[] = "type.googleapis.com/google.rpc.ErrorInfo";
inline constexpr char kBadRequest[] = "type.googleapis.com/google.rpc.BadRequest";
inline constexpr char kRetryInfo[] = "type.googleapis.com/google.rpc.RetryInfo";

}  // namespace hail
