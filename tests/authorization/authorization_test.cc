// docs/contract/authorization.md against the tables of methods, and against servers that serve those tables over gRPC.
// HAIL_WRITE_TABLE=1 writes the page anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/rpc/channel.h"
#include "common/rpc/gate.h"
#include "common/rpc/service.h"
#include "common/rpc/service_host.h"
#include "common/time/clock.h"
#include "driver-service/api/dispatch_service.h"
#include "driver-service/api/driver_service.h"
#include "driver-service/api/privacy_service.h"
#include "rider-service/api/assignment_service.h"
#include "rider-service/api/privacy_service.h"
#include "rider-service/api/rider_service.h"
#include "tests/authorization/matrix.h"
#include "tests/authorization/wire_call.h"
#include "tests/splitmix64.h"

namespace hail::authorization {
namespace {

constexpr char kIntroduction[] = R"(# Who may call what

Made from the services' tables of methods: `HAIL_WRITE_TABLE=1 build/release/tests/authorization_test`; the same test compares it with the
tables, and makes each of these calls. [Security](../security.md#who-may-do-what) explains the roles.

Each request names one person (a rider or driver) and, where it has the field, one ride. The columns say what a caller gets whose identity is
for that person or ride, for another one, or for none; a server's and an operator's own is `*`. OK: the call reaches the service. A listener
that does not check its callers answers OK to all. Without `auth.anonymous`, nobody gets TOKEN_MISSING everywhere. With
`auth.drivers_register`, drivers may call RegisterDriver as they may UpdateDriver.

"rider, one ride" is a rider whose identity names a ride: the columns say whose ride that is. A viewer's identity names a ride and no rider.
)";

// Both services have a PrivacyService.
template <typename S>
std::string TitleOf() {
  return absl::StrCat(S::kName, " at ",
                      std::is_same_v<S, rider::RiderService> || std::is_same_v<S, rider::AssignmentService> ||
                              std::is_same_v<S, rider::PrivacyService>
                          ? "rider-service"
                          : "driver-service");
}

template <typename S>
std::string SectionOf() {
  std::string text = absl::StrCat("\n## ", TitleOf<S>(),
                                  "\n\n| method | caller | its own | another's | no person |\n|---|---|---|---|---|\n");
  for (const Line& line : Lines<S>()) {
    absl::StrAppend(&text, "| ", line.method, " | ", absl::StrJoin(line.callers, "; "), " | ",
                    absl::StrJoin(line.outcomes, " | "), " |\n");
  }
  return text;
}

std::string PagePath() { return absl::StrCat(HAIL_SOURCE_DIR, "/docs/contract/authorization.md"); }

std::string Page() {
  std::ifstream in(PagePath());
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The outcomes of the page: by service, method and kind of caller.
std::map<std::string, std::array<std::string, kWhose.size()>> PageOutcomes() {
  std::map<std::string, std::array<std::string, kWhose.size()>> outcomes;
  std::string service;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(Page(), '\n'))) {
    if (line.rfind("## ", 0) == 0) service = line.substr(3);
    const std::vector<std::string> cells = absl::StrSplit(line, " | ");
    if (cells.size() != 2 + kWhose.size() || cells[0] == "| method") continue;
    for (const std::string& kind : std::vector<std::string>(absl::StrSplit(cells[1], "; "))) {
      const std::string last = cells[4].substr(0, cells[4].rfind(" |"));
      outcomes[absl::StrCat(service, "/", cells[0].substr(2), "/", kind)] = {cells[2], cells[3], last};
    }
  }
  return outcomes;
}

TEST(AuthorizationTable, ThePageIsThatOfTheTables) {
  const std::string made =
      absl::StrCat(kIntroduction, SectionOf<rider::RiderService>(), SectionOf<driver::DriverService>(),
                   SectionOf<rider::AssignmentService>(), SectionOf<driver::DispatchService>(),
                   SectionOf<rider::PrivacyService>(), SectionOf<driver::PrivacyService>());
  if (std::getenv("HAIL_WRITE_TABLE") != nullptr) std::ofstream(PagePath()) << made;
  EXPECT_EQ(Page(), made) << "HAIL_WRITE_TABLE=1 writes it anew";
}

// --- The same over the wire ---

// What a call gets that reaches the service.
absl::Status Reached() { return absl::AlreadyExistsError("reached"); }

// "OK" if the call has reached the service.
std::string OutcomeOf(WireCall& call) {
  const absl::Status status = call.Await();
  return absl::IsAlreadyExists(status) ? "OK" : Outcome(status);
}

// The header that Believer believes.
std::vector<std::string> Saying(std::string_view kind, Whose whose) {
  if (kind == "nobody") return {};
  return {absl::StrCat(std::string(kind), "/", static_cast<int>(whose))};
}

// Serves the table of `S`; each call that reaches a method ends at once.
template <typename S>
class Reachable {
 public:
  static constexpr const char* kName = S::kName;
  static constexpr auto Methods() {
    return std::apply([](const auto&... rows) { return std::tuple(Row(rows)...); }, S::Methods());
  }

