// What a service says of itself.
#pragma once

#include "tests/integration/process.h"

namespace hail::testing {

// kNone: nobody answers.
enum class Health { kNone, kServing, kNotServing };

// What the standard health service answers on the public address, for the whole server.
Health HealthOf(const ServiceProcess& service);
// Whether it says SERVING.
bool Serving(const ServiceProcess& service);
// Waits until it says SERVING, or anything else or nothing; false if that takes 30 s.
bool AwaitServing(const ServiceProcess& service, bool serving);
// Waits until it says so.
bool AwaitHealth(const ServiceProcess& service, Health health);

}  // namespace hail::testing
