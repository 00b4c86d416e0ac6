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
#include "rider-service/domain/quote.pb.h"
#include "rider-service/domain/travel_estimate.h"

namespace hail::rider {
namespace {

using quote::v1::QuoteToken;

// Versions of the payload: v1 has the fields one after the other, v2 a QuoteToken.
constexpr char kPositional[] = "v1";
constexpr char kProtobuf[] = "v2";

std::string Hmac(const std::string& key, const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest, &size);
  return std::string(reinterpret_cast<const char*>(digest), size);
}

QuoteToken Encode(const Quote& quote) {
  QuoteToken token;
  token.set_quote_id(quote.quote_id);
  token.set_rider_id(quote.rider_id);
  token.set_product_id(quote.product_id);
  token.set_region_id(quote.region_id);
  token.set_seats(quote.seats);
  token.set_pickup_latitude_deg(quote.pickup.latitude_deg);
  token.set_pickup_longitude_deg(quote.pickup.longitude_deg);
  token.set_dropoff_latitude_deg(quote.dropoff.latitude_deg);
  token.set_dropoff_longitude_deg(quote.dropoff.longitude_deg);
  token.set_currency_code(quote.fare.currency_code);
  token.set_fare_micros(quote.fare.micros);
  token.set_distance_m(quote.distance_m);
  token.set_trip_duration_us(absl::ToInt64Microseconds(quote.trip_duration));
  token.set_expire_time_us(absl::ToUnixMicros(quote.expire_time));
  return token;
}

Quote Decode(const QuoteToken& token) {
  Quote quote;
  quote.quote_id = token.quote_id();
  quote.rider_id = token.rider_id();
  quote.product_id = token.product_id();
  quote.region_id = token.region_id();
  quote.seats = token.seats();
  quote.pickup = {token.pickup_latitude_deg(), token.pickup_longitude_deg()};
  quote.dropoff = {token.dropoff_latitude_deg(), token.dropoff_longitude_deg()};
  quote.fare = {token.currency_code(), token.fare_micros()};
  quote.distance_m = token.distance_m();
  quote.trip_duration = absl::Microseconds(token.trip_duration_us());
  quote.expire_time = absl::FromUnixMicros(token.expire_time_us());
  return quote;
}

// Version 1: numbers as 8 bytes in host byte order, texts with a length prefix.
std::string PositionalBytes(const QuoteToken& token) {
  std::string bytes;
  const auto number = [&](auto value) {
    static_assert(sizeof value == 8);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  const auto text = [&](const std::string& value) {
    number(std::uint64_t{value.size()});
    bytes += value;
  };
  text(token.quote_id());
  text(token.rider_id());
  text(token.product_id());
  text(token.region_id());
  number(std::int64_t{token.seats()});
  number(token.pickup_latitude_deg());
  number(token.pickup_longitude_deg());
  number(token.dropoff_latitude_deg());
  number(token.dropoff_longitude_deg());
  text(token.currency_code());
  number(std::int64_t{token.fare_micros()});
  number(token.distance_m());
  number(std::int64_t{token.trip_duration_us()});
  number(std::int64_t{token.expire_time_us()});
  return bytes;
}

// In practice reads only the output of PositionalBytes, but does not rely on it.
bool ReadPositional(std::string_view bytes, QuoteToken* token) {
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
  token->set_quote_id(text());
  token->set_rider_id(text());
  token->set_product_id(text());
  token->set_region_id(text());
  const auto seats = number(std::int64_t{0});
  token->set_seats(static_cast<int>(seats));
  token->set_pickup_latitude_deg(number(0.0));
  token->set_pickup_longitude_deg(number(0.0));
  token->set_dropoff_latitude_deg(number(0.0));
  token->set_dropoff_longitude_deg(number(0.0));
  token->set_currency_code(text());
  token->set_fare_micros(number(std::int64_t{0}));
  token->set_distance_m(number(0.0));
  token->set_trip_duration_us(number(std::int64_t{0}));
  token->set_expire_time_us(number(std::int64_t{0}));
  return whole && bytes.empty() && std::in_range<int>(seats);
}

absl::Status Mismatch(const std::string& message) {
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = Reason::kQuoteMismatch, .field = "quote_token"});
}

