// The kinds of RideStore.
#pragma once

#include "tests/conformance/ride_store_conformance.h"

namespace hail::rider {

// In a folder of its own.
RideStoreKind SqliteKind();
// Without faults.
RideStoreKind SimulatedKind();
// The kind to compare with the simulated one. Each test program defines its own.
RideStoreKind RealKind();

}  // namespace hail::rider
