// Quoted prices: signed tokens that the service does not store until they are used.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/ids/uuid.h"
#include "common/time/clock.h"
#include "rider-service/domain/quote.pb.h"
#include "rider-service/domain/region.h"
#include "rider-service/domain/request_rules.h"

namespace hail::rider {

// A quote is the message in its token.
using Quote = quote::v1::QuoteToken;

LatLng PickupOf(const Quote& quote);
LatLng DropoffOf(const Quote& quote);
Money FareOf(const Quote& quote);
absl::Duration TripDurationOf(const Quote& quote);
absl::Time ExpireTimeOf(const Quote& quote);

struct SignedQuote {
  Quote quote;
  std::string token;
};

// Versions 1 and 2 of a token's payload. Replicas of the previous release read version 1 only, so this release still
// writes it; the next release writes version 2 (docs/decisions/0033-what-replicas-of-two-releases-read.md).
enum class QuoteLayout { kPositional, kProtobuf };
inline constexpr QuoteLayout kWrittenLayout = QuoteLayout::kPositional;

// The signature of quotes: version "." base64url(payload) "." base64url(HMAC-SHA256(key, version "."
// base64url(payload))).
std::string SignQuote(const std::string& key, const Quote& quote, QuoteLayout layout = kWrittenLayout);
// Reads both layouts. QUOTE_MISMATCH (INVALID_ARGUMENT, field quote_token) unless the token was signed with `key`;
// QUOTE_EXPIRED if it was signed, but by a later release in a newer version. Does not check the quote's time.
absl::StatusOr<Quote> ReadQuote(const std::string& key, const std::string& token);

// Prices rides. Thread-safe.
class Quoter {
 public:
  // `regions` must outlive it. `key`: RideStore::QuoteKey.
  Quoter(const Regions* regions, std::string key, RandomBits random, absl::Duration valid_for = absl::Minutes(5));

  // Quotes for the requested product, or for each product of the region with enough seats; cheapest first.
  // INVALID_FIELD, OUTSIDE_SERVICE_AREA: requests that RequestRide would also refuse.
  absl::StatusOr<std::vector<SignedQuote>> QuoteRide(const Now& now, const RideRequest& request) const;

  // The values that RequestRide needs: from the quote if there is one, otherwise at the present price.
  struct Terms {
    const Region* region = nullptr;
    const Product* product = nullptr;
    Money fare;
    double distance_m = 0;
    absl::Duration trip_duration;
    std::string quote_id;  // empty: no quote
  };
  // INVALID_FIELD, OUTSIDE_SERVICE_AREA, QUOTE_EXPIRED, QUOTE_MISMATCH. Does not check rider_id and request_id.
  absl::StatusOr<Terms> TermsFor(const Now& now, const RideRequest& request) const;

  const Regions& regions() const { return *regions_; }
  // The products offered at a position. INVALID_FIELD, OUTSIDE_SERVICE_AREA.
  absl::StatusOr<std::vector<Product>> ProductsAt(const LatLng& position, const std::string& field) const;

 private:
  const Regions* const regions_;
  const std::string key_;
  const RandomBits random_;
  const absl::Duration valid_for_;
};

}  // namespace hail::rider
