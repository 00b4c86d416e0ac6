#include "tests/tools/hail-check/judge.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "tests/tools/hail-check/history.h"

namespace hail::check {
namespace {

using nlohmann::json;

bool Is(const json& line, const char* kind) { return line["kind"] == kind; }

// Whether the answer of `line` leaves the outcome open, so that the client retries: it has no reason of Hail, or a
// reason that asks for a retry.
bool Open(const json& line) {
  const std::string code = Text(line, "code");
  if (code == "OK") return false;
  return Text(line, "reason").empty() || code == "UNAVAILABLE" || code == "DEADLINE_EXCEEDED" || code == "CANCELLED" ||
         code == "RESOURCE_EXHAUSTED";
}

// ---- 1: a driver has at most one active ride; a rider has at most one ----

Verdict DriversHaveOneRide(const History& file) {
  Question question(1, "a driver has one live ride at most (store)");
  for (const auto& [driver, log] : file.driver_events) {
    std::string live;
    for (const StoredEvent* event : log) {
      question.Examine();
      if (event->ended) {
        if (live == event->ride_id) live.clear();
        continue;
      }
      if (!live.empty() && live != event->ride_id) {
        question.Violation(absl::StrCat(driver, " has ", event->ride_id, " while ", live, " is live"));
      }
      live = event->ride_id;
    }
  }
  return question.Take();
}

Verdict RidersHaveOneRide(const History& file) {
  Question question(1, "a rider has one live ride at most (store)");
  struct Span {
    std::int64_t from;
    std::int64_t to;
    std::string ride_id;
  };
  std::map<std::string, std::vector<Span>> spans;
  for (const auto& [ride_id, log] : file.events) {
    const auto ride = file.rides.find(ride_id);
    if (ride == file.rides.end()) continue;
    const bool over = IsFinal(log.back()->state);
    spans[ride->second->rider_id].push_back({log.front()->time_us, over ? log.back()->time_us : INT64_MAX, ride_id});
  }
  for (auto& [rider, rides] : spans) {
    std::sort(rides.begin(), rides.end(), [](const Span& a, const Span& b) { return a.from < b.from; });
    for (std::size_t i = 0; i < rides.size(); ++i) {
      question.Require(i == 0 || rides[i].from >= rides[i - 1].to,
                       absl::StrCat(rider, " has ", rides[i].ride_id, " before the one before it is over"));
    }
  }
  return question.Take();
}

Verdict NobodyIsToldOtherwise(const History& file) {
  Question question(1, "one (ride, epoch), one driver; one driver, one ride (clients)");
  std::map<std::pair<std::string, std::int64_t>, std::string> driver_of;
  const auto examine = [&](const json& ride, const std::string& driver) {
    const std::string state = Text(ride, "state");
    if (state != StateName(kEnroutePickup) && state != StateName(kArrived) && state != StateName(kEnrouteDropoff)) {
      return;
    }
    const std::string who = Text(ride, "driver_id").empty() ? driver : Text(ride, "driver_id");
    const auto [entry, first] = driver_of.try_emplace({Text(ride, "ride_id"), Number(ride, "epoch")}, who);
    question.Require(first || entry->second == who,
                     absl::StrCat(Text(ride, "ride_id"), " at epoch ", Number(ride, "epoch"), " is shown as of ",
                                  entry->second, " and of ", who));
  };
  for (const json& line : file.ledgers.riders) {
    if (Is(line, "event") || Is(line, "snapshot") || Is(line, "acknowledged")) examine(line, "");
  }
  std::map<std::string, std::string> live;
  for (const json& line : file.ledgers.drivers) {
    const std::string driver = line["agent"];
    if (Is(line, "snapshot")) {
      live[driver] = line.contains("ride") ? Text(line["ride"], "ride_id") : "";
      if (line.contains("ride")) examine(line["ride"], driver);
    } else if (Is(line, "event")) {
      const std::string type = Text(line, "type");
      const std::string ride = Text(line, "ride_id");
      if (type == TypeName(kCompletedEvent) || type == TypeName(kRedispatched) || type == TypeName(kCanceledEvent)) {
        if (live[driver] == ride) live[driver].clear();
        continue;
      }
      examine(line, driver);
      question.Require(live[driver].empty() || live[driver] == ride,
                       absl::StrCat(driver, " is shown ", ride, " while ", live[driver], " is live"));
      live[driver] = ride;
    }
  }
  return question.Take();
}

// ---- 2: an acknowledged request survives, and ends ----

Verdict AcknowledgedRidesEnd(const History& file) {
  Question question(2, "each acknowledged ride is stored and over");
  for (const auto& [request, rides] : file.acknowledged) {
    for (const std::string& ride_id : rides) {
      const auto ride = file.rides.find(ride_id);
      if (ride == file.rides.end()) {
        question.Require(false, absl::StrCat(ride_id, " was acknowledged and is not stored"));
      } else {
        question.Require(IsFinal(ride->second->state) || file.interrupted,
                         absl::StrCat(ride_id, " is still ", StateName(ride->second->state)));
      }
    }
  }
  return question.Take();
}

// ---- 3: one request_id, one ride ----

Verdict OneRideForARequest(const History& file) {
  Question question(3, "one ride for each (rider, request_id)");
  for (const auto& [request, rides] : file.acknowledged) {
    question.Require(rides.size() == 1, absl::StrCat(request.second, " was acknowledged as several rides"));
  }
  std::map<std::pair<std::string, std::string>, int> stored;
  for (const StoredRide& ride : file.stores.rides) {
    question.Require(++stored[{ride.rider_id, ride.request_id}] == 1,
                     absl::StrCat(ride.request_id, " is stored as several rides"));
  }
  std::set<std::pair<std::string, std::string>> asked;
  std::set<std::string> riders;
  for (const json& line : file.ledgers.riders) {
    if (!Is(line, "request")) continue;
    riders.insert(line["agent"]);
    asked.insert({line["agent"], Text(line, "request_id")});
  }
  for (const StoredRide& ride : file.stores.rides) {
    if (!riders.contains(ride.rider_id)) continue;
    question.Require(asked.contains({ride.rider_id, ride.request_id}),
                     absl::StrCat(ride.ride_id, " is stored and was never requested"));
  }
  return question.Take();
}

// ---- 4: gap-free events, legal transitions, final states that stay ----

Verdict EventLogsAreSound(const History& file) {
  Question question(4, "events without gap, legal transitions, final is final");
  for (const StoredRide& ride : file.stores.rides) {
    const auto found = file.events.find(ride.ride_id);
    if (found == file.events.end()) {
      question.Require(false, absl::StrCat(ride.ride_id, " has no events"));
      continue;
    }
    int state = 0;
    std::int64_t sequence = 0;
    std::int64_t epoch = 0;
    std::int64_t time = INT64_MIN;
    for (const StoredEvent* event : found->second) {
      const std::string name = absl::StrCat(ride.ride_id, " event ", event->sequence);
      ++sequence;
      question.Require(event->sequence == sequence, absl::StrCat(name, ": expected ", sequence));
      question.Require(
          IsLegal(event->type, state, event->state),
          absl::StrCat(name, ": ", TypeName(event->type), " from ", StateName(state), " to ", StateName(event->state)));
      question.Require(event->epoch >= epoch + (event->type == kRedispatched ? 1 : 0),
                       absl::StrCat(name, ": epoch ", event->epoch, " after ", epoch));
      question.Require(event->time_us >= time, absl::StrCat(name, ": earlier than the event before it"));
      sequence = event->sequence;
      state = event->state;
      epoch = event->epoch;
      time = event->time_us;
    }
    question.Require(ride.sequence == sequence && ride.state == state && ride.epoch >= epoch,
                     absl::StrCat(ride.ride_id, " is stored as ", StateName(ride.state), " at ", ride.sequence,
                                  ", its log ends with ", StateName(state), " at ", sequence));
  }
  for (const auto& [ride_id, log] : file.events) {
    question.Require(file.rides.contains(ride_id), absl::StrCat(ride_id, " has events and no ride"));
  }
  return question.Take();
}

// ---- 5: a watcher sees each event once, in order ----

Verdict RidersSeeEachEventOnce(const History& file) {
  Question question(5, "riders: each event once, in order, to the end");
  struct View {
    std::optional<std::int64_t> last;
    bool snapshot_may_come = false;
  };
  std::map<std::string, View> views;
  for (const json& line : file.ledgers.riders) {
    const std::string ride = Text(line, "ride_id");
    View& view = views[ride];
    if (Is(line, "connect")) {
      view.snapshot_may_come = !line.contains("after_sequence");
      if (line.contains("after_sequence")) {
        question.Require(view.last == Number(line, "after_sequence"), absl::StrCat(ride, ": resumed from elsewhere"));
      }
    } else if (Is(line, "reset")) {
      view.snapshot_may_come = true;
    } else if (Is(line, "snapshot")) {
      question.Require(view.snapshot_may_come, absl::StrCat(ride, ": a snapshot out of turn"));
      question.Require(!view.last || Number(line, "sequence") >= *view.last,
                       absl::StrCat(ride, ": a snapshot of the past"));
      view.snapshot_may_come = false;
      view.last = Number(line, "sequence");
    } else if (Is(line, "event")) {
      const std::int64_t sequence = Number(line, "sequence");
      question.Require(view.last && sequence == *view.last + 1,
                       absl::StrCat(ride, ": event ", sequence, " after ", view.last.value_or(-1)));
      view.last = std::max(view.last.value_or(0), sequence);
    } else if (Is(line, "caught_up")) {
      question.Require(
          view.last.value_or(0) >= Number(line, "sequence"),
          absl::StrCat(ride, ": caught up at ", Number(line, "sequence"), ", received ", view.last.value_or(-1)));
    }
  }
  if (file.interrupted) return question.Take();
  for (const auto& [request, rides] : file.acknowledged) {
    for (const std::string& ride_id : rides) {
      const auto ride = file.rides.find(ride_id);
      if (ride == file.rides.end()) continue;
      question.Require(
          views[ride_id].last == ride->second->sequence,
          absl::StrCat(ride_id, ": watched up to ", views[ride_id].last.value_or(-1), " of ", ride->second->sequence));
    }
  }
  return question.Take();
}

Verdict DriversSeeEventsInOrder(const History& file) {
  Question question(5, "drivers: events in order, no repeats, none withheld");
  // The last sequence of each ride that each driver has seen.
  std::map<std::string, std::map<std::string, std::int64_t>> known;
  for (const json& line : file.ledgers.drivers) {
    const std::string driver = line["agent"];
    if (Is(line, "event")) {
      const std::string ride = Text(line, "ride_id");
      const auto [last, first] = known[driver].try_emplace(ride, 0);
      const std::int64_t sequence = Number(line, "sequence");
      question.Require(sequence > last->second,
                       absl::StrCat(driver, ": ", ride, " event ", sequence, " after ", last->second));
      // No event is missing between two events of one assignment.
      for (std::int64_t between = last->second + 1; !first && between < sequence; ++between) {
        const StoredEvent* event = file.Event(ride, between);
        question.Require(event == nullptr || event->driver_id != driver,
                         absl::StrCat(driver, ": never received ", ride, " event ", between));
      }
      last->second = std::max(last->second, sequence);
    } else if (Is(line, "snapshot") && line.contains("ride")) {
      std::int64_t& last = known[driver][Text(line["ride"], "ride_id")];
      question.Require(Number(line["ride"], "sequence") >= last, absl::StrCat(driver, ": a snapshot of the past"));
      last = std::max(last, Number(line["ride"], "sequence"));
    }
  }
  return question.Take();
}

Verdict WhatWasSeenIsStored(const History& file) {
  Question question(5, "what clients saw is what is stored");
  const auto compare = [&](const json& line, const std::string& ride_id, bool is_event, bool is_rider) {
    const std::int64_t sequence = Number(line, "sequence");
    const StoredEvent* event = file.Event(ride_id, sequence);
    if (event == nullptr) {
      question.Require(false, absl::StrCat(ride_id, " event ", sequence, " was seen and is not stored"));
      return;
    }
    const std::string name = absl::StrCat(ride_id, " event ", sequence);
    if (is_event) {
      question.Require(Text(line, "type") == TypeName(event->type),
                       absl::StrCat(name, " was seen as ", Text(line, "type"), ", is ", TypeName(event->type)));
    }
    // A driver who lost a ride sees its last version before the loss.
    if (!is_rider && event->ended) return;
    question.Require(Text(line, "state") == StateName(event->state),
                     absl::StrCat(name, " was seen as ", Text(line, "state"), ", is ", StateName(event->state)));
    if (HasDriver(event->state)) {
      question.Require(Number(line, "epoch") == event->epoch, absl::StrCat(name, " was seen at another epoch"));
      if (is_rider) {
        question.Require(Text(line, "driver_id") == event->driver_id,
                         absl::StrCat(name, " was seen with ", Text(line, "driver_id"), ", is of ", event->driver_id));
      }
    }
  };
  for (const json& line : file.ledgers.riders) {
    if (Is(line, "event") || Is(line, "snapshot") || Is(line, "acknowledged")) {
      compare(line, Text(line, "ride_id"), Is(line, "event"), true);
    }
  }
  for (const json& line : file.ledgers.drivers) {
    if (Is(line, "event")) compare(line, Text(line, "ride_id"), true, false);
    if (Is(line, "snapshot") && line.contains("ride")) {
      compare(line["ride"], Text(line["ride"], "ride_id"), false, false);
    }
  }
  return question.Take();
}

// ---- 6: an accept is answered, and no driver is booked without knowing ----

struct OfferView {
  std::string ride_id;
  std::int64_t epoch = 0;
};

Verdict AcceptsAreAnswered(const History& file) {
  Question question(6, "each accept is answered, and as it happened");
  std::map<std::string, OfferView> offers;
  // (driver, command) → the accepted offer, until answered.
  std::map<std::pair<std::string, std::string>, std::string> waiting;
  std::set<std::pair<std::string, std::string>> won;
  struct Lost {
    std::string driver;
    std::string offer_id;
    std::string reason;
  };
  std::vector<Lost> lost;
  for (const json& line : file.ledgers.drivers) {
    const std::string driver = line["agent"];
    if (Is(line, "offer")) {
      offers[Text(line, "offer_id")] = {Text(line, "ride_id"), Number(line, "epoch")};
    } else if (Is(line, "snapshot") && line.contains("offer")) {
      offers[Text(line["offer"], "offer_id")] = {Text(line["offer"], "ride_id"), Number(line["offer"], "epoch")};
    } else if (Is(line, "command") && Text(line, "action") == "accept") {
      waiting[{driver, Text(line, "command_id")}] = Text(line, "offer_id");
    } else if (Is(line, "result")) {
      const auto accept = waiting.find({driver, Text(line, "command_id")});
      if (accept == waiting.end() || Open(line)) continue;
      const OfferView& offer = offers[accept->second];
      if (Text(line, "code") == "OK") {
        won.insert({driver, accept->second});
        question.Require(file.Assigned(offer.ride_id, offer.epoch, driver),
                         absl::StrCat(driver, " got \"yours\" for ", offer.ride_id, "; the store disagrees"));
      } else {
        lost.push_back({driver, accept->second, Text(line, "reason")});
      }
      waiting.erase(accept);
    } else if (Is(line, "offer_update") && Text(line, "status") != "OFFER_STATUS_CONFIRMING") {
      // The offer's end also answers the accept if the connection broke before the command's result.
      const std::string id = Text(line, "offer_id");
      const OfferView& offer = offers[id];
      const std::string status = Text(line, "status");
      const auto same = [&](const auto& command) { return command.first.first == driver && command.second == id; };
      if (std::none_of(waiting.begin(), waiting.end(), same)) continue;
      if (status == "OFFER_STATUS_ACCEPTED") {
        won.insert({driver, id});
        question.Require(file.Assigned(offer.ride_id, offer.epoch, driver),
                         absl::StrCat(driver, " got \"yours\" for ", offer.ride_id, "; the store disagrees"));
      } else {
        lost.push_back({driver, id, status});
      }
      std::erase_if(waiting, same);
    }
  }
  for (const Lost& accept : lost) {
    const OfferView& offer = offers[accept.offer_id];
    // The same ride may have been offered again, and accepted.
    const bool again = std::any_of(won.begin(), won.end(), [&](const auto& other) {
      return other.first == accept.driver && offers[other.second].ride_id == offer.ride_id &&
             offers[other.second].epoch == offer.epoch;
    });
    question.Require(
        again || !file.Assigned(offer.ride_id, offer.epoch, accept.driver) ||
            file.TakenBack(offer.ride_id, offer.epoch, accept.driver),
        absl::StrCat(accept.driver, " got ", accept.reason, " for ", offer.ride_id, ", and is stored as its driver"));
  }
  if (!file.interrupted) {
    for (const auto& [command, offer] : waiting) {
      question.Require(false, absl::StrCat(command.first, "  never got an outcome for accepting ", offer));
    }
  }
  return question.Take();
}

Verdict NobodyIsBookedUnaware(const History& file) {
  Question question(6, "each driver knows of each assignment");
  std::set<std::pair<std::string, std::string>> aware;
  std::set<std::string> here;
  for (const json& line : file.ledgers.drivers) {
    const std::string driver = line["agent"];
    here.insert(driver);
    if (Is(line, "event")) aware.insert({driver, Text(line, "ride_id")});
    if (line.contains("ride") && line["ride"].is_object()) aware.insert({driver, Text(line["ride"], "ride_id")});
  }
  for (const auto& [driver, log] : file.driver_events) {
    if (!here.contains(driver)) continue;
    for (std::size_t i = 0; i < log.size(); ++i) {
      if (log[i]->type != kAssigned) continue;
      // The assignment ended before its driver could learn of it.
      const bool ended_at_once = i + 1 < log.size() && log[i + 1]->ride_id == log[i]->ride_id && log[i + 1]->ended;
      question.Require(aware.contains({driver, log[i]->ride_id}) || ended_at_once || file.interrupted,
                       absl::StrCat(driver, " never received ", log[i]->ride_id));
    }
  }
  return question.Take();
}

// ---- 7: one live offer; what is over cannot be accepted ----

Verdict SettledOffersStaySettled(const History& file) {
  Question question(7, "no ride from an offer that was over; one live offer");
  std::map<std::string, OfferView> offers;
  std::map<std::string, std::set<std::string>> accepted;
  std::map<std::string, std::string> live;
  std::vector<std::pair<std::string, std::string>> over;
  std::map<std::pair<std::string, std::string>, std::string> declines;
  for (const json& line : file.ledgers.drivers) {
    const std::string driver = line["agent"];
    if (Is(line, "offer")) {
      const std::string offer = Text(line, "offer_id");
      offers[offer] = {Text(line, "ride_id"), Number(line, "epoch")};
      question.Require(live[driver].empty() || live[driver] == offer,
                       absl::StrCat(driver, " is offered ", offer, " while ", live[driver], " is live"));
      live[driver] = offer;
    } else if (Is(line, "snapshot")) {
      live[driver].clear();
      if (!line.contains("offer")) continue;
      live[driver] = Text(line["offer"], "offer_id");
      offers[live[driver]] = {Text(line["offer"], "ride_id"), Number(line["offer"], "epoch")};
    } else if (Is(line, "offer_update")) {
      const std::string offer = Text(line, "offer_id");
      const std::string status = Text(line, "status");
      if (status != "OFFER_STATUS_CONFIRMING" && live[driver] == offer) live[driver].clear();
      if (status == "OFFER_STATUS_EXPIRED" || status == "OFFER_STATUS_REVOKED" || status == "OFFER_STATUS_DECLINED") {
        over.push_back({driver, offer});
      }
    } else if (Is(line, "command")) {
      const std::string action = Text(line, "action");
      if (action == "accept") accepted[driver].insert(Text(line, "offer_id"));
      if (action == "decline") declines[{driver, Text(line, "command_id")}] = Text(line, "offer_id");
      // The answer of a unary twin and the stream's messages have no order between them.
      if (action == "accept" || action == "decline") live[driver].clear();
    } else if (Is(line, "result") && Text(line, "code") == "OK") {
      const auto decline = declines.find({driver, Text(line, "command_id")});
      if (decline != declines.end()) over.push_back({driver, decline->second});
    }
  }
  for (const auto& [driver, id] : over) {
    const OfferView& offer = offers[id];
    // The same ride may have been offered to the same driver again, at the same epoch.
    const bool by_another =
        std::any_of(accepted[driver].begin(), accepted[driver].end(), [&, &id = id](const std::string& other) {
          return other != id && offers[other].ride_id == offer.ride_id && offers[other].epoch == offer.epoch;
        });
    question.Require(by_another || !file.Assigned(offer.ride_id, offer.epoch, driver),
                     absl::StrCat(driver, " has ", offer.ride_id, " from an offer that was over"));
  }
  return question.Take();
}

Verdict OfferLogAgrees(const History& file) {
  Question question(7, "accepted offers of the log are assignments");
  for (const StoredOffer& offer : file.stores.offers) {
    if (offer.outcome != "ACCEPTED") continue;
    question.Require(file.Assigned(offer.ride_id, offer.epoch, offer.driver_id),
                     absl::StrCat("offer ", offer.offer_id, " is logged as accepted, and ", offer.ride_id,
                                  " was never assigned so"));
  }
  return question.Take();
}

// ---- 8: no client reads a ride of other people ----

Verdict EverybodyKeepsToTheirOwn(const History& file) {
  Question question(8, "nobody sees a ride that is not theirs");
  for (const json& line : file.ledgers.riders) {
    if (!Is(line, "event") && !Is(line, "snapshot") && !Is(line, "acknowledged") && !Is(line, "active")) continue;
    const auto ride = file.rides.find(Text(line, "ride_id"));
    if (ride == file.rides.end()) continue;
    question.Require(ride->second->rider_id == Text(line, "agent"),
                     absl::StrCat(Text(line, "agent"), " sees ", ride->first, " of ", ride->second->rider_id));
  }
  for (const json& line : file.ledgers.drivers) {
    const std::string driver = line["agent"];
    if (Is(line, "event")) {
      const StoredEvent* event = file.Event(Text(line, "ride_id"), Number(line, "sequence"));
      if (event == nullptr) continue;
      question.Require(event->driver_id == driver, absl::StrCat(driver, " sees ", event->ride_id, " event ",
                                                                event->sequence, " of '", event->driver_id, "'"));
    }
  }
  return question.Take();
}

}  // namespace

std::vector<Verdict> Judge(const Ledgers& ledgers, const Stores& stores) {
  const History file(ledgers, stores);
  return {DriversHaveOneRide(file),     RidersHaveOneRide(file),       NobodyIsToldOtherwise(file),
          AcknowledgedRidesEnd(file),   OneRideForARequest(file),      EventLogsAreSound(file),
          RidersSeeEachEventOnce(file), DriversSeeEventsInOrder(file), WhatWasSeenIsStored(file),
          AcceptsAreAnswered(file),     NobodyIsBookedUnaware(file),   SettledOffersStaySettled(file),
          OfferLogAgrees(file),         EverybodyKeepsToTheirOwn(file)};
}

}  // namespace hail::check
