#include "tests/conformance/ride_store_conformance.h"

#include "tests/conformance/ride_store_kinds.h"

namespace hail::rider {

RideStoreKind RealKind() { return SqliteKind(); }

INSTANTIATE_TEST_SUITE_P(AllKinds, RideStoreConformance, ::testing::Values(SqliteKind(), SimulatedKind()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace hail::rider
