// Certificates for tests, made on the spot.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "common/tls/identity.h"

namespace hail::testing {

enum class KeyKind { kP256, kEd25519, kRsa2048, kRsa1024 };

struct CertificateSpec {
  std::string common_name = "somebody";
  // As in openssl.cnf: "URI:spiffe://hail/rider-service,DNS:rider-service". Empty: no alternative names.
  std::string names;
  // "serverAuth,clientAuth"; empty: for every purpose.
  std::string purposes;
  absl::Time not_before = absl::Now() - absl::Hours(1);
  absl::Time not_after = absl::Now() + absl::Hours(24);
  KeyKind key = KeyKind::kP256;
  bool authority = false;
  bool sha1 = false;
};

// A certificate with its key.
class TestCertificate {
 public:
  // Signs itself.
  explicit TestCertificate(const CertificateSpec& spec) : TestCertificate(spec, nullptr) {}
  // Signed by `issuer`.
  TestCertificate(const CertificateSpec& spec, const TestCertificate& issuer) : TestCertificate(spec, &issuer) {}

  std::string certificate() const;
  std::string key() const;
  std::string encrypted_key(const std::string& passphrase) const;

 private:
  TestCertificate(const CertificateSpec& spec, const TestCertificate* issuer);

  std::shared_ptr<EVP_PKEY> key_;
  std::shared_ptr<X509> certificate_;
};

// An authority, and what it signs.
class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name = "Hail test");

  const std::string& ca() const { return ca_; }
  TestCertificate Sign(const CertificateSpec& spec) const { return TestCertificate(spec, authority_); }
  // Of a service with these alternative names.
  tls::IdentityPem Identity(const std::string& names) const;

 private:
  TestCertificate authority_;
  std::string ca_;
};

// Writes the three files at the paths of `files`, each replaced by one rename.
void WriteIdentity(const tls::IdentityPem& pem, const tls::IdentityFiles& files);

}  // namespace hail::testing
