#include "rider-service/domain/rides.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "common/errors/error.h"
#include "common/text/text.h"
#include "rider-service/domain/page_token.h"
#include "rider-service/domain/ride_refusals.h"
#include "rider-service/domain/view.h"

namespace hail::rider {
namespace {

constexpr int kDefaultPage = 20;
constexpr int kMaxPage = 100;
constexpr absl::Duration kRetryWhenBehind = absl::Seconds(1);

absl::StatusOr<int> PageSize(int asked) {
  if (asked < 0) return InvalidField("page_size", "must not be negative");
  if (asked > kMaxPage) return InvalidField("page_size", "must be at most 100");
  return asked == 0 ? kDefaultPage : asked;
}

// The first error, or OK.
template <typename... Statuses>
absl::Status FirstError(Statuses... statuses) {
  absl::Status first;
  (void)((first = std::move(statuses), !first.ok()) || ...);
  return first;
}

}  // namespace

std::string RideTopic(const std::string& ride_id) { return "ride." + TopicWord(ride_id); }
std::string DriverTopic(const std::string& driver_id) { return "driver." + TopicWord(driver_id); }
std::string KeeperTopic(const std::string& incarnation) { return "keeper." + TopicWord(incarnation); }

Rides::Rides(Ports ports, RideRules rules) : ports_(std::move(ports)), rules_(rules) {}

void Rides::Announce(const RideEvent& event, const std::string& former_keeper) const {
  // A ride usually has no subscribers before its request is answered.
  BusPayload payload;
  const auto publish = [&](const std::string& topic) {
    if (!ports_.bus->HasSubscribers(topic)) return;
    if (payload == nullptr) payload = std::make_shared<const std::string>(ports_.codec->Encode(event));
    ports_.bus->Publish(topic, payload);
  };
  publish(RideTopic(event.ride_id()));
  if (!event.driver_id.empty()) publish(DriverTopic(event.driver_id));
  if (!former_keeper.empty()) publish(KeeperTopic(former_keeper));
}

void Rides::Change(std::string ride_id, Decide decide, absl::Time deadline, Done<Changed> done) {
  ports_.store->Change(std::move(ride_id), std::move(decide), deadline,
                       [this, done = std::move(done)](absl::StatusOr<Changed> changed) {
                         if (changed.ok() && changed->changed) {
                           if (changed->event) Announce(*changed->event, changed->keeper);
                           ports_.observer->OnCommitted(changed->ride, changed->event ? &*changed->event : nullptr);
                         }
                         done(std::move(changed));
                       });
}

// --- Riders ---

absl::Status Rides::Admit(absl::Time deadline) const {
  if (ports_.observer->IsOverloaded()) return Overloaded("too many rides wait to be dispatched", kRetryWhenBehind);
  return ports_.store->AdmitCreate(deadline);
}

void Rides::Request(const Now& now, const RideRequest& request, absl::Time deadline, Done<Ride> done) {
  if (absl::Status status = Admit(deadline); !status.ok()) return done(std::move(status));
  if (absl::Status status =
          FirstError(CheckId(request.rider_id(), "rider_id"), CheckId(request.request_id(), "request_id"));
      !status.ok()) {
    return done(status);
  }
  const std::string fingerprint = RequestFingerprint(request);
  const absl::StatusOr<Quoter::Terms> terms = ports_.quoter->TermsFor(now, request);
  if (!terms.ok()) {
    // A request that was accepted once always returns its ride, even if it would be refused now.
    ports_.store->ByRequest(
        request.rider_id(), request.request_id(),
        [this, fingerprint, refusal = terms.status(), done](absl::StatusOr<std::optional<Ride>> found) mutable {
          if (!found.ok()) return done(std::move(found).status());
          if (!*found) return done(std::move(refusal));
          if ((*found)->request_fingerprint() != fingerprint) return done(RequestIdReused((*found)->ride_id()));
          done(RideForRider(**std::move(found)));
        });
    return;
  }

  Ride ride = AskedFor(request, fingerprint);
  Ride::Message& record = *ride.Edit();
  record.set_ride_id(UuidV7(now.wall, ports_.random));
  record.set_region_id(terms->region->region_id);
  Encode(terms->fare, record.mutable_fare()->mutable_quoted());
  record.set_quote_id(terms->quote_id);
  record.set_distance_m(terms->distance_m);
  Encode(terms->trip_duration, record.mutable_trip_duration());
  ride.set_cancellation_terms({terms->product->cancellation_fee, terms->product->free_cancellation});
  ports_.store->Create(NewRide(std::move(ride), rules_, now.domain), deadline,
                       [this, done = std::move(done)](absl::StatusOr<Created> created) {
                         if (!created.ok()) return done(std::move(created).status());
                         if (created->event) {
                           Announce(*created->event);
                           ports_.observer->OnCommitted(created->ride, &*created->event);
                         } else if (created->keeper.empty()) {
                           ports_.observer->OnFound(created->ride);
                         }
                         done(RideForRider(std::move(created->ride)));
                       });
}

void Rides::Cancel(const Now& now, std::string rider_id, std::string ride_id, CancelReason reason, std::string note,
                   absl::Time deadline, Done<Ride> done) {
  if (absl::Status status = FirstError(CheckId(rider_id, "rider_id"), CheckId(ride_id, "ride_id"),
                                       CheckReason(reason, "reason"), CheckNote(note, "note"));
      !status.ok()) {
    return done(status);
  }
  auto decide = [rider_id = std::move(rider_id), reason, note = std::move(note),
                 at = now.domain](const Ride& ride) -> absl::StatusOr<RideChange> {
    if (ride.rider_id() != rider_id) return NoSuchRide();
    return CancelByRider(ride, reason, note, at);
  };
  Change(std::move(ride_id), std::move(decide), deadline, [done = std::move(done)](absl::StatusOr<Changed> changed) {
    if (!changed.ok()) return done(std::move(changed).status());
    done(RideForRider(std::move(changed->ride)));
  });
}

void Rides::Get(std::string rider_id, std::string ride_id, Done<Ride> done) {
  if (absl::Status status = FirstError(CheckId(rider_id, "rider_id"), CheckId(ride_id, "ride_id")); !status.ok()) {
    return done(status);
  }
  ports_.store->ById(std::move(ride_id), [rider_id = std::move(rider_id),
                                          done = std::move(done)](absl::StatusOr<std::optional<Ride>> ride) {
    if (!ride.ok()) return done(std::move(ride).status());
    if (!*ride || (*ride)->rider_id() != rider_id) return done(NoSuchRide());
    done(RideForRider(**std::move(ride)));
  });
}

void Rides::GetActive(std::string rider_id, Done<std::optional<Ride>> done) {
  if (absl::Status status = CheckId(rider_id, "rider_id"); !status.ok()) return done(status);
  ports_.store->ActiveOfRider(std::move(rider_id), [done = std::move(done)](absl::StatusOr<std::optional<Ride>> ride) {
    if (!ride.ok()) return done(std::move(ride).status());
    if (!*ride) return done(std::optional<Ride>());
    done(std::optional<Ride>(RideForRider(**std::move(ride))));
  });
}

void Rides::ListForRider(List list, Done<Listed> done) {
  const absl::StatusOr<int> size = PageSize(list.page_size);
  if (absl::Status status = FirstError(CheckId(list.rider_id, "rider_id"), size.status()); !status.ok()) {
    return done(status);
  }
  // Removes duplicates: a client may repeat a state as often as a message allows.
  std::sort(list.states.begin(), list.states.end());
  list.states.erase(std::unique(list.states.begin(), list.states.end()), list.states.end());
  std::string filter = "rider " + list.rider_id;
  for (const RideState state : list.states) {
    if (state == RideState::kUnspecified) return done(InvalidField("states", "not a state"));
    filter += " " + std::to_string(static_cast<int>(state));
  }
  RiderListing listing{std::move(list.rider_id), std::move(list.states), "", *size};
  if (!list.page_token.empty()) {
    absl::StatusOr<std::string> position = ReadPageToken(filter, list.page_token);
    if (!position.ok()) return done(position.status());
    listing.before_ride_id = *std::move(position);
  }
  ports_.store->ListOfRider(std::move(listing),
                            [filter = std::move(filter), done = std::move(done)](absl::StatusOr<RidePage> page) {
                              if (!page.ok()) return done(std::move(page).status());
                              Listed listed;
                              if (page->more)
                                listed.next_page_token = MakePageToken(filter, page->rides.back().ride_id());
                              for (Ride& ride : page->rides) listed.rides.push_back(RideForRider(std::move(ride)));
                              done(std::move(listed));
                            });
}

// --- Drivers ---

void Rides::Confirm(const Now& now, std::string ride_id, AcceptedOffer assignment, absl::Time deadline,
                    Done<Ride> done) {
  if (absl::Status status =
          FirstError(CheckId(ride_id, "ride_id"), CheckId(assignment.driver.driver_id(), "driver.driver_id"),
                     CheckId(assignment.offer_id, "offer_id"),
                     assignment.epoch < 1 ? InvalidField("epoch", "must be at least 1") : absl::OkStatus());
      !status.ok()) {
    return done(status);
  }
  auto decide = [assignment = std::move(assignment), rules = rules_, at = now.domain](const Ride& ride) {
    return Assign(ride, assignment, rules, at);
  };
  Change(std::move(ride_id), std::move(decide), deadline, [done = std::move(done)](absl::StatusOr<Changed> changed) {
    if (!changed.ok()) return done(std::move(changed).status());
    done(RideForDriver(std::move(changed->ride)));
  });
}

void Rides::FindAssignment(std::string driver_id, std::string offer_id, Done<Ride> done) {
  if (absl::Status status = FirstError(CheckId(driver_id, "driver_id"), CheckId(offer_id, "offer_id")); !status.ok()) {
    return done(status);
  }
  ports_.store->ByOffer(std::move(driver_id), std::move(offer_id),
                        [done = std::move(done)](absl::StatusOr<std::optional<Ride>> ride) {
                          if (!ride.ok()) return done(std::move(ride).status());
                          if (!*ride) return done(NoSuchRide());
                          done(RideForDriver(**std::move(ride)));
                        });
}

void Rides::RecordStep(const Now& now, std::string ride_id, DriverCommand command, absl::Time deadline,
                       Done<Ride> done) {
  const auto* cancel = std::get_if<trip::Cancel>(&command.action);
  const bool empty = std::holds_alternative<trip::None>(command.action);
  if (absl::Status status =
          FirstError(CheckId(command.driver_id, "driver_id"), CheckId(ride_id, "ride_id"),
                     command.epoch < 1 ? InvalidField("epoch", "must be at least 1") : absl::OkStatus(),
                     command.leg < 0 ? InvalidField("leg", "must not be negative") : absl::OkStatus(),
                     empty ? InvalidField("step", "required") : absl::OkStatus(),
                     cancel != nullptr ? CheckReason(cancel->reason, "reason") : absl::OkStatus(),
                     cancel != nullptr ? CheckNote(cancel->note, "note") : absl::OkStatus());
      !status.ok()) {
    return done(status);
  }
  auto decide = [command = std::move(command), rules = rules_, at = now.domain](const Ride& ride) {
    return TakeStep(ride, command, rules, at);
  };
  Change(std::move(ride_id), std::move(decide), deadline, [done = std::move(done)](absl::StatusOr<Changed> changed) {
    if (!changed.ok()) return done(std::move(changed).status());
    done(changed->event ? EventForDriver(*changed->event).ride : RideForDriver(changed->ride));
  });
}

void Rides::ListForDriver(std::string driver_id, int page_size, std::string page_token, Done<Listed> done) {
  const absl::StatusOr<int> size = PageSize(page_size);
  if (absl::Status status = FirstError(CheckId(driver_id, "driver_id"), size.status()); !status.ok()) {
    return done(status);
  }
  std::string filter = "driver " + driver_id;
  DriverListing listing{std::move(driver_id), std::nullopt, "", *size};
  if (!page_token.empty()) {
    const absl::StatusOr<std::string> position = ReadPageToken(filter, page_token);
    if (!position.ok()) return done(position.status());
    // "<microseconds> <ride_id>"
    std::int64_t micros = 0;
    const char* end = position->data() + position->size();
    const auto [rest, error] = std::from_chars(position->data(), end, micros);
    if (error != std::errc() || rest == end) return done(InvalidField("page_token", "damaged"));
    listing.before_assign_time = absl::FromUnixMicros(micros);
    listing.before_ride_id.assign(rest + 1, end);
  }
  ports_.store->ListOfDriver(
      std::move(listing), [filter = std::move(filter), done = std::move(done)](absl::StatusOr<RidePage> page) {
        if (!page.ok()) return done(std::move(page).status());
        Listed listed;
        if (page->more) {
          const Ride& last = page->rides.back();
          listed.next_page_token =
              MakePageToken(filter, std::to_string(absl::ToUnixMicros(*last.assign_time())) + " " + last.ride_id());
        }
        for (Ride& ride : page->rides) listed.rides.push_back(RideForDriver(std::move(ride)));
        done(std::move(listed));
      });
}

// --- Operators ---

void Rides::GetForOperator(std::string ride_id, Done<Ride> done) {
  if (absl::Status status = CheckId(ride_id, "ride_id"); !status.ok()) return done(status);
  ports_.store->ById(std::move(ride_id), [done = std::move(done)](absl::StatusOr<std::optional<Ride>> ride) {
    if (!ride.ok()) return done(std::move(ride).status());
    if (!*ride) return done(NoSuchRide());
    done(RideForOperator(**std::move(ride)));
  });
}

void Rides::ResolveRide(const Now& now, std::string ride_id, Resolution resolution, std::string note,
                        absl::Time deadline, Done<Ride> done) {
  if (absl::Status status = FirstError(
          CheckId(ride_id, "ride_id"), CheckNote(note, "note"),
          note.empty() ? InvalidField("note", "required: the operator and the reason") : absl::OkStatus(),
          resolution == Resolution::kUnspecified ? InvalidField("resolution", "required") : absl::OkStatus());
      !status.ok()) {
    return done(status);
  }
  auto decide = [resolution, note = std::move(note), at = now.domain](const Ride& ride) {
    return Resolve(ride, resolution, note, at);
  };
  Change(std::move(ride_id), std::move(decide), deadline, [done = std::move(done)](absl::StatusOr<Changed> changed) {
    if (!changed.ok()) return done(std::move(changed).status());
    done(RideForOperator(std::move(changed->ride)));
  });
}

// --- The dispatch scheduler ---

void Rides::RaiseEpoch(std::string ride_id, std::int64_t epoch, absl::Time deadline, Done<Changed> done) {
  auto decide = [epoch](const Ride& ride) -> absl::StatusOr<RideChange> { return rider::RaiseEpoch(ride, epoch); };
  Change(std::move(ride_id), std::move(decide), deadline, std::move(done));
}

void Rides::EndUnfulfilled(const Now& now, std::string ride_id, std::int64_t epoch, absl::Time deadline,
                           Done<Changed> done) {
  auto decide = [epoch, at = now.domain](const Ride& ride) -> absl::StatusOr<RideChange> {
    return rider::EndUnfulfilled(ride, epoch, at);
  };
  Change(std::move(ride_id), std::move(decide), deadline, std::move(done));
}

void Rides::ExpireUnacknowledged(const Now& now, std::string ride_id, std::int64_t epoch, absl::Time deadline,
                                 Done<Changed> done) {
  auto decide = [epoch, rules = rules_, at = now.domain](const Ride& ride) -> absl::StatusOr<RideChange> {
    return rider::ExpireUnacknowledged(ride, epoch, rules, at);
  };
  Change(std::move(ride_id), std::move(decide), deadline, std::move(done));
}

}  // namespace hail::rider
