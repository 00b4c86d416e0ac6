#include "common/auth/key_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <deque>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/auth/key_origin.h"
#include "common/time/fake_clock.h"
#include "tests/conformance/temp_folder.h"
#include "tests/matchers.h"
#include "tests/unit/common/auth/https_server.h"
#include "tests/unit/common/auth/issuer.h"

namespace hail::auth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::HttpsServer;
using testing::IssuerKey;
using testing::Jwks;
using testing::SelfSigned;

std::string JwksOf(const char* id) { return Jwks({IssuerKey::Ec(id).Jwk()}); }

void Write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::trunc) << text; }

// Waits until `holds()`, at most as long as the test may take.
template <typename Condition>
void Await(Condition holds) {
  while (!holds()) std::this_thread::yield();
}

// Blocks in Read until the test answers.
class ScriptedOrigin final : public KeyOrigin {
 public:
  absl::StatusOr<Content> Read() override {
    const absl::MutexLock lock(&mutex_);
    ++begun_;
    mutex_.Await(absl::Condition(
        +[](ScriptedOrigin* self) { return self->cancelled_ || !self->answers_.empty(); }, this));
    if (cancelled_) return absl::CancelledError("cancelled");
    absl::StatusOr<Content> answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }
  void Cancel() override {
    const absl::MutexLock lock(&mutex_);
    cancelled_ = true;
  }
  bool local() const override { return false; }

  void Answer(absl::StatusOr<std::string> text, std::optional<absl::Duration> good_for = std::nullopt) {
    const absl::MutexLock lock(&mutex_);
    if (text.ok()) {
      answers_.push_back(Content{*std::move(text), good_for});
    } else {
      answers_.push_back(text.status());
    }
  }
  // Until the answers before the `count`th read were taken in.
  void AwaitBegun(int count) {
    const absl::MutexLock lock(&mutex_);
    wanted_ = count;
    mutex_.Await(absl::Condition(
        +[](ScriptedOrigin* self) { return self->begun_ >= self->wanted_; }, this));
  }
  int begun() {
    const absl::MutexLock lock(&mutex_);
    return begun_;
  }

 private:
  absl::Mutex mutex_;
  std::deque<absl::StatusOr<Content>> answers_;
  int begun_ = 0;
  int wanted_ = 0;
  bool cancelled_ = false;
};

// Reads again at once, whatever came.
KeySchedule::Options Restless() {
  return {.period = absl::ZeroDuration(),
          .min_period = absl::ZeroDuration(),
          .first_retry = absl::ZeroDuration(),
          .max_retry = absl::ZeroDuration()};
}

class KeptKeysTest : public ::testing::Test {
 protected:
  std::unique_ptr<KeptKeys> Kept(std::unique_ptr<KeyOrigin> origin, const KeySchedule::Options& options) {
    return std::make_unique<KeptKeys>(
        std::move(origin), options, &clock_, [] { return 0.0; }, &registry_);
  }
  double Reads(const char* outcome) {
    return registry_.Counters("auth_key_reads_total", "").Of({{"outcome", outcome}}).Value();
  }

  SystemClock clock_;
  metrics::Registry registry_{"test"};
};

TEST_F(KeptKeysTest, ThereAreNoKeysUntilTheFirstRead) {
  auto owned = std::make_unique<ScriptedOrigin>();
  ScriptedOrigin* const origin = owned.get();
  const auto keys = Kept(std::move(owned), Restless());
  origin->AwaitBegun(1);
  EXPECT_FALSE(keys->ready());
  origin->Answer(absl::UnavailableError("down"));
  origin->AwaitBegun(2);
  EXPECT_FALSE(keys->ready());
  origin->Answer("not json");
  origin->AwaitBegun(3);
  EXPECT_FALSE(keys->ready());
  origin->Answer(JwksOf("a"));
  origin->AwaitBegun(4);
  ASSERT_TRUE(keys->ready());
  EXPECT_NE(keys->Keys()->Find("a"), nullptr);
  EXPECT_EQ(Reads("ok"), 1);
  EXPECT_EQ(Reads("failed"), 2);
}

