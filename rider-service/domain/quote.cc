#include "rider-service/domain/quote.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/errors/error.h"
#include "common/text/base64url.h"
#include "rider-service/domain/pricing.h"
#include "rider-service/domain/travel_estimate.h"

namespace hail::rider {
namespace {

constexpr char kVersion[] = "v1.";

std::string Hmac(const std::string& key, const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest, &size);
  return std::string(reinterpret_cast<const char*>(digest), size);
}

// The payload: its fields in order, numbers as 8 bytes, texts with their length before them.
class Writer {
 public:
  void Add(std::int64_t value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void Add(double value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void Add(const std::string& text) {
    Add(static_cast<std::int64_t>(text.size()));
    bytes_ += text;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Only ever reads what this program signed, but does not rely on it.
class Reader {
 public:
  explicit Reader(const std::string& bytes) : bytes_(bytes) {}
  void Get(std::int64_t& value) { Copy(&value, sizeof value); }
  void Get(double& value) { Copy(&value, sizeof value); }
  void Get(std::string& text) {
    std::int64_t size = 0;
    Get(size);
    if (failed_ || size < 0 || static_cast<std::size_t>(size) > bytes_.size() - at_) {
      failed_ = true;
      return;
    }
    text = bytes_.substr(at_, static_cast<std::size_t>(size));
    at_ += static_cast<std::size_t>(size);
  }
  bool AtEnd() const { return !failed_ && at_ == bytes_.size(); }

 private:
  void Copy(void* to, std::size_t size) {
    if (failed_ || size > bytes_.size() - at_) {
      failed_ = true;
      return;
    }
    std::memcpy(to, bytes_.data() + at_, size);
    at_ += size;
  }

  const std::string& bytes_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

absl::Status Mismatch(const std::string& message) {
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = Reason::kQuoteMismatch, .field = "quote_token"});
}

bool Cheaper(const Quote& a, const Quote& b) { return a.fare.micros < b.fare.micros; }

}  // namespace

std::string SignQuote(const std::string& key, const Quote& quote) {
  Writer payload;
  payload.Add(quote.quote_id);
  payload.Add(quote.rider_id);
  payload.Add(quote.product_id);
  payload.Add(quote.region_id);
  payload.Add(static_cast<std::int64_t>(quote.seats));
  payload.Add(quote.pickup.latitude_deg);
  payload.Add(quote.pickup.longitude_deg);
  payload.Add(quote.dropoff.latitude_deg);
  payload.Add(quote.dropoff.longitude_deg);
  payload.Add(quote.fare.currency_code);
  payload.Add(quote.fare.micros);
  payload.Add(quote.distance_m);
  payload.Add(absl::ToInt64Microseconds(quote.trip_duration));
  payload.Add(absl::ToUnixMicros(quote.expire_time));
  const std::string signed_part = kVersion + ToBase64Url(payload.bytes());
  return signed_part + "." + ToBase64Url(Hmac(key, signed_part));
}

absl::StatusOr<Quote> ReadQuote(const std::string& key, const std::string& token) {
  const std::size_t dot = token.rfind('.');
  if (token.size() > kMaxQuoteTokenBytes || token.rfind(kVersion, 0) != 0 || dot < sizeof kVersion) {
    return Mismatch("not a quote token");
  }
  const std::string signed_part = token.substr(0, dot);
  std::string signature;
  std::string payload;
  const std::string expected = Hmac(key, signed_part);
  if (!FromBase64Url(token.substr(dot + 1), &signature) || signature.size() != expected.size() ||
      CRYPTO_memcmp(signature.data(), expected.data(), expected.size()) != 0 ||
      !FromBase64Url(signed_part.substr(sizeof kVersion - 1), &payload)) {
    return Mismatch("the quote token was not issued here, or is damaged");
  }
  Quote quote;
  quote.quote_token = token;
  std::int64_t seats = 0;
  std::int64_t duration_us = 0;
  std::int64_t expire_us = 0;
  Reader reader(payload);
  reader.Get(quote.quote_id);
  reader.Get(quote.rider_id);
  reader.Get(quote.product_id);
  reader.Get(quote.region_id);
  reader.Get(seats);
  reader.Get(quote.pickup.latitude_deg);
  reader.Get(quote.pickup.longitude_deg);
  reader.Get(quote.dropoff.latitude_deg);
  reader.Get(quote.dropoff.longitude_deg);
  reader.Get(quote.fare.currency_code);
  reader.Get(quote.fare.micros);
  reader.Get(quote.distance_m);
  reader.Get(duration_us);
  reader.Get(expire_us);
  if (!reader.AtEnd() || !std::in_range<int>(seats)) return Mismatch("the quote token is of another version");
  quote.seats = static_cast<int>(seats);
  quote.trip_duration = absl::Microseconds(duration_us);
  quote.expire_time = absl::FromUnixMicros(expire_us);
  return quote;
}

Quoter::Quoter(const Regions* regions, std::string key, RandomBits random, absl::Duration valid_for)
    : regions_(regions), key_(std::move(key)), random_(std::move(random)), valid_for_(valid_for) {}

absl::StatusOr<std::vector<Quote>> Quoter::QuoteRide(const Now& now, const RideRequest& request) const {
  if (absl::Status status = CheckId(request.rider_id, "rider_id"); !status.ok()) return status;
  const absl::StatusOr<const Region*> region = CheckRoute(request, *regions_);
  if (!region.ok()) return region.status();

  std::vector<const Product*> products;
  if (request.product_id.empty()) {
    RideRequest each = request;
    for (const Product& product : (*region)->products) {
      each.product_id = product.product_id;
      const absl::StatusOr<const Product*> fits = CheckProduct(each, **region);
      if (fits.ok()) products.push_back(*fits);
    }
    if (products.empty()) return InvalidField("seats", "no product of the region has so many (or so few) seats");
  } else {
    const absl::StatusOr<const Product*> product = CheckProduct(request, **region);
    if (!product.ok()) return product.status();
    products.push_back(*product);
  }

  const Trip trip = EstimateTrip(request.pickup.position, request.dropoff.position, now.domain);
  std::vector<Quote> quotes;
  for (const Product* product : products) {
    Quote quote;
    quote.quote_id = UuidV7(now.wall, random_);
    quote.rider_id = request.rider_id;
    quote.product_id = product->product_id;
    quote.region_id = (*region)->region_id;
    quote.seats = request.seats == 0 ? 1 : request.seats;
    quote.pickup = request.pickup.position;
    quote.dropoff = request.dropoff.position;
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
  if (absl::Status status = CheckLabels(request.labels); !status.ok()) return status;

  Terms terms;
  terms.region = *region;
  terms.product = *product;
  if (request.quote_token.empty()) {
    const Trip trip = EstimateTrip(request.pickup.position, request.dropoff.position, now.domain);
    terms.fare = PriceOf(**product, trip);
    terms.distance_m = trip.distance_m;
    terms.trip_duration = trip.duration;
    return terms;
  }
  const absl::StatusOr<Quote> quote = ReadQuote(key_, request.quote_token);
  if (!quote.ok()) return quote.status();
  if (quote->rider_id != request.rider_id) return Mismatch("the quote is for another rider");
  if (quote->product_id != request.product_id) return Mismatch("the quote is for another product");
  if (quote->region_id != (*region)->region_id) return Mismatch("the quote is for another region");
  if (quote->seats != (request.seats == 0 ? 1 : request.seats)) return Mismatch("the quote is for other seats");
  if (quote->pickup != request.pickup.position || quote->dropoff != request.dropoff.position) {
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