 private:
  template <typename Message>
  struct Session final : rpc::InboundSession<Message> {
    explicit Session(std::function<void()> reached) : reached(std::move(reached)) {}
    void OnMessage(const Message&) override { reached(); }
    void OnHalfClose() override { reached(); }
    void OnDrain(absl::Duration) override { reached(); }
    void OnEnd() override {}
    const std::function<void()> reached;
  };

  template <typename Req, typename Resp>
  void Unary(const rpc::CallContext&, const Req&, Done<Resp> done) {
    done(Reached());
  }
  template <typename Req, typename Resp>
  std::shared_ptr<rpc::StreamSession> Out(const rpc::CallContext&, const Req&, std::shared_ptr<rpc::Sink<Resp>> sink) {
    sink->Finish(Reached());
    return std::make_shared<Session<Req>>([] {});
  }
  template <typename Req, typename Resp>
  std::shared_ptr<rpc::InboundSession<Req>> In(const rpc::CallContext&, std::shared_ptr<rpc::Sink<Resp>> sink) {
    return std::make_shared<Session<Req>>([sink] { sink->Finish(Reached()); });
  }

  template <typename Req, typename Resp>
  static constexpr auto Row(const rpc::Unary<S, Req, Resp>& row) {
    return rpc::Unary(row.name, &Reachable::template Unary<Req, Resp>, row.access);
  }
  template <typename Req, typename Resp>
  static constexpr auto Row(const rpc::ServerStream<S, Req, Resp>& row) {
    return rpc::ServerStream(row.name, &Reachable::template Out<Req, Resp>, row.access);
  }
  template <typename Req, typename Resp>
  static constexpr auto Row(const rpc::ClientStream<S, Req, Resp>& row) {
    return rpc::ClientStream(row.name, &Reachable::template In<Req, Resp>, row.access);
  }
  template <typename Req, typename Resp>
  static constexpr auto Row(const rpc::Bidi<S, Req, Resp>& row) {
    return rpc::Bidi(row.name, &Reachable::template In<Req, Resp>, row.access);
  }
};

// Believes what a call says: "KIND/WHOSE".
class Believer final : public rpc::Authenticator {
 public:
  absl::StatusOr<auth::Caller> Authenticate(const grpc::ServerContextBase& call, absl::Time) const override {
    const auto found = call.client_metadata().find("authorization");
    if (found == call.client_metadata().end()) return auth::Caller();
    const std::pair<std::string, std::string> said =
        absl::StrSplit(std::string(found->second.data(), found->second.size()), '/');
    return CallerOf(said.first, static_cast<Whose>(said.second[0] - '0'));
  }
};

class OverTheWire : public ::testing::Test {
 protected:
  // A cell of the page, and the call that it is about.
  struct Cell {
    grpc::GenericStub* stub;
    std::string path;
    std::string request;
    std::string_view kind;
    Whose whose;
    std::string expected;
  };

  void SetUp() override {
    rider_stub_ = Serve(rider_host_, {&rider_, &assignment_, &rider_privacy_});
    driver_stub_ = Serve(driver_host_, {&driver_, &dispatch_, &driver_privacy_});
    AddCells<rider::RiderService>(rider_stub_.get());
    AddCells<rider::AssignmentService>(rider_stub_.get());
    AddCells<rider::PrivacyService>(rider_stub_.get());
    AddCells<driver::DriverService>(driver_stub_.get());
    AddCells<driver::DispatchService>(driver_stub_.get());
    AddCells<driver::PrivacyService>(driver_stub_.get());
    ASSERT_EQ(cells_.size(), 38 * kCallers.size() * kWhose.size());
  }

