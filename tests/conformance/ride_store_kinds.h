// The kinds of RideStore that there are.
#pragma once

#include "tests/conformance/ride_store_conformance.h"

namespace hail::rider {

// In a folder of its own.
RideStoreKind SqliteKind();
// Without faults.
RideStoreKind SimulatedKind();
// The one that the program compares with the simulated one; each program has its own.
RideStoreKind RealKind();

}  // namespace hail::rider
