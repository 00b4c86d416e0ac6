#include "rider-service/domain/people.h"

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/errors/error.h"
#include "common/ids/uuid.h"
#include "rider-service/domain/page_token.h"
#include "rider-service/domain/ride_refusals.h"
#include "rider-service/domain/view.h"

namespace hail::rider {
namespace {

// Rides that are rewritten at once. Each is a small transaction of its own, so that riders' commits pass between them.
constexpr int kBatch = 32;
// A ride with its events takes up to some 100 KB.
constexpr int kRidesPerPage = 10;

RideSelection SelectionOf(PersonKind kind, std::string id) {
  return {kind == PersonKind::kRider ? RideSelection::Of::kRider : RideSelection::Of::kDriver, std::move(id)};
}

const char* FieldOf(PersonKind kind) { return kind == PersonKind::kRider ? "rider_id" : "driver_id"; }

absl::Status Busy(PersonKind kind, const std::string& ride_id) {
  if (kind == PersonKind::kRider) return RiderBusy(ride_id);
  return FailedPrecondition(Reason::kDriverBusy, "a ride that the driver had is live", {{"ride_id", ride_id}});
}

std::string FilterOf(PersonKind kind, const std::string& id) {
  return absl::StrCat("export ", kind == PersonKind::kRider ? "rider " : "driver ", id);
}

RideLog LogForRider(RideLog log) {
  log.ride = RideForRider(std::move(log.ride));
  for (RideEvent& event : log.events) event = EventForRider(event);
  return log;
}

// The driver's own events. If the driver's assignment ended before the ride did, the ride as he last had it.
RideLog LogForDriver(RideLog log, const std::string& driver_id) {
  RideLog own;
  std::optional<Ride> last;
  for (const RideEvent& event : log.events) {
    if (event.driver_id != driver_id) continue;
    last = event.former ? *event.former : event.ride;
    own.events.push_back(EventForDriver(event));
  }
  const bool present = log.ride.driver() != nullptr && log.ride.driver()->driver_id() == driver_id;
  own.ride = RideForDriver(present || !last ? std::move(log.ride) : *std::move(last));
  return own;
}

}  // namespace

struct People::Erasing {
  PersonKind kind;
  RideSelection selection;
  Rewrite rewrite;
  Done<int> done;
  std::string after;
  int rides = 0;
};

struct People::Exporting {
  PersonKind kind;
  std::string id;
  std::vector<std::string> ride_ids;
  std::size_t next = 0;
  Exported exported;
  Done<Exported> done;
};

void People::RewriteAll(const std::vector<std::string>& ride_ids, const Rewrite& rewrite, bool coarse,
                        Done<std::vector<absl::StatusOr<bool>>> done) {
  struct Pending {
    std::atomic<std::size_t> left;
    std::vector<absl::StatusOr<bool>> results;
    Done<std::vector<absl::StatusOr<bool>>> done;
  };
  auto pending = std::make_shared<Pending>();
  pending->left = ride_ids.size();
  pending->results.resize(ride_ids.size(), false);
  pending->done = std::move(done);
  for (std::size_t i = 0; i < ride_ids.size(); ++i) {
    persons_->RewriteRide(ride_ids[i], rewrite, coarse, [pending, i](absl::StatusOr<bool> result) {
      pending->results[i] = std::move(result);
      if (--pending->left == 0) pending->done(std::move(pending->results));
    });
  }
}

void People::Erase(PersonKind kind, std::string id, Done<int> done) {
  if (absl::Status status = CheckId(id, FieldOf(kind)); !status.ok()) return done(status);
  Rewrite rewrite;
  if (kind == PersonKind::kRider) {
    rewrite = [this](RideLog log) { return WithoutRider(std::move(log), pseudonyms_); };
  } else {
    rewrite = [this, id](RideLog log) { return WithoutDriver(std::move(log), id, pseudonyms_); };
  }
  auto erasing = std::make_shared<Erasing>(
      Erasing{kind, SelectionOf(kind, std::move(id)), std::move(rewrite), std::move(done), "", 0});
  persons_->FindLive(erasing->selection, [this, erasing](const absl::StatusOr<std::optional<std::string>>& live) {
    if (!live.ok()) return erasing->done(live.status());
    if (*live) return erasing->done(Busy(erasing->kind, **live));
    EraseSome(erasing);
  });
}

void People::EraseSome(std::shared_ptr<Erasing> erasing) {
  const auto finish = [this, erasing](const absl::StatusOr<bool>& forgotten) {
    if (!forgotten.ok()) return erasing->done(forgotten.status());
    // Also if there was nothing to erase: the call before may have failed here.
    persons_->Scrub([erasing](const absl::StatusOr<bool>& scrubbed) {
      erasing->done(scrubbed.ok() ? absl::StatusOr<int>(erasing->rides) : scrubbed.status());
    });
  };
  persons_->RideIds(
      erasing->selection, erasing->after, kBatch,
      [this, erasing, finish](const absl::StatusOr<std::vector<std::string>>& found) {
        if (!found.ok()) return erasing->done(found.status());
        if (found->empty()) {
          return erasing->kind == PersonKind::kDriver ? persons_->ForgetOffers(erasing->selection.key, finish)
                                                      : finish(true);
        }
        erasing->after = found->back();
        const std::vector<std::string>& ids = *found;
        RewriteAll(ids, erasing->rewrite, /*coarse=*/false,
                   [this, erasing, ids](const absl::StatusOr<std::vector<absl::StatusOr<bool>>>& results) {
                     for (std::size_t i = 0; i < ids.size(); ++i) {
                       const absl::StatusOr<bool>& result = results->at(i);
                       if (!result.ok()) return erasing->done(result.status());
                       // The person began a ride after FindLive.
                       if (!*result) return erasing->done(Busy(erasing->kind, ids[i]));
                       ++erasing->rides;
                     }
                     EraseSome(erasing);
                   });
      });
}

void People::Export(PersonKind kind, std::string id, std::string page_token, Done<Exported> done) {
  if (absl::Status status = CheckId(id, FieldOf(kind)); !status.ok()) return done(status);
  std::string after;
  if (!page_token.empty()) {
    absl::StatusOr<std::string> position = ReadPageToken(FilterOf(kind, id), page_token);
    if (!position.ok()) return done(position.status());
    after = *std::move(position);
  }
  auto exporting = std::make_shared<Exporting>(Exporting{kind, std::move(id), {}, 0, {}, std::move(done)});
  persons_->RideIds(SelectionOf(kind, exporting->id), std::move(after), kRidesPerPage + 1,
                    [this, exporting](absl::StatusOr<std::vector<std::string>> found) {
                      if (!found.ok()) return exporting->done(found.status());
                      exporting->ride_ids = *std::move(found);
                      if (exporting->ride_ids.size() > kRidesPerPage) {
                        exporting->ride_ids.pop_back();
                        exporting->exported.next_page_token =
                            MakePageToken(FilterOf(exporting->kind, exporting->id), exporting->ride_ids.back());
                      }
                      ExportNext(exporting);
                    });
}

void People::ExportNext(std::shared_ptr<Exporting> exporting) {
  if (exporting->next == exporting->ride_ids.size()) return exporting->done(std::move(exporting->exported));
  const std::string& ride_id = exporting->ride_ids[exporting->next++];
  rides_->ReadLog(ride_id, 0, [this, exporting](absl::StatusOr<RideLog> log) {
    if (!log.ok()) return exporting->done(log.status());
    exporting->exported.rides.push_back(exporting->kind == PersonKind::kRider
                                            ? LogForRider(*std::move(log))
                                            : LogForDriver(*std::move(log), exporting->id));
    ExportNext(exporting);
  });
}

void People::Coarsen(std::string before, std::string after, Done<Coarsened> done) {
  persons_->RideIds({RideSelection::Of::kOld, std::move(before)}, std::move(after), kBatch,
                    [this, done = std::move(done)](const absl::StatusOr<std::vector<std::string>>& found) mutable {
                      if (!found.ok()) return done(found.status());
                      if (found->empty()) return done(Coarsened());
                      RewriteAll(
                          *found, [this](RideLog log) { return WithoutPersons(std::move(log), pseudonyms_); },
                          /*coarse=*/true,
                          [after = found->back(),
                           done = std::move(done)](const absl::StatusOr<std::vector<absl::StatusOr<bool>>>& results) {
                            Coarsened coarsened{.after = after};
                            for (const absl::StatusOr<bool>& result : *results) {
                              coarsened.rides += result.ok() && *result ? 1 : 0;
                              if (result.ok()) continue;
                              ++coarsened.failed;
                              coarsened.error.Update(result.status());
                            }
                            done(std::move(coarsened));
                          });
                    });
}

}  // namespace hail::rider
