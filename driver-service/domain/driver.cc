#include "driver-service/domain/driver.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/errors/error.h"
#include "common/ids/uuid.h"
#include "common/text/text.h"

namespace hail::driver {
namespace {

constexpr int kMaxSeats = 8;
constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxWord = 64;
constexpr std::size_t kMaxPlate = 32;
constexpr std::size_t kMaxProducts = 16;

absl::Status CheckVehicle(const Vehicle& vehicle, const std::string& prefix) {
  if (absl::Status s = CheckText(vehicle.make, kMaxWord, prefix + ".make"); !s.ok()) return s;
  if (absl::Status s = CheckText(vehicle.model, kMaxWord, prefix + ".model"); !s.ok()) return s;
  if (absl::Status s = CheckText(vehicle.color, kMaxWord, prefix + ".color"); !s.ok()) return s;
  if (vehicle.plate.empty()) return InvalidField(prefix + ".plate", "required");
  if (absl::Status s = CheckText(vehicle.plate, kMaxPlate, prefix + ".plate"); !s.ok()) return s;
  // A plate without letters and digits cannot be compared.
  if (NormalPlate(vehicle.plate).empty()) return InvalidField(prefix + ".plate", "holds no letter and no digit");
  if (vehicle.seats < 1 || vehicle.seats > kMaxSeats) {
    return InvalidField(prefix + ".seats", absl::StrCat("must be 1 to ", kMaxSeats));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckDriver(const Driver& driver, const std::string& prefix) {
  if (absl::Status s = CheckId(driver.driver_id, prefix + ".driver_id"); !s.ok()) return s;
  if (absl::Status s = CheckText(driver.display_name, kMaxName, prefix + ".display_name"); !s.ok()) return s;
  if (absl::Status s = CheckId(driver.region_id, prefix + ".region_id"); !s.ok()) return s;
  if (absl::Status s = CheckVehicle(driver.vehicle, prefix + ".vehicle"); !s.ok()) return s;
  const std::string products = prefix + ".product_ids";
  if (driver.product_ids.empty()) return InvalidField(products, "at least one is required");
  if (driver.product_ids.size() > kMaxProducts) return InvalidField(products, absl::StrCat("more than ", kMaxProducts));
  std::set<std::string> seen;
  for (std::size_t i = 0; i < driver.product_ids.size(); ++i) {
    const std::string field = absl::StrCat(products, "[", i, "]");
    if (absl::Status s = CheckId(driver.product_ids[i], field); !s.ok()) return s;
    if (!seen.insert(driver.product_ids[i]).second) return InvalidField(field, "given twice");
  }
  return absl::OkStatus();
}

std::string NormalPlate(std::string_view plate) {
  std::string normal;
  for (const char c : plate) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || static_cast<unsigned char>(c) >= 0x80) {
      normal += absl::ascii_toupper(static_cast<unsigned char>(c));
    }
  }
  return normal;
}

absl::Status PlateInUse() {
  return FailedPrecondition(Reason::kPlateInUse, "another driver is online with the same plate");
}

bool SameProfile(const Driver& a, const Driver& b) {
  return a.driver_id == b.driver_id && a.display_name == b.display_name && a.region_id == b.region_id &&
         a.vehicle == b.vehicle && a.product_ids == b.product_ids;
}

}  // namespace hail::driver
