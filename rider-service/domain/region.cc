#include "rider-service/domain/region.h"

#include <s2/s2latlng.h>
#include <s2/s2loop.h>
#include <s2/s2polygon.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors/error.h"
#include "common/money/currency.h"
#include "common/text/utf8.h"

namespace hail::rider {
namespace {

using Json = nlohmann::json;

constexpr double kMicros = 1e6;
constexpr int kMaxSeats = 8;

// Collects the problems of a configuration, so that all are reported at once.
class Problems {
 public:
  void Add(const std::string& where, const std::string& what) { text_ += "\n  " + where + ": " + what; }
  bool any() const { return !text_.empty(); }
  absl::Status status() const {
    return MakeError(absl::StatusCode::kInvalidArgument, "regions:" + text_,
                     {.reason = Reason::kInvalidField, .field = "regions"});
  }

 private:
  std::string text_;
};

std::string Text(const Json& object, const char* key, const std::string& where, Problems& problems) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_string() ||
      object[key].get_ref<const std::string&>().empty()) {
    problems.Add(where + "." + key, "a text is required");
    return "";
  }
  return object[key].get<std::string>();
}

double Number(const Json& object, const char* key, const std::string& where, Problems& problems) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_number() || !(object[key].get<double>() >= 0) ||
      object[key].get<double>() > 1e6) {
    problems.Add(where + "." + key, "a number from 0 to 1,000,000 is required");
    return 0;
  }
  return object[key].get<double>();
}

// s2's error text: message() in newer versions, text() in older ones.
template <typename Error>
std::string TextOf(const Error& error) {
  if constexpr (requires { error.message(); }) {
    return std::string(error.message());
  } else {
    return error.text();
  }
}

std::unique_ptr<S2Loop> Ring(const Json& ring, const std::string& where, Problems& problems) {
  std::vector<S2Point> points;
  if (!ring.is_array() || ring.size() < 4 || ring.front() != ring.back()) {
    problems.Add(where, "a ring needs at least four positions, the last equal to the first");
    return nullptr;
  }
  for (std::size_t i = 0; i + 1 < ring.size(); ++i) {
    const Json& position = ring[i];
    if (!position.is_array() || position.size() < 2 || !position[0].is_number() || !position[1].is_number() ||
        std::abs(position[0].get<double>()) > 180 || std::abs(position[1].get<double>()) > 90) {
      problems.Add(where + "[" + std::to_string(i) + "]", "[longitude, latitude] in degrees is required");
      return nullptr;
    }
    points.push_back(S2LatLng::FromDegrees(position[1].get<double>(), position[0].get<double>()).ToPoint());
  }
  auto loop = std::make_unique<S2Loop>();
  loop->set_s2debug_override(S2Debug::DISABLE);
  loop->Init(points);
  S2Error error;
  if (loop->FindValidationError(&error)) {
    problems.Add(where, TextOf(error));
    return nullptr;
  }
  // Either winding means the smaller side, because no region covers half the earth.
  loop->Normalize();
  return loop;
}

void AddPolygon(const Json& rings, const std::string& where, std::vector<std::unique_ptr<S2Loop>>& loops,
                Problems& problems) {
  if (!rings.is_array() || rings.empty()) return problems.Add(where, "rings are required");
  for (std::size_t i = 0; i < rings.size(); ++i) {
    if (auto loop = Ring(rings[i], where + "[" + std::to_string(i) + "]", problems)) loops.push_back(std::move(loop));
  }
}

