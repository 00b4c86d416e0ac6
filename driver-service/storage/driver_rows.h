// Columns that both driver stores share, and the conversion of their values to and from the domain.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "common/errors/error.h"
#include "driver-service/domain/driver.h"
#include "driver-service/domain/driver_store.h"
#include "driver-service/domain/offer.h"

namespace hail::driver {

// The columns for DriverOfRow, in this order.
inline constexpr char kDriverColumns[] =
    " driver_id, display_name, region_id, vehicle_make, vehicle_model, vehicle_color, vehicle_plate, vehicle_seats,"
    " product_ids, online, create_time, update_time, version";

// A row that begins with kDriverColumns; `text` and `number` read the value of a column.
template <typename Text, typename Number>
StoredDriver DriverOfRow(const Text& text, const Number& number) {
  StoredDriver stored;
  Driver& driver = stored.driver;
  driver.driver_id = text(0);
  driver.display_name = text(1);
  driver.region_id = text(2);
  driver.vehicle = {
      .make = text(3), .model = text(4), .color = text(5), .plate = text(6), .seats = static_cast<int>(number(7))};
  driver.product_ids = absl::StrSplit(text(8), '\n');
  stored.availability = number(9) != 0 ? Availability::kOnline : Availability::kOffline;
  driver.create_time = absl::FromUnixMicros(number(10));
  driver.update_time = absl::FromUnixMicros(number(11));
  driver.version = number(12);
  return stored;
}

// Calls `bind` with the driver's values of the columns display_name to product_ids.
template <typename Bind>
decltype(auto) BindProfile(const Driver& driver, const Bind& bind) {
  const Vehicle& vehicle = driver.vehicle;
  return bind(driver.display_name, driver.region_id, vehicle.make, vehicle.model, vehicle.color, vehicle.plate,
              vehicle.seats, absl::StrJoin(driver.product_ids, "\n"));
}

inline constexpr char kOfferColumns[] =
    " offer_id, ride_id, epoch, driver_id, outcome, revoke_reason, received, made_time, settled_time, pickup_eta_us,"
    " pickup_distance_m";

// A row of kOfferColumns; `text`, `number` and `real` read the value of a column.
template <typename Text, typename Number, typename Real>
OfferRecord OfferOfRow(const Text& text, const Number& number, const Real& real) {
  OfferRecord record;
  record.offer_id = text(0);
  record.ride_id = text(1);
  record.epoch = number(2);
  record.driver_id = text(3);
  record.outcome = OfferStatusNamed(text(4));
  record.reason = RevokeReasonNamed(text(5));
  record.received = number(6) != 0;
  record.made_time = absl::FromUnixMicros(number(7));
  record.settled_time = absl::FromUnixMicros(number(8));
  record.pickup_eta = absl::Microseconds(number(9));
  record.pickup_distance_m = real(10);
  return record;
}

// Calls `bind` with an offer's values of kOfferColumns.
template <typename Bind>
decltype(auto) BindOffer(const OfferRecord& record, const Bind& bind) {
  return bind(record.offer_id, record.ride_id, record.epoch, record.driver_id, OfferStatusName(record.outcome),
              RevokeReasonName(record.reason), record.received ? 1 : 0, absl::ToUnixMicros(record.made_time),
              absl::ToUnixMicros(record.settled_time), absl::ToInt64Microseconds(record.pickup_eta),
              record.pickup_distance_m);
}

inline absl::Status NoSuchDriver() { return NotFound(Reason::kDriverNotFound, "no such driver; register first"); }

}  // namespace hail::driver