TEST_F(KeptKeysTest, DamageChangesNothing) {
  auto owned = std::make_unique<ScriptedOrigin>();
  ScriptedOrigin* const origin = owned.get();
  const auto keys = Kept(std::move(owned), Restless());
  const std::string good = JwksOf("a");
  origin->Answer(good);
  origin->AwaitBegun(2);
  const auto before = keys->Keys();
  for (const std::string& bad : {std::string(), good.substr(1), std::string(R"({"keys":[]})")}) origin->Answer(bad);
  origin->Answer(absl::UnavailableError("down"));
  origin->Answer(good);
  origin->AwaitBegun(7);
  // The same set, with its generation: the cache of tokens stays.
  EXPECT_EQ(keys->Keys(), before);
  origin->Answer(JwksOf("b"));
  origin->AwaitBegun(8);
  EXPECT_EQ(keys->Keys()->Find("a"), nullptr);
  EXPECT_NE(keys->Keys()->Find("b"), nullptr);
  EXPECT_EQ(Reads("failed"), 4);
}

TEST_F(KeptKeysTest, EachChangeIsReportedOnce) {
  auto owned = std::make_unique<ScriptedOrigin>();
  ScriptedOrigin* const origin = owned.get();
  // Of the reading thread, until AwaitBegun says that it has taken in the answers.
  std::vector<std::string> changes;
  const KeptKeys keys(
      std::move(owned), Restless(), &clock_, [] { return 0.0; }, &registry_,
      [&](const auto& read) {
        changes.push_back(read.ok() ? absl::StrCat((*read)->size()) : std::string(read.status().message()));
      });
  const std::string good = JwksOf("a");
  for (const std::string& text : {good, good}) origin->Answer(text);
  for (const char* why : {"down", "down", "still down"}) origin->Answer(absl::UnavailableError(why));
  for (const std::string& text : {good, JwksOf("b")}) origin->Answer(text);
  origin->AwaitBegun(8);
  EXPECT_THAT(changes, ElementsAre("1", "down", "still down", "1"));
}

TEST_F(KeptKeysTest, KeysThatCannotBeReadAgainAreGivenUpAndComeBack) {
  FakeClock clock;
  auto owned = std::make_unique<ScriptedOrigin>();
  ScriptedOrigin* const origin = owned.get();
  const KeptKeys keys(
      std::move(owned), Restless(), &clock, [] { return 0.0; }, &registry_);
  const std::string good = JwksOf("a");
  origin->Answer(good);
  origin->AwaitBegun(2);
  clock.Advance(absl::Hours(23));
  origin->Answer(absl::UnavailableError("down"));
  origin->AwaitBegun(3);
  EXPECT_TRUE(keys.ready());
  clock.Advance(absl::Hours(1));
  origin->Answer(absl::UnavailableError("down"));
  origin->AwaitBegun(4);
  EXPECT_FALSE(keys.ready());
  origin->Answer(good);
  origin->AwaitBegun(5);
  EXPECT_TRUE(keys.ready());
}

TEST_F(KeptKeysTest, AnUnknownKeyHurriesTheNextRead) {
  auto owned = std::make_unique<ScriptedOrigin>();
  ScriptedOrigin* const origin = owned.get();
  const auto keys = Kept(std::move(owned), KeptKeys::ForUrl());
  origin->Answer(JwksOf("a"));
  Await([&] { return keys->ready(); });
  EXPECT_TRUE(keys->OnUnknownKey());
  origin->AwaitBegun(2);
  EXPECT_TRUE(keys->OnUnknownKey()) << "under way";
  origin->Answer(JwksOf("b"));
  Await([&] { return keys->Keys()->Find("b") != nullptr; });
  EXPECT_FALSE(keys->OnUnknownKey()) << "30 seconds are not over";
  EXPECT_EQ(origin->begun(), 2);
}

