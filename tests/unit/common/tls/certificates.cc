#include "tests/unit/common/tls/certificates.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <utility>

namespace hail::testing {
namespace {

EVP_PKEY* NewKey(KeyKind kind) {
  switch (kind) {
    case KeyKind::kP256:
      return EVP_EC_gen("P-256");
    case KeyKind::kEd25519:
      return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    case KeyKind::kRsa2048:
      return EVP_RSA_gen(2048);
    case KeyKind::kRsa1024:
      return EVP_RSA_gen(1024);
  }
  return nullptr;
}

void Must(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "test certificates: %s failed\n", what);
  std::abort();
}

void AddExtension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  Must(extension != nullptr, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

template <typename Write>
std::string Pem(Write write) {
  BIO* const bio = BIO_new(BIO_s_mem());
  Must(write(bio) == 1, "writing PEM");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);  // NOLINT(google-runtime-int): OpenSSL's type
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

}  // namespace

TestCertificate::TestCertificate(const CertificateSpec& spec, const TestCertificate* issuer)
    : key_(NewKey(spec.key), EVP_PKEY_free), certificate_(X509_new(), X509_free) {
  X509* const made = certificate_.get();
  X509_set_version(made, X509_VERSION_3);
  std::uint64_t serial = 0;
  RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(made), serial >> 1 | 1);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(spec.common_name.c_str()), -1, -1, 0);
  X509* const signer = issuer == nullptr ? made : issuer->certificate_.get();
  X509_set_issuer_name(made, X509_get_subject_name(signer));
  ASN1_TIME_set(X509_getm_notBefore(made), absl::ToTimeT(spec.not_before));
  ASN1_TIME_set(X509_getm_notAfter(made), absl::ToTimeT(spec.not_after));
  X509_set_pubkey(made, key_.get());
  AddExtension(made, signer, NID_basic_constraints, spec.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!spec.names.empty()) AddExtension(made, signer, NID_subject_alt_name, spec.names);
  if (!spec.purposes.empty()) AddExtension(made, signer, NID_ext_key_usage, spec.purposes);
  EVP_PKEY* const signing = issuer == nullptr ? key_.get() : issuer->key_.get();
  // Ed25519 brings its own digest.
  const EVP_MD* const digest = EVP_PKEY_get_base_id(signing) == EVP_PKEY_ED25519 ? nullptr
                               : spec.sha1                                       ? EVP_sha1()
                                                                                 : EVP_sha256();
  Must(X509_sign(made, signing, digest) > 0, "signing");
}

std::string TestCertificate::certificate() const {
  return Pem([this](BIO* bio) { return PEM_write_bio_X509(bio, certificate_.get()); });
}

std::string TestCertificate::key() const {
  return Pem(
      [this](BIO* bio) { return PEM_write_bio_PrivateKey(bio, key_.get(), nullptr, nullptr, 0, nullptr, nullptr); });
}

std::string TestCertificate::encrypted_key(const std::string& passphrase) const {
  return Pem([&](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key_.get(), EVP_aes_256_cbc(), passphrase.data(),
                                         static_cast<int>(passphrase.size()), nullptr, nullptr);
  });
}

TestAuthority::TestAuthority(const std::string& name)
    : authority_({.common_name = name, .not_after = absl::Now() + absl::Hours(48), .authority = true}),
      ca_(authority_.certificate()) {}

tls::IdentityPem TestAuthority::Identity(const std::string& names) const {
  const TestCertificate made = Sign({.names = names, .purposes = "serverAuth,clientAuth"});
  return {.certificate = made.certificate(), .key = made.key(), .ca = ca_};
}

void WriteIdentity(const tls::IdentityPem& pem, const tls::IdentityFiles& files) {
  for (const auto& [file, text] : {std::pair(&files.certificate, &pem.certificate), std::pair(&files.key, &pem.key),
                                   std::pair(&files.ca, &pem.ca)}) {
    const std::string partial = *file + ".partial";
    std::ofstream(partial) << *text;
    Must(std::rename(partial.c_str(), file->c_str()) == 0, "rename");
  }
}

}  // namespace hail::testing
