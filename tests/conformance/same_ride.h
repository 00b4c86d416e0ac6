// Compares answers of rider-service's store.
#pragma once

#include "rider-service/domain/ride_store.h"

namespace hail::rider {

inline bool operator==(const Created& a, const Created& b) {
  return a.ride == b.ride && a.existed == b.existed && a.event == b.event;
}
inline bool operator==(const Changed& a, const Changed& b) {
  return a.ride == b.ride && a.event == b.event && a.changed == b.changed;
}
inline bool operator==(const RideLog& a, const RideLog& b) { return a.ride == b.ride && a.events == b.events; }
inline bool operator==(const DriverCatchUp& a, const DriverCatchUp& b) {
  return a.driver_sequence == b.driver_sequence && a.ride == b.ride && a.missed == b.missed && a.reset == b.reset;
}
inline bool operator==(const RidePage& a, const RidePage& b) { return a.rides == b.rides && a.more == b.more; }
inline bool operator==(const LiveRides& a, const LiveRides& b) { return a.count == b.count && a.oldest == b.oldest; }

}  // namespace hail::rider