bool Cheaper(const Quote& a, const Quote& b) { return a.fare.micros < b.fare.micros; }

}  // namespace

std::string SignQuote(const std::string& key, const Quote& quote, QuoteLayout layout) {
  const QuoteToken token = Encode(quote);
  const std::string signed_part = layout == QuoteLayout::kPositional
                                      ? absl::StrCat(kPositional, ".", ToBase64Url(PositionalBytes(token)))
                                      : absl::StrCat(kProtobuf, ".", ToBase64Url(token.SerializeAsString()));
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
  QuoteToken read;
  if (parts[0] == kPositional) {
    if (!ReadPositional(payload, &read)) return Mismatch("the quote token is damaged");
  } else if (parts[0] == kProtobuf) {
    if (!read.ParseFromString(payload)) return Mismatch("the quote token is damaged");
  } else {
    return FailedPrecondition(Reason::kQuoteExpired, "a newer release made the quote: ask for another");
  }
  Quote quote = Decode(read);
  quote.quote_token = token;
  return quote;
}

Quoter::Quoter(const Regions* regions, std::string key, RandomBits random, absl::Duration valid_for)
    : regions_(regions), key_(std::move(key)), random_(std::move(random)), valid_for_(valid_for) {}

absl::StatusOr<std::vector<Quote>> Quoter::QuoteRide(const Now& now, const RideRequest& request) const {
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

  const Trip trip =
      EstimateTrip(DecodeLatLng(request.pickup().position()), DecodeLatLng(request.dropoff().position()), now.domain);
  std::vector<Quote> quotes;
  for (const Product* product : products) {
    Quote quote;
    quote.quote_id = UuidV7(now.wall, random_);
    quote.rider_id = request.rider_id();
    quote.product_id = product->product_id;
    quote.region_id = (*region)->region_id;
    quote.seats = request.seats() == 0 ? 1 : request.seats();
    quote.pickup = DecodeLatLng(request.pickup().position());
    quote.dropoff = DecodeLatLng(request.dropoff().position());
    quote.fare = PriceOf(*product, trip);
    quote.distance_m = trip.distance_m;
    quote.trip_duration = trip.duration;
    quote.expire_time = now.domain + valid_for_;
    quote.quote_token = SignQuote(key_, quote);
    quotes.push_back(std::move(quote));
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
  if (quote->rider_id != request.rider_id()) return Mismatch("the quote is for another rider");
  if (quote->product_id != request.product_id()) return Mismatch("the quote is for another product");
  if (quote->region_id != (*region)->region_id) return Mismatch("the quote is for another region");
  if (quote->seats != (request.seats() == 0 ? 1 : request.seats())) return Mismatch("the quote is for other seats");
  if (quote->pickup != DecodeLatLng(request.pickup().position()) ||
      quote->dropoff != DecodeLatLng(request.dropoff().position())) {
    return Mismatch("the quote is for another route");
  }
  if (now.domain >= quote->expire_time) {
    return FailedPrecondition(Reason::kQuoteExpired, "the quote has expired: ask for another");
  }
  terms.fare = quote->fare;
  terms.distance_m = quote->distance_m;
  terms.trip_duration = quote->trip_duration;
  terms.quote_id = quote->quote_id;
  return terms;
}

absl::StatusOr<std::vector<Product>> Quoter::ProductsAt(const LatLng& position, const std::string& field) const {
  if (absl::Status status = CheckLatLng(position, field); !status.ok()) return status;
  const Region* region = regions_->At(position);
  if (region == nullptr) return FailedPrecondition(Reason::kOutsideServiceArea, "the position is in no region served");
  return region->products;
}

}  // namespace hail::rider
