#include "rider-service/api/driver_search.h"

#include "common/errors/error.h"

namespace hail::rider {

absl::Status SearchError(const absl::Status& status) {
  // Without a reason of Hail, the error comes from a proxy or a library.
  if (DetailsOf(status).has_value() && (absl::IsInvalidArgument(status) || absl::IsResourceExhausted(status))) {
    return status;
  }
  return Unavailable(Reason::kPeerUnavailable, "cars cannot be looked up now");
}

}  // namespace hail::rider
