#include "rider-service/api/driver_search.h"

#include "common/errors/error.h"

namespace hail::rider {

absl::Status SearchError(const absl::Status& status) {
  // Without a reason of Hail's it was a proxy or a library that spoke.
  if (DetailsOf(status).has_value() && (absl::IsInvalidArgument(status) || absl::IsResourceExhausted(status))) {
    return status;
  }
  return Unavailable(Reason::kPeerUnavailable, "cars cannot be looked up now");
}

}  // namespace hail::rider
