#include "rider-service/domain/quote.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/errors/error.h"
#include "common/text/base64url.h"
#include "rider-service/domain/pricing.h"
#include "rider-service/domain/travel_estimate.h"

namespace hail::rider {
namespace {

// Versions of the payload: v1 has the fields one after the other, v2 the message.
constexpr char kPositional[] = "v1";
constexpr char kProtobuf[] = "v2";

std::string Hmac(const std::string& key, const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest, &size);
  return std::string(reinterpret_cast<const char*>(digest), size);
}

// Version 1: numbers as 8 bytes in host byte order, texts with a length prefix.
std::string PositionalBytes(const Quote& quote) {
  std::string bytes;
  const auto number = [&](auto value) {
    static_assert(sizeof value == 8);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  const auto text = [&](const std::string& value) {
    number(std::uint64_t{value.size()});
    bytes += value;
  };
  text(quote.quote_id());
  text(quote.rider_id());
  text(quote.product_id());
  text(quote.region_id());
  number(std::int64_t{quote.seats()});
  number(quote.pickup_latitude_deg());
  number(quote.pickup_longitude_deg());
  number(quote.dropoff_latitude_deg());
  number(quote.dropoff_longitude_deg());
  text(quote.currency_code());
  number(std::int64_t{quote.fare_micros()});
  number(quote.distance_m());
  number(std::int64_t{quote.trip_duration_us()});
  number(std::int64_t{quote.expire_time_us()});
  return bytes;
}

// In practice reads only the output of PositionalBytes, but does not rely on it.
bool ReadPositional(std::string_view bytes, Quote* quote) {
  bool whole = true;
  const auto number = [&](auto value) {
    whole = whole && bytes.size() >= sizeof value;
    if (!whole) return value;
    std::memcpy(&value, bytes.data(), sizeof value);
    bytes.remove_prefix(sizeof value);
    return value;
  };
  const auto text = [&] {
    const auto size = number(std::uint64_t{0});
    whole = whole && size <= bytes.size();
    if (!whole) return std::string();
    std::string value(bytes.substr(0, size));
    bytes.remove_prefix(size);
    return value;
  };
  quote->set_quote_id(text());
  quote->set_rider_id(text());
  quote->set_product_id(text());
  quote->set_region_id(text());
  const auto seats = number(std::int64_t{0});
  quote->set_seats(static_cast<int>(seats));
  quote->set_pickup_latitude_deg(number(0.0));
  quote->set_pickup_longitude_deg(number(0.0));
  quote->set_dropoff_latitude_deg(number(0.0));
  quote->set_dropoff_longitude_deg(number(0.0));
  quote->set_currency_code(text());
  quote->set_fare_micros(number(std::int64_t{0}));
  quote->set_distance_m(number(0.0));
  quote->set_trip_duration_us(number(std::int64_t{0}));
  quote->set_expire_time_us(number(std::int64_t{0}));
  return whole && bytes.empty() && std::in_range<int>(seats);
}

absl::Status Mismatch(const std::string& message) {
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = Reason::kQuoteMismatch, .field = "quote_token"});
}

bool Cheaper(const SignedQuote& a, const SignedQuote& b) { return a.quote.fare_micros() < b.quote.fare_micros(); }

}  // namespace

LatLng PickupOf(const Quote& quote) { return {quote.pickup_latitude_deg(), quote.pickup_longitude_deg()}; }
LatLng DropoffOf(const Quote& quote) { return {quote.dropoff_latitude_deg(), quote.dropoff_longitude_deg()}; }
Money FareOf(const Quote& quote) { return {quote.currency_code(), quote.fare_micros()}; }
absl::Duration TripDurationOf(const Quote& quote) { return absl::Microseconds(quote.trip_duration_us()); }
absl::Time ExpireTimeOf(const Quote& quote) { return absl::FromUnixMicros(quote.expire_time_us()); }

std::string SignQuote(const std::string& key, const Quote& quote, QuoteLayout layout) {
  const std::string signed_part = layout == QuoteLayout::kPositional
                                      ? absl::StrCat(kPositional, ".", ToBase64Url(PositionalBytes(quote)))
                                      : absl::StrCat(kProtobuf, ".", ToBase64Url(quote.SerializeAsString()));
  return signed_part + "." + ToBase64Url(Hmac(key, signed_part));
}

absl::StatusOr<Quote> ReadQuote(const std::string& key, const std::string& token) {
  const std::vector<std::string> parts = absl::StrSplit(token, '.');
  if (token.size() > kMaxQuoteTokenBytes || parts.size() != 3) return Mismatch("not a quote token");
  const std::string expected = Hmac(key, absl::StrCat(parts[0], ".", parts[1]));
  std::string signature;
  std::string payload;
  if (!FromBase64Url(parts[2], &signature) || signature.size() != expected.size() ||
      CRYPTO_memcmp(signature.data(), expected.data(), expected.size()) != 0 || !FromBase64Url(parts[1], &payload)) {
    return Mismatch("the quote token was not issued here, or is damaged");
  }
  Quote quote;
  if (parts[0] == kPositional) {
    if (!ReadPositional(payload, &quote)) return Mismatch("the quote token is damaged");
  } else if (parts[0] == kProtobuf) {
    if (!quote.ParseFromString(payload)) return Mismatch("the quote token is damaged");
    // They change no price, and a quote is its price.
    quote.DiscardUnknownFields();
  } else {
    return FailedPrecondition(Reason::kQuoteExpired, "a newer release made the quote: ask for another");
  }
  return quote;
}

