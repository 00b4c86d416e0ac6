// Tokens that clients send back: page tokens and signed quotes; damaged, forged, and with another filter.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <string>

#include "absl/strings/escaping.h"
#include "rider-service/domain/page_token.h"
#include "rider-service/domain/quote.h"
#include "tests/fuzz/fuzz_target.h"

namespace hail::fuzz {
namespace {

using rider::Quote;

const std::string kKey(32, 'k');

void PageTokens(Input& input) {
  const std::string filter = input.Text();
  const std::string text = input.Rest();
  if (const auto position = rider::ReadPageToken(filter, text); position.ok()) {
    Require(!position->empty(), "a page ended somewhere");
    const auto again = rider::ReadPageToken(filter, rider::MakePageToken(filter, *position));
    Require(again.ok() && *again == *position, "a token leads to its position");
    Require(!rider::ReadPageToken(filter + "x", text).ok(), "a token fits its filter only");
  }
  if (text.empty()) return;
  const auto own = rider::ReadPageToken(filter, rider::MakePageToken(filter, text));
  Require(own.ok() && *own == text, "a token made here is read here");
}

void ForeignQuotes(Input& input) {
  const std::string token = input.Rest();
  Require(!rider::ReadQuote(kKey, token).ok(), "nobody else can sign a quote");
}

// A payload that the key's owner could sign but never made, for example an older version's.
void SignedPayload(const std::string& version, rider::QuoteLayout layout, const std::string& payload) {
  const std::string head = version + absl::WebSafeBase64Escape(payload);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), kKey.data(), static_cast<int>(kKey.size()), reinterpret_cast<const unsigned char*>(head.data()),
       head.size(), digest, &size);
  const std::string token =
      head + "." + absl::WebSafeBase64Escape(absl::string_view(reinterpret_cast<const char*>(digest), size));
  const auto quote = rider::ReadQuote(kKey, token);
  if (!quote.ok()) return;
  const std::string again = rider::SignQuote(kKey, *quote, layout);
  // Fields of a later release, or a different order, are dropped.
  Require(again == token || layout == rider::QuoteLayout::kProtobuf,
          "a quote that is read is signed to the same token");
  const auto same = rider::ReadQuote(kKey, again);
  Require(same.ok() && rider::SignQuote(kKey, *same, layout) == again, "a quote is read as it was signed");
}

void SignedPayloads(Input& input) {
  const std::string payload = input.Rest();
  SignedPayload("v1.", rider::QuoteLayout::kPositional, payload);
  SignedPayload("v2.", rider::QuoteLayout::kProtobuf, payload);
}

// Of quotes made here, without unknown fields.
bool Same(const Quote& a, const Quote& b) { return a.SerializeAsString() == b.SerializeAsString(); }

void DamagedQuotes(Input& input) {
  Quote quote;
  quote.set_quote_id(input.Text());
  quote.set_rider_id(input.Text());
  quote.set_product_id("economy");
  quote.set_region_id("san_francisco");
  quote.set_seats(input.Below(8));
  quote.set_pickup_latitude_deg(37.7955);
  quote.set_pickup_longitude_deg(-122.3937);
  quote.set_dropoff_latitude_deg(37.7879);
  quote.set_dropoff_longitude_deg(-122.4075);
  quote.set_currency_code("USD");
  quote.set_fare_micros(input.Int64());
  quote.set_distance_m(1900);
  quote.set_trip_duration_us(202'000'000);
  quote.set_expire_time_us(1'700'000'000'000'000);
  const std::string token = rider::SignQuote(kKey, quote);
  const auto whole = rider::ReadQuote(kKey, token);
  if (token.size() <= rider::kMaxQuoteTokenBytes) Require(whole.ok() && Same(*whole, quote), "a quote is read as made");
  Require(!rider::ReadQuote(std::string(32, 'x'), token).ok(), "a quote is of its key only");

  std::string damaged = token;
  while (!input.empty()) {
    const std::size_t at = static_cast<std::size_t>(input.Below(256)) * 256 + static_cast<std::size_t>(input.Byte());
    const char with = static_cast<char>(input.Byte());
    if (at < damaged.size()) damaged[at] = static_cast<char>(damaged[at] ^ with);
  }
  // Base64 has several spellings of the same bytes: an accepted token must decode to the same quote.
  const auto read = rider::ReadQuote(kKey, damaged);
  if (read.ok()) Require(Same(*read, quote), "an accepted damaged token is the same quote");
}

}  // namespace
}  // namespace hail::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hail::fuzz::Input input(data, size);
  switch (input.Below(4)) {
    case 0:
      hail::fuzz::PageTokens(input);
      break;
    case 1:
      hail::fuzz::ForeignQuotes(input);
      break;
    case 2:
      hail::fuzz::SignedPayloads(input);
      break;
    default:
      hail::fuzz::DamagedQuotes(input);
      break;
  }
  return 0;
}