std::unique_ptr<S2Polygon> Area(const Json& region, const std::string& where, Problems& problems) {
  const Json area = region.is_object() ? region.value("area", Json()) : Json();
  const Json type = area.is_object() ? area.value("type", Json()) : Json();
  const Json coordinates = area.is_object() ? area.value("coordinates", Json()) : Json();
  std::vector<std::unique_ptr<S2Loop>> loops;
  if (type == "Polygon") {
    AddPolygon(coordinates, where + ".coordinates", loops, problems);
  } else if (type == "MultiPolygon" && coordinates.is_array()) {
    for (std::size_t i = 0; i < coordinates.size(); ++i) {
      AddPolygon(coordinates[i], where + ".coordinates[" + std::to_string(i) + "]", loops, problems);
    }
  } else {
    problems.Add(where, "a GeoJSON Polygon or MultiPolygon is required");
  }
  auto polygon = std::make_unique<S2Polygon>();
  polygon->set_s2debug_override(S2Debug::DISABLE);
  polygon->InitNested(std::move(loops));
  S2Error error;
  if (polygon->FindValidationError(&error)) problems.Add(where, TextOf(error));
  return polygon;
}

std::string InUnits(std::int64_t micros) { return absl::StrCat(static_cast<double>(micros) / kMicros); }

// The smallest chargeable amount of a region, in micros.
std::int64_t Step(const Json& region, const std::string& currency_code, const std::string& where, Problems& problems) {
  const std::optional<std::int64_t> unit = SmallestUnitMicros(currency_code);
  if (!unit) {
    if (!currency_code.empty()) problems.Add(where + ".currency_code", currency_code + " is no currency of ISO 4217");
    return 1;
  }
  if (!region.contains("rounding_step")) return *unit;
  const std::int64_t step = std::llround(Number(region, "rounding_step", where, problems) * kMicros);
  if (step > 0 && step % *unit == 0) return step;
  problems.Add(where + ".rounding_step", "must be a multiple of " + InUnits(*unit) + " " + currency_code);
  return *unit;
}

Product ReadProduct(const Json& json, const Region& region, std::int64_t step, const std::string& where,
                    Problems& problems) {
  const auto money = [&](const char* key) {
    return Money{region.currency_code, std::llround(Number(json, key, where, problems) * kMicros)};
  };
  // A chargeable amount.
  const auto amount = [&](const char* key, std::int64_t multiple_of) {
    const Money read = money(key);
    if (read.micros % multiple_of != 0) {
      problems.Add(where + "." + key, InUnits(read.micros) +
                                          " is no amount that can be charged: it must be a multiple of " +
                                          InUnits(multiple_of) + " " + region.currency_code);
    }
    return read;
  };
  Product product;
  product.step_micros = step;
  product.product_id = Text(json, "product_id", where, problems);
  product.region_id = region.region_id;
  product.display_name = Text(json, "display_name", where, problems);
  product.max_seats = static_cast<int>(Number(json, "max_seats", where, problems));
  if (product.max_seats < 1 || product.max_seats > kMaxSeats) problems.Add(where + ".max_seats", "must be 1 to 8");
  product.base_fare = amount("base_fare", SmallestUnitMicros(region.currency_code).value_or(1));
  product.per_km = money("per_km");
  product.per_minute = money("per_minute");
  product.minimum_fare = amount("minimum_fare", step);
  product.cancellation_fee = amount("cancellation_fee", step);
  product.free_cancellation = absl::Seconds(Number(json, "free_cancellation_s", where, problems));
  return product;
}

bool Cheaper(const Product& a, const Product& b) {
  return std::pair(a.minimum_fare.micros, a.per_km.micros) < std::pair(b.minimum_fare.micros, b.per_km.micros);
}

}  // namespace

struct Regions::Impl {
  std::vector<Region> regions;
  // Area of the region with the same index.
  std::vector<std::unique_ptr<S2Polygon>> areas;
};

