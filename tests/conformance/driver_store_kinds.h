// The kinds of DriverStore that there are.
#pragma once

#include "tests/conformance/driver_store_conformance.h"

namespace hail::driver {

// In a folder of its own.
DriverStoreKind SqliteKind();
// Without faults.
DriverStoreKind SimulatedKind();
// The one that the program compares with the simulated one; each program has its own.
DriverStoreKind RealKind();

}  // namespace hail::driver