  // All calls of a stub are on one connection.
  static std::unique_ptr<grpc::GenericStub> Serve(rpc::ServiceHost& host, const std::vector<grpc::Service*>& services) {
    const absl::Status started = host.Start(services, {}, [] { return true; });
    EXPECT_TRUE(started.ok()) << started;
    return std::make_unique<grpc::GenericStub>(rpc::MakeChannel(absl::StrCat("127.0.0.1:", host.port())));
  }

  template <typename S>
  void AddCells(grpc::GenericStub* stub) {
    const auto outcomes = PageOutcomes();
    const auto add = [&]<typename Row>(const Row& row) {
      typename Row::Request request;
      Name(&request);
      for (const std::string_view kind : kCallers) {
        const auto found = outcomes.find(absl::StrCat(TitleOf<S>(), "/", row.name, "/", std::string(kind)));
        ASSERT_NE(found, outcomes.end()) << row.name << " " << kind;
        for (std::size_t i = 0; i < kWhose.size(); ++i) {
          cells_.push_back({stub, absl::StrCat("/", S::kName, "/", row.name), request.SerializeAsString(), kind,
                            kWhose[i], found->second[i]});
        }
      }
    };
    std::apply([&](const auto&... rows) { (add(rows), ...); }, S::Methods());
  }
  const SystemClock clock_;
  const Believer believer_{};
  // All calls of a kind of caller are one subject's: its share is not what is tested.
  rpc::Gate gate_{&clock_, {.subject_share = 1, .network_share = 1, .max_streams_of_subject = 1'000'000}, nullptr};
  Reachable<rider::RiderService> rides_;
  Reachable<driver::DriverService> drivers_;
  Reachable<rider::AssignmentService> assignments_;
  Reachable<driver::DispatchService> dispatches_;
  Reachable<rider::PrivacyService> riders_people_;
  Reachable<driver::PrivacyService> drivers_people_;
  rpc::GrpcService<Reachable<rider::RiderService>> rider_{&gate_, &rides_, &believer_};
  rpc::GrpcService<Reachable<driver::DriverService>> driver_{&gate_, &drivers_, &believer_};
  rpc::GrpcService<Reachable<rider::AssignmentService>> assignment_{&gate_, &assignments_, &believer_};
  rpc::GrpcService<Reachable<driver::DispatchService>> dispatch_{&gate_, &dispatches_, &believer_};
  rpc::GrpcService<Reachable<rider::PrivacyService>> rider_privacy_{&gate_, &riders_people_, &believer_};
  rpc::GrpcService<Reachable<driver::PrivacyService>> driver_privacy_{&gate_, &drivers_people_, &believer_};
  rpc::ServiceHost rider_host_{{}, &gate_};
  rpc::ServiceHost driver_host_{{}, &gate_};
  std::unique_ptr<grpc::GenericStub> rider_stub_;
  std::unique_ptr<grpc::GenericStub> driver_stub_;
  std::vector<Cell> cells_;
};

TEST_F(OverTheWire, EachCallIsAnsweredAsThePageSays) {
  for (const Cell& cell : cells_) {
    WireCall call(cell.stub, cell.path, cell.request, Saying(cell.kind, cell.whose));
    EXPECT_EQ(OutcomeOf(call), cell.expected) << cell.path << " " << cell.kind << " " << static_cast<int>(cell.whose);
  }
}

// A proxy sends many people's calls over one connection: an identity must not stay with it.
TEST_F(OverTheWire, CallsOfManyCallersOnOneConnectionAreAnsweredEachAsItsOwn) {
  constexpr std::size_t kAtOnce = 128;
  std::uint64_t seed = 1;
  for (int round = 0; round < 40; ++round) {
    std::vector<std::pair<const Cell*, std::unique_ptr<WireCall>>> calls;
    for (std::size_t i = 0; i < kAtOnce; ++i) {
      const Cell& cell = cells_[SplitMix64(seed) % cells_.size()];
      calls.emplace_back(&cell,
                         std::make_unique<WireCall>(cell.stub, cell.path, cell.request, Saying(cell.kind, cell.whose)));
    }
    for (const auto& [cell, call] : calls) {
      EXPECT_EQ(OutcomeOf(*call), cell->expected)
          << cell->path << " " << cell->kind << " " << static_cast<int>(cell->whose);
    }
  }
}

}  // namespace
}  // namespace hail::authorization
