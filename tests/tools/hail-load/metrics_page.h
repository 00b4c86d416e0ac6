// Reads a service's metrics, as Prometheus does.
#pragma once

#include <map>
#include <string>

namespace hail::load {

// The present metrics of `address` ("127.0.0.1:9464"): `name{labels}` → value. Empty if there is no answer within 10 s.
std::map<std::string, double> ReadMetrics(const std::string& address);

}  // namespace hail::load
