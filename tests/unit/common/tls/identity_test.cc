#include "common/tls/identity.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/common/tls/certificates.h"
#include "tests/unit/temp_file.h"

namespace hail::tls {
namespace {

using hail::testing::CertificateSpec;
using hail::testing::KeyKind;
using hail::testing::TestAuthority;
using hail::testing::TestCertificate;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const IdentityFiles kFiles = {.certificate = "tls.crt", .key = "tls.key", .ca = "ca.crt"};
constexpr char kRider[] = "URI:spiffe://hail/rider-service,DNS:Rider-Service";

std::string Fault(const IdentityPem& pem, absl::Time now = absl::Now()) {
  const auto checked = CheckIdentity(pem, kFiles, now);
  return checked.ok() ? "" : std::string(checked.status().message());
}

class IdentityTest : public ::testing::Test {
 protected:
  IdentityPem Signed(const CertificateSpec& spec) const {
    const TestCertificate made = authority_.Sign(spec);
    return {.certificate = made.certificate(), .key = made.key(), .ca = authority_.ca()};
  }

  const TestAuthority authority_;
  const IdentityPem good_ = authority_.Identity(kRider);
};

TEST_F(IdentityTest, AGoodSetIsDescribed) {
  const absl::Time end = absl::FromUnixSeconds(absl::ToUnixSeconds(absl::Now())) + absl::Hours(2);
  const auto info = CheckIdentity(Signed({.names = kRider, .not_after = end}), kFiles, absl::Now());
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_THAT(info->names, ElementsAre("spiffe://hail/rider-service", "rider-service"));
  EXPECT_EQ(info->not_after, end);
  EXPECT_THAT(info->serial, ::testing::MatchesRegex("[0-9A-F]+"));
}

TEST_F(IdentityTest, EveryCommonKindOfKeyIsTaken) {
  for (const KeyKind kind : {KeyKind::kP256, KeyKind::kEd25519, KeyKind::kRsa2048}) {
    EXPECT_EQ(Fault(Signed({.names = kRider, .key = kind})), "");
  }
  EXPECT_THAT(Fault(Signed({.names = kRider, .key = KeyKind::kRsa1024})), HasSubstr("tls.crt: its key is too weak"));
}

TEST_F(IdentityTest, AKeyOfAnotherCertificateIsRefused) {
  IdentityPem mixed = good_;
  mixed.key = authority_.Identity(kRider).key;
  EXPECT_EQ(Fault(mixed), "tls.key: is not the key of tls.crt");
}

TEST_F(IdentityTest, GarbageIsNamedByItsFile) {
  EXPECT_EQ(Fault({.certificate = good_.certificate, .key = "nonsense", .ca = good_.ca}),
            "tls.key: holds no private key in PEM");
  EXPECT_EQ(Fault({.certificate = "", .key = good_.key, .ca = good_.ca}), "tls.crt: holds no certificate in PEM");
  EXPECT_EQ(Fault({.certificate = good_.certificate, .key = good_.key, .ca = "-----BEGIN CERTIFICATE-----\n!\n"}),
            "ca.crt: certificate 1 cannot be parsed");
  // Half a file, as a reader may see it that comes too early.
  EXPECT_EQ(Fault({.certificate = good_.certificate.substr(0, 300), .key = good_.key, .ca = good_.ca}),
            "tls.crt: certificate 1 cannot be parsed");
  EXPECT_EQ(
      Fault({.certificate = good_.certificate + good_.certificate.substr(0, 300), .key = good_.key, .ca = good_.ca}),
      "tls.crt: certificate 2 cannot be parsed");
}

TEST_F(IdentityTest, EveryProblemIsListed) {
  EXPECT_EQ(Fault({.certificate = "x", .key = "y", .ca = "z"}),
            "tls.crt: holds no certificate in PEM\ntls.key: holds no private key in PEM\n"
            "ca.crt: holds no certificate in PEM");
}

TEST_F(IdentityTest, AnEncryptedKeyIsRefusedWithoutAQuestion) {
  const TestCertificate made = authority_.Sign({.names = kRider});
  EXPECT_EQ(Fault({.certificate = made.certificate(), .key = made.encrypted_key("secret"), .ca = authority_.ca()}),
            "tls.key: the private key is encrypted");
}

TEST_F(IdentityTest, DatesAreThoseOfNow) {
  const absl::Time from = absl::FromUnixSeconds(1'800'000'000);
  const IdentityPem spring = Signed(
      {.names = kRider, .not_before = absl::Now() - absl::Minutes(2), .not_after = absl::Now() - absl::Minutes(1)});
  EXPECT_THAT(Fault(spring), HasSubstr("tls.crt: expired at "));
  EXPECT_THAT(Fault(Signed({.names = kRider, .not_before = from, .not_after = from + absl::Hours(1)})),
              "tls.crt: is not valid before 2027-01-15T08:00:00Z");
  EXPECT_EQ(Fault(spring, absl::Now() - absl::Seconds(90)), "");
}

TEST_F(IdentityTest, ACommonNameNamesNobody) {
  EXPECT_THAT(Fault(Signed({.common_name = "rider-service"})), HasSubstr("names nobody: it has no URI or DNS"));
  EXPECT_THAT(Fault(Signed({.names = "DNS:*.hail"})), HasSubstr("its alternative names are wildcards"));
  EXPECT_THAT(Fault(Signed({.names = "IP:127.0.0.1"})), HasSubstr("names nobody"));
  EXPECT_EQ(Fault(Signed({.names = "DNS:*.hail,DNS:rider-service"})), "");
}

TEST_F(IdentityTest, AnotherAuthorityDoesNotVouch) {
  IdentityPem strange = good_;
  strange.ca = TestAuthority("another").ca();
  EXPECT_THAT(Fault(strange), HasSubstr("no authority of ca.crt vouches for it: unable to get local issuer"));
  // Both in one file, as during a change of authority.
  strange.ca += good_.ca;
  EXPECT_EQ(Fault(strange), "");
}

TEST_F(IdentityTest, AnAuthorityMustBeOne) {
  IdentityPem wrong = good_;
  wrong.ca = good_.certificate;
  EXPECT_EQ(Fault(wrong), "ca.crt: certificate 1 is not that of an authority");
}

TEST_F(IdentityTest, AChainIsAsGoodAsItsLinks) {
  const TestCertificate root({.common_name = "root", .authority = true});
  const auto chain = [&](const CertificateSpec& middle) {
    const TestCertificate intermediate(middle, root);
    const TestCertificate own({.names = kRider}, intermediate);
    return IdentityPem{
        .certificate = own.certificate() + intermediate.certificate(), .key = own.key(), .ca = root.certificate()};
  };
  const CertificateSpec middle = {
      .common_name = "middle", .not_after = absl::Now() + absl::Hours(1), .authority = true};
  const auto info = CheckIdentity(chain(middle), kFiles, absl::Now());
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_LT(info->not_after, absl::Now() + absl::Hours(2));
  CertificateSpec old = middle;
  old.not_after = absl::Now() - absl::Seconds(5);
  EXPECT_THAT(Fault(chain(old)), HasSubstr("intermediate certificate 1 expired"));
  CertificateSpec no_authority = middle;
  no_authority.authority = false;
  EXPECT_THAT(Fault(chain(no_authority)), HasSubstr("vouches"));
}

TEST_F(IdentityTest, WeakDigestsAndWrongPurposesAreRefused) {
  EXPECT_THAT(Fault(Signed({.names = kRider, .sha1 = true})), HasSubstr("weak digest"));
  EXPECT_THAT(Fault(Signed({.names = kRider, .purposes = "serverAuth"})), HasSubstr("may not be used by a client"));
  EXPECT_THAT(Fault(Signed({.names = kRider, .purposes = "clientAuth"})), HasSubstr("may not be used by a server"));
}

TEST_F(IdentityTest, NoProblemHoldsAPartOfTheKey) {
  IdentityPem mixed = good_;
  mixed.certificate = mixed.key;
  for (const std::string& line : {good_.key.substr(30, 20), good_.key.substr(100, 20)}) {
    EXPECT_THAT(Fault(mixed), AllOf(Not(""), Not(HasSubstr(line))));
  }
}

TEST(ReadIdentityTest, FilesThatCannotBeReadAreListed) {
  const hail::testing::TempDirectory folder;
  const IdentityFiles files = {
      .certificate = folder.Write("a", "A"), .key = folder.path("none"), .ca = folder.path("")};
  const auto read = ReadIdentity(files);
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(std::string(read.status().message()),
              AllOf(HasSubstr("none: cannot be read: No such file"), HasSubstr("\n"), Not(HasSubstr("/a:"))));
  const std::string big = folder.Write("big", std::string((1 << 20) + 1, 'x'));
  EXPECT_THAT(std::string(ReadIdentity({.certificate = big, .key = big, .ca = big}).status().message()),
              HasSubstr("larger than 1 MiB"));
  const auto good =
      ReadIdentity({.certificate = folder.Write("a", "A"), .key = folder.Write("b", "B"), .ca = folder.Write("c", "")});
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(*good, (IdentityPem{.certificate = "A", .key = "B", .ca = ""}));
}

}  // namespace
}  // namespace hail::tls
