// Checks the metadata that clients send. Pure functions, thread-safe.
#pragma once

#include <string>

namespace hail::rpc {

// `text` if it is a W3C traceparent of version 00, fit to be passed on in calls of ours; otherwise empty.
std::string CheckedTraceparent(std::string text);

// `text` if it is at most 128 printable bytes of ASCII without spaces, fit for a line of the log; otherwise empty.
std::string CheckedRequestId(std::string text);

}  // namespace hail::rpc
