#include "tests/conformance/driver_store_conformance.h"

#include "tests/conformance/driver_store_kinds.h"

namespace hail::driver {

DriverStoreKind RealKind() { return SqliteKind(); }

INSTANTIATE_TEST_SUITE_P(AllKinds, DriverStoreConformance, ::testing::Values(SqliteKind(), SimulatedKind()),
                         [](const auto& kind) { return kind.param.name; });

INSTANTIATE_TEST_SUITE_P(AllKinds, SharedDriverStore, ::testing::Values(SimulatedKind()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace hail::driver
