// The health that a service reports.
#pragma once

#include <string>

#include "tests/integration/process.h"

namespace hail::testing {

// kNone: no answer.
enum class Health { kNone, kServing, kNotServing };

// The status that the standard health service reports at "127.0.0.1:PORT" for the whole server, in the clear.
Health HealthAt(const std::string& address);
// The same, on the public address for the whole server.
Health HealthOf(const ServiceProcess& service);
// Whether the status is SERVING.
bool Serving(const ServiceProcess& service);
// Waits until the status is SERVING (`serving`), or is another or missing; false if that takes 30 s.
bool AwaitServing(const ServiceProcess& service, bool serving);
// Waits until the status is `health`; false if that takes 30 s.
bool AwaitHealth(const ServiceProcess& service, Health health);

}  // namespace hail::testing