TEST_F(KeptKeysTest, AFileIsReadAtTheStartAndWhenItChanges) {
  const TempFolder folder;
  const std::string path = folder.path("jwks.json");
  Write(path, JwksOf("a"));
  KeySchedule::Options options = KeptKeys::ForFile();
  options.period = options.first_retry = options.max_retry = absl::Milliseconds(1);
  options.min_period = absl::ZeroDuration();
  const auto keys = Kept(KeyFile(path), options);
  ASSERT_TRUE(keys->ready());
  EXPECT_FALSE(keys->OnUnknownKey());
  const auto before = keys->Keys();
  Write(path, "{");
  Await([&] { return Reads("failed") > 1; });
  EXPECT_EQ(keys->Keys(), before);
  Write(folder.path("new"), JwksOf("b"));
  std::filesystem::rename(folder.path("new"), path);
  Await([&] { return keys->Keys()->Find("b") != nullptr; });
  std::filesystem::remove(path);
  const double failed = Reads("failed");
  Await([&] { return Reads("failed") > failed + 1; });
  EXPECT_TRUE(keys->ready());
  EXPECT_THAT(registry_.Text(), HasSubstr("test_auth_keys 1"));
}

TEST(KeyFileTest, OnlyAFileOfAFairSizeIsRead) {
  const TempFolder folder;
  const auto why = [](const std::string& path) { return KeyFile(path)->Read().status().ToString(); };
  EXPECT_THAT(why(folder.path("none")), HasSubstr("No such file"));
  EXPECT_THAT(why(folder.path(".")), HasSubstr("not a file"));
  ASSERT_EQ(mkfifo(folder.path("fifo").c_str(), 0600), 0);
  EXPECT_THAT(why(folder.path("fifo")), HasSubstr("not a file"));
  EXPECT_THAT(why("/dev/zero"), HasSubstr("not a file"));
  Write(folder.path("large"), std::string(KeySet::kMaxBytes + 1, 'x'));
  EXPECT_THAT(why(folder.path("large")), HasSubstr("256 KiB"));
  Write(folder.path("good"), "text");
  EXPECT_EQ(KeyFile(folder.path("good"))->Read()->text, "text");
}

