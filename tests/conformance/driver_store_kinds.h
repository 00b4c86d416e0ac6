// The kinds of DriverStore.
#pragma once

#include "tests/conformance/driver_store_conformance.h"

namespace hail::driver {

// In a folder of its own.
DriverStoreKind SqliteKind();
// Without faults.
DriverStoreKind SimulatedKind();
// The kind to compare with the simulated one. Each test program defines its own.
DriverStoreKind RealKind();

}  // namespace hail::driver