Quoter::Quoter(const Regions* regions, std::string key, RandomBits random, absl::Duration valid_for)
    : regions_(regions), key_(std::move(key)), random_(std::move(random)), valid_for_(valid_for) {}

absl::StatusOr<std::vector<SignedQuote>> Quoter::QuoteRide(const Now& now, const RideRequest& request) const {
  if (absl::Status status = CheckId(request.rider_id(), "rider_id"); !status.ok()) return status;
  const absl::StatusOr<const Region*> region = CheckRoute(request, *regions_);
  if (!region.ok()) return region.status();

  std::vector<const Product*> products;
  if (request.product_id().empty()) {
    RideRequest each = request;
    for (const Product& product : (*region)->products) {
      each.set_product_id(product.product_id);
      const absl::StatusOr<const Product*> fits = CheckProduct(each, **region);
      if (fits.ok()) products.push_back(*fits);
    }
    if (products.empty()) return InvalidField("seats", "no product of the region has so many (or so few) seats");
  } else {
    const absl::StatusOr<const Product*> product = CheckProduct(request, **region);
    if (!product.ok()) return product.status();
    products.push_back(*product);
  }

  const LatLng pickup = DecodeLatLng(request.pickup().position());
  const LatLng dropoff = DecodeLatLng(request.dropoff().position());
  const Trip trip = EstimateTrip(pickup, dropoff, now.domain);
  std::vector<SignedQuote> quotes;
  for (const Product* product : products) {
    Quote quote;
    quote.set_quote_id(UuidV7(now.wall, random_));
    quote.set_rider_id(request.rider_id());
    quote.set_product_id(product->product_id);
    quote.set_region_id((*region)->region_id);
    quote.set_seats(request.seats() == 0 ? 1 : request.seats());
    quote.set_pickup_latitude_deg(pickup.latitude_deg);
    quote.set_pickup_longitude_deg(pickup.longitude_deg);
    quote.set_dropoff_latitude_deg(dropoff.latitude_deg);
    quote.set_dropoff_longitude_deg(dropoff.longitude_deg);
    const Money fare = PriceOf(*product, trip);
    quote.set_currency_code(fare.currency_code);
    quote.set_fare_micros(fare.micros);
    quote.set_distance_m(trip.distance_m);
    quote.set_trip_duration_us(absl::ToInt64Microseconds(trip.duration));
    quote.set_expire_time_us(absl::ToUnixMicros(now.domain + valid_for_));
    std::string token = SignQuote(key_, quote);
    quotes.push_back({std::move(quote), std::move(token)});
  }
  std::stable_sort(quotes.begin(), quotes.end(), Cheaper);
  return quotes;
}

absl::StatusOr<Quoter::Terms> Quoter::TermsFor(const Now& now, const RideRequest& request) const {
  const absl::StatusOr<const Region*> region = CheckRoute(request, *regions_);
  if (!region.ok()) return region.status();
  const absl::StatusOr<const Product*> product = CheckProduct(request, **region);
  if (!product.ok()) return product.status();
  if (absl::Status status = CheckTexts(request); !status.ok()) return status;

  Terms terms;
  terms.region = *region;
  terms.product = *product;
  if (request.quote_token().empty()) {
    const Trip trip =
        EstimateTrip(DecodeLatLng(request.pickup().position()), DecodeLatLng(request.dropoff().position()), now.domain);
    terms.fare = PriceOf(**product, trip);
    terms.distance_m = trip.distance_m;
    terms.trip_duration = trip.duration;
    return terms;
  }
  const absl::StatusOr<Quote> quote = ReadQuote(key_, request.quote_token());
  if (!quote.ok()) return quote.status();
  if (quote->rider_id() != request.rider_id()) return Mismatch("the quote is for another rider");
  if (quote->product_id() != request.product_id()) return Mismatch("the quote is for another product");
  if (quote->region_id() != (*region)->region_id) return Mismatch("the quote is for another region");
  if (quote->seats() != (request.seats() == 0 ? 1 : request.seats())) return Mismatch("the quote is for other seats");
  if (PickupOf(*quote) != DecodeLatLng(request.pickup().position()) ||
      DropoffOf(*quote) != DecodeLatLng(request.dropoff().position())) {
    return Mismatch("the quote is for another route");
  }
  if (now.domain >= ExpireTimeOf(*quote)) {
    return FailedPrecondition(Reason::kQuoteExpired, "the quote has expired: ask for another");
  }
  terms.fare = FareOf(*quote);
  terms.distance_m = quote->distance_m();
  terms.trip_duration = TripDurationOf(*quote);
  terms.quote_id = quote->quote_id();
  return terms;
}

absl::StatusOr<std::vector<Product>> Quoter::ProductsAt(const LatLng& position, const std::string& field) const {
  if (absl::Status status = CheckLatLng(position, field); !status.ok()) return status;
  const Region* region = regions_->At(position);
  if (region == nullptr) return FailedPrecondition(Reason::kOutsideServiceArea, "the position is in no region served");
  return region->products;
}

}  // namespace hail::rider
