// Checks the metadata that clients send. Pure functions, thread-safe.
#pragma once

#include <string>

namespace hail::rpc {

// `text` if it is a W3C traceparent of version 00, which may be forwarded with our own calls; otherwise empty.
std::string CheckedTraceparent(std::string text);

// `text` if it is at most 128 printable ASCII characters without spaces, which may be logged; otherwise empty.
std::string CheckedRequestId(std::string text);

}  // namespace hail::rpc
