// A service's metrics, read as Prometheus reads them.
#pragma once

#include <map>
#include <string>

namespace hail::load {

// What `address` ("127.0.0.1:9464") shows now: `name{labels}` → value. Empty if there is no answer within 10 s.
std::map<std::string, double> ReadMetrics(const std::string& address);

}  // namespace hail::load