TEST(KeyOriginTest, AnAddressMustBeOfHttps) {
  EXPECT_TRUE((*KeyOriginOf("jwks.json", ""))->local());
  EXPECT_TRUE((*KeyOriginOf("/etc/hail/jwks.json", ""))->local());
  EXPECT_FALSE((*KeyOriginOf("https://id.hail.example/jwks", ""))->local());
  EXPECT_FALSE((*KeyOriginOf("HTTPS://id.hail.example/jwks", ""))->local());
  for (const char* bad : {"http://id.hail.example/jwks", "file:///etc/hail/jwks.json", "ftp://x/", "gopher://x/"}) {
    EXPECT_EQ(KeyOriginOf(bad, "").status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
}

TEST(KeyOriginTest, CacheControlSaysHowLongKeysAreGood) {
  EXPECT_EQ(GoodFor(""), std::nullopt);
  EXPECT_EQ(GoodFor("public"), std::nullopt);
  EXPECT_EQ(GoodFor("public, max-age=600, must-revalidate"), absl::Seconds(600));
  EXPECT_EQ(GoodFor("Max-Age=0"), absl::ZeroDuration());
  EXPECT_EQ(GoodFor("max-age=600, no-store"), absl::ZeroDuration());
  EXPECT_EQ(GoodFor("no-cache"), absl::ZeroDuration());
  EXPECT_EQ(GoodFor("s-maxage=600"), std::nullopt);
  EXPECT_EQ(GoodFor("max-age=-1"), std::nullopt);
  EXPECT_EQ(GoodFor("max-age=99999999999999"), std::nullopt);
}

class KeyUrlTest : public ::testing::Test {
 protected:
  KeyUrlTest() { identity_.WriteTo(folder_.path("ca.pem")); }

  static std::string Answer(const std::string& path) {
    const auto with = [](const std::string& head, const std::string& body) {
      return "HTTP/1.1 " + head + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    };
    if (path == "/keys") return with("200 OK\r\nCache-Control: public, max-age=600", "text");
    if (path == "/plain") return with("200 OK", "text");
    if (path == "/moved") return with("302 Found\r\nLocation: /keys", "text");
    if (path == "/broken") return with("500 Oops", "text");
    if (path == "/short") return "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\ntext";
    if (path == "/large") return with("200 OK", std::string(KeySet::kMaxBytes + 1, 'x'));
    // No length: only the end of the connection ends it.
    if (path == "/endless") return "HTTP/1.1 200 OK\r\n\r\n" + std::string(4 * KeySet::kMaxBytes, 'x');
    if (path == "/largest") return with("200 OK", std::string(KeySet::kMaxBytes, 'x'));
    return "";
  }
  absl::StatusOr<KeyOrigin::Content> Read(const std::string& url) {
    return KeyUrl(url, folder_.path("ca.pem"))->Read();
  }
  std::string Why(const std::string& url) { return Read(url).status().ToString(); }

  TempFolder folder_;
  SelfSigned identity_{"localhost"};
  HttpsServer server_{identity_, &KeyUrlTest::Answer};
};

TEST_F(KeyUrlTest, KeysComeFromAServerOfItsName) {
  const auto content = Read(server_.Url("/keys"));
  ASSERT_THAT(content, IsOk());
  EXPECT_EQ(content->text, "text");
  EXPECT_EQ(content->good_for, absl::Seconds(600));
  EXPECT_EQ(Read(server_.Url("/plain"))->good_for, std::nullopt);
  EXPECT_EQ(Read(server_.Url("/largest"))->text.size(), KeySet::kMaxBytes);
  EXPECT_THAT(Why(server_.Url("/keys", "127.0.0.1")), HasSubstr("127.0.0.1"));
}

TEST_F(KeyUrlTest, AnotherAuthoritysServerIsNotTrusted) {
  const SelfSigned other("localhost");
  const HttpsServer impostor(other, &KeyUrlTest::Answer);
  EXPECT_THAT(Why(impostor.Url("/keys")), HasSubstr("certificate"));
  // Nor is this one, by the system's authorities.
  EXPECT_THAT(KeyUrl(server_.Url("/keys"), "")->Read().status().ToString(), HasSubstr("certificate"));
  EXPECT_THAT(KeyUrl(server_.Url("/keys"), folder_.path("none"))->Read().status().ToString(), HasSubstr("UNAVAILABLE"));
}

TEST_F(KeyUrlTest, OtherAnswersAreErrors) {
  EXPECT_THAT(Why(server_.Url("/moved")), HasSubstr("HTTP 302"));
  EXPECT_THAT(Why(server_.Url("/broken")), HasSubstr("HTTP 500"));
  EXPECT_THAT(Why(server_.Url("/short")), HasSubstr("UNAVAILABLE"));
  EXPECT_THAT(Why(server_.Url("/large")), HasSubstr("256 KiB"));
  EXPECT_THAT(Why(server_.Url("/endless")), HasSubstr("256 KiB"));
  EXPECT_THAT(Why("https://localhost:1/"), HasSubstr("UNAVAILABLE"));
  EXPECT_THAT(Why("http://localhost:" + std::to_string(server_.port()) + "/keys"), HasSubstr("Protocol \"http\""));
}

TEST_F(KeyUrlTest, ASlowServerIsGivenUpAndAReadCanBeCancelled) {
  const auto origin = KeyUrl(server_.Url("/slow"), folder_.path("ca.pem"));
  const absl::Time begin = WallNow();
  std::thread reader([&] { EXPECT_THAT(origin->Read().status(), StatusIs(absl::StatusCode::kUnavailable)); });
  origin->Cancel();
  reader.join();
  EXPECT_LT(WallNow() - begin, absl::Seconds(4)) << "earlier than by the timeout";
  EXPECT_THAT(Why(server_.Url("/slow")), HasSubstr("imed out"));
  EXPECT_LT(WallNow() - begin, absl::Seconds(20));
}

TEST_F(KeyUrlTest, AServiceReadsKeysOverHttps) {
  const std::string jwks = JwksOf("a");
  const HttpsServer server(identity_, [&](const std::string&) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(jwks.size()) + "\r\n\r\n" + jwks;
  });
  const SystemClock clock;
  metrics::Registry registry("test");
  const KeptKeys keys(
      KeyUrl(server.Url("/"), folder_.path("ca.pem")), KeptKeys::ForUrl(), &clock, [] { return 0.0; }, &registry);
  Await([&] { return keys.ready(); });
  EXPECT_NE(keys.Keys()->Find("a"), nullptr);
}

}  // namespace
}  // namespace hail::auth