Regions::Regions(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Regions::Regions(Regions&&) noexcept = default;
Regions& Regions::operator=(Regions&&) noexcept = default;
Regions::~Regions() = default;

const Product* Region::FindProduct(const std::string& product_id) const {
  for (const Product& product : products) {
    if (product.product_id == product_id) return &product;
  }
  return nullptr;
}

absl::StatusOr<Regions> Regions::FromJson(const std::string& json) {
  Problems problems;
  const absl::StatusOr<std::size_t> begin = Utf8Begin(json);
  if (!begin.ok()) return InvalidField("regions", std::string(begin.status().message()));
  Json root;
  try {
    root = Json::parse(json.begin() + static_cast<std::ptrdiff_t>(*begin), json.end());
  } catch (const Json::exception& error) {
    return InvalidField("regions", absl::StrCat("is not JSON: ", error.what()));
  }
  const Json list = root.is_object() ? root.value("regions", Json()) : Json();
  if (!list.is_array() || list.empty()) {
    problems.Add("regions", "a JSON object with a list \"regions\" is required");
    return problems.status();
  }
  auto impl = std::make_unique<Impl>();
  std::set<std::string> region_ids;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string where = "regions[" + std::to_string(i) + "]";
    Region region;
    region.region_id = Text(list[i], "region_id", where, problems);
    region.display_name = Text(list[i], "display_name", where, problems);
    region.currency_code = Text(list[i], "currency_code", where, problems);
    const std::int64_t step = Step(list[i], region.currency_code, where, problems);
    if (!region_ids.insert(region.region_id).second) problems.Add(where + ".region_id", "used twice");
    impl->areas.push_back(Area(list[i], where + ".area", problems));
    const Json products = list[i].is_object() ? list[i].value("products", Json()) : Json();
    if (!products.is_array() || products.empty()) problems.Add(where + ".products", "a list is required");
    std::set<std::string> product_ids;
    for (std::size_t k = 0; k < products.size(); ++k) {
      const std::string at = where + ".products[" + std::to_string(k) + "]";
      region.products.push_back(ReadProduct(products[k], region, step, at, problems));
      if (!product_ids.insert(region.products.back().product_id).second) problems.Add(at + ".product_id", "used twice");
    }
    std::stable_sort(region.products.begin(), region.products.end(), Cheaper);
    impl->regions.push_back(std::move(region));
  }
  if (problems.any()) return problems.status();
  return Regions(std::move(impl));
}

absl::Status Regions::KeepOnly(const std::vector<std::string>& region_ids) {
  std::vector<std::string> unknown;
  for (const std::string& region_id : region_ids) {
    if (Find(region_id) == nullptr) unknown.push_back(region_id);
  }
  if (!unknown.empty()) {
    const auto id_of = [](std::string* out, const Region& region) { out->append(region.region_id); };
    return InvalidField("regions", absl::StrCat("no such region: ", absl::StrJoin(unknown, ", "), "; there are ",
                                                absl::StrJoin(impl_->regions, ", ", id_of)));
  }
  auto kept = std::make_unique<Impl>();
  for (std::size_t i = 0; i < impl_->regions.size(); ++i) {
    if (std::find(region_ids.begin(), region_ids.end(), impl_->regions[i].region_id) == region_ids.end()) continue;
    kept->regions.push_back(std::move(impl_->regions[i]));
    kept->areas.push_back(std::move(impl_->areas[i]));
  }
  impl_ = std::move(kept);
  return absl::OkStatus();
}

const Region* Regions::At(const LatLng& point) const {
  const S2LatLng lat_lng = S2LatLng::FromDegrees(point.latitude_deg, point.longitude_deg);
  if (!lat_lng.is_valid()) return nullptr;
  const S2Point at = lat_lng.ToPoint();
  for (std::size_t i = 0; i < impl_->regions.size(); ++i) {
    if (impl_->areas[i]->Contains(at)) return &impl_->regions[i];
  }
  return nullptr;
}

const Region* Regions::Find(const std::string& region_id) const {
  for (const Region& region : impl_->regions) {
    if (region.region_id == region_id) return &region;
  }
  return nullptr;
}

const std::vector<Region>& Regions::all() const { return impl_->regions; }

}  // namespace hail::rider
