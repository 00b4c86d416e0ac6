// The matrix of authorization: each method of the services, each kind of caller, and whether the request names the
// caller's own person, another's, or the caller may act for no person at all.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "common/auth/caller.h"
#include "common/errors/error.h"
#include "common/rpc/methods.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace hail::authorization {

// The ids that each request names.
inline constexpr char kPerson[] = "ada";
inline constexpr char kRide[] = "ride-1";

// Whose person and ride the caller may act for.
enum class Whose { kMine, kAnother, kNone };
inline constexpr std::array kWhose = {Whose::kMine, Whose::kAnother, Whose::kNone};

// The kinds of callers, by their names in the table.
inline constexpr std::array<std::string_view, 9> kCallers = {
    "nobody", "rider", "rider, one ride", "viewer", "driver", "server", "operator", "rider-service", "driver-service"};

// The identity of a caller of that kind.
inline auth::Caller CallerOf(std::string_view kind, Whose whose) {
  if (kind == "nobody") return {};
  const std::string person = whose == Whose::kMine ? kPerson : whose == Whose::kAnother ? "eve" : "";
  const std::string ride = whose == Whose::kMine ? kRide : whose == Whose::kAnother ? "ride-2" : "";
  auth::Identity identity{.subject = "somebody"};
  if (kind == "rider, one ride") {
    identity.role = auth::Role::kRider;
    // Also its own rider, so that the ride alone decides.
    identity.rider = whose == Whose::kNone ? "" : kPerson;
    identity.ride = whose == Whose::kNone ? kRide : ride;
    return auth::Caller(identity);
  }
  for (const auth::Role role : {auth::Role::kRider, auth::Role::kDriver, auth::Role::kViewer, auth::Role::kServer,
                                auth::Role::kOperator, auth::Role::kRiderService, auth::Role::kDriverService}) {
    if (kind == auth::RoleName(role)) identity.role = role;
  }
  switch (identity.role) {
    case auth::Role::kRider:
      identity.rider = person;
      break;
    case auth::Role::kDriver:
      identity.driver = person;
      break;
    case auth::Role::kViewer:
      identity.ride = ride;
      break;
    case auth::Role::kServer:
    case auth::Role::kOperator:
      identity.rider = identity.driver = whose == Whose::kMine ? "*" : person;
      break;
    case auth::Role::kRiderService:
    case auth::Role::kDriverService:
      break;
  }
  return auth::Caller(identity);
}

// Names the person and the ride in `request`, wherever its method expects them.
inline void Name(google::protobuf::Message* request) {
  const auto* const reflection = request->GetReflection();
  const auto* const type = request->GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const auto* const field = type->field(i);
    if (field->name() == "rider_id" || field->name() == "driver_id") reflection->SetString(request, field, kPerson);
    if (field->name() == "ride_id") reflection->SetString(request, field, kRide);
    if (field->name() == "driver" || field->name() == "open") Name(reflection->MutableMessage(request, field));
  }
}

// "OK", or the reason of a refusal.
inline std::string Outcome(const absl::Status& status) {
  const auto details = DetailsOf(status);
  return details ? std::string(ReasonName(details->reason)) : std::string(absl::StatusCodeToString(status.code()));
}

// The outcome of the call `Row` by its table. Streams: of `open`, if there is such a message.
template <typename Row>
std::string Expected(const Row& row, const auth::Caller& caller) {
  typename Row::Request request;
  Name(&request);
  return Outcome(row.access.Check(caller, request, row.access.roles));
}

// One line of the table: what callers of these kinds get for their own, another's and no person.
struct Line {
  std::string method;
  std::vector<std::string> callers;
  std::array<std::string, kWhose.size()> outcomes;
};

// The lines of the methods of `S`. Kinds with the same outcomes share a line.
template <typename S>
std::vector<Line> Lines() {
  std::vector<Line> lines;
  const auto add = [&lines](const auto& row) {
    const std::size_t first = lines.size();
    for (const std::string_view kind : kCallers) {
      Line line{.method = row.name, .callers = {std::string(kind)}, .outcomes = {}};
      for (std::size_t i = 0; i < kWhose.size(); ++i) line.outcomes[i] = Expected(row, CallerOf(kind, kWhose[i]));
      std::size_t same = first;
      while (same < lines.size() && lines[same].outcomes != line.outcomes) ++same;
      if (same == lines.size()) {
        lines.push_back(std::move(line));
      } else {
        lines[same].callers.emplace_back(kind);
      }
    }
  };
  std::apply([&](const auto&... rows) { (add(rows), ...); }, S::Methods());
  return lines;
}

}  // namespace hail::authorization
