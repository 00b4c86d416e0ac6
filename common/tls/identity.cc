#include "common/tls/identity.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors/error.h"

namespace hail::tls {
namespace {

constexpr std::size_t kLongestFile = 1 << 20;
// Of OpenSSL's security bits: SHA-256 has 128, SHA-1 63.
constexpr int kLeastDigestBits = 100;
// RSA with 2,048 bits has 112, P-256 has 128.
constexpr int kLeastKeyBits = 112;

template <auto free>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Store = std::unique_ptr<X509_STORE, Free<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, Free<X509_STORE_CTX_free>>;

void FreeNames(GENERAL_NAMES* names) { GENERAL_NAMES_free(names); }
void FreeStack(STACK_OF(X509) * stack) { sk_X509_free(stack); }
void FreeText(char* text) { OPENSSL_free(text); }

Bio Open(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// The certificates of `pem` before its end or its first fault. Adds faults to `problems`.
std::vector<Certificate> ReadCertificates(const std::string& pem, const std::string& file,
                                          std::vector<std::string>* problems) {
  std::vector<Certificate> certificates;
  const Bio bio = Open(pem);
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) {
    problems->push_back(absl::StrCat(file, ": certificate ", certificates.size() + 1, " cannot be parsed"));
  } else if (certificates.empty()) {
    problems->push_back(absl::StrCat(file, ": holds no certificate in PEM"));
  }
  return certificates;
}

// Says that there is no passphrase. Without it OpenSSL would ask on the terminal.
int NoPassphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

Key ReadKey(const std::string& pem, const std::string& file, std::vector<std::string>* problems) {
  bool encrypted = false;
  const Bio bio = Open(pem);
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, &encrypted));
  ERR_clear_error();
  if (key == nullptr) {
    problems->push_back(
        absl::StrCat(file, encrypted ? ": the private key is encrypted" : ": holds no private key in PEM"));
  }
  return key;
}

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm fields{};
  if (ASN1_TIME_to_tm(time, &fields) != 1) return absl::InfinitePast();
  return absl::FromTM(fields, absl::UTCTimeZone());
}

std::string Shown(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone()); }

std::string SerialOf(const X509* certificate) {
  const std::unique_ptr<BIGNUM, Free<BN_free>> number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  const std::unique_ptr<char, Free<FreeText>> text(number == nullptr ? nullptr : BN_bn2hex(number.get()));
  return text == nullptr ? "" : text.get();
}

std::vector<std::string> NamesOf(const X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, Free<FreeNames>> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> found;
  for (const int type : {GEN_URI, GEN_DNS}) {
    for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
      const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
      if (name->type != type) continue;
      const ASN1_IA5STRING* const text = name->d.ia5;
      std::string value(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                        static_cast<std::size_t>(ASN1_STRING_length(text)));
      found.push_back(type == GEN_DNS ? absl::AsciiStrToLower(value) : std::move(value));
    }
  }
  ERR_clear_error();
  return found;
}

// What is wrong with one certificate at `now`, apart from its signature.
std::vector<std::string> FaultsOf(X509* certificate, absl::Time now) {
  std::vector<std::string> faults;
  const absl::Time not_before = TimeOf(X509_get0_notBefore(certificate));
  const absl::Time not_after = TimeOf(X509_get0_notAfter(certificate));
  if (now < not_before) faults.push_back(absl::StrCat("is not valid before ", Shown(not_before)));
  if (now > not_after) faults.push_back(absl::StrCat("expired at ", Shown(not_after)));
  const EVP_PKEY* const key = X509_get0_pubkey(certificate);
  if (key == nullptr || EVP_PKEY_get_security_bits(key) < kLeastKeyBits) {
    faults.emplace_back("its key is too weak: RSA needs 2048 bits, elliptic curves 256");
  }
  int digest_bits = 0;
  const bool self_signed = X509_check_issued(certificate, certificate) == X509_V_OK;
  if (!self_signed && X509_get_signature_info(certificate, nullptr, nullptr, &digest_bits, nullptr) == 1 &&
      digest_bits < kLeastDigestBits) {
    faults.emplace_back("is signed with a weak digest");
  }
  return faults;
}

// Why no authority of `authorities` vouches for the chain at `now`; empty: one does.
std::string ChainFault(const std::vector<Certificate>& chain, const std::vector<Certificate>& authorities,
                       absl::Time now) {
  const Store store(X509_STORE_new());
  for (const Certificate& authority : authorities) X509_STORE_add_cert(store.get(), authority.get());
  const std::unique_ptr<STACK_OF(X509), Free<FreeStack>> others(sk_X509_new_null());
  for (auto other = chain.begin() + 1; other != chain.end(); ++other) sk_X509_push(others.get(), other->get());
  const StoreContext context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), chain.front().get(), others.get());
  X509_STORE_CTX_set_time(context.get(), 0, absl::ToTimeT(now));
  const bool good = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  return good ? "" : X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
}

absl::Status Problems(const std::vector<std::string>& problems) {
  return InvalidField("tls", absl::StrJoin(problems, "\n"));
}

std::string ReadInto(const std::string& file, std::string* text) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  std::string read(kLongestFile + 1, '\0');
  if (in) in.read(read.data(), static_cast<std::streamsize>(read.size()));
  if (!in.is_open() || in.bad() || (in.fail() && !in.eof())) {
    return absl::StrCat(file, ": cannot be read: ", errno != 0 ? std::strerror(errno) : "error");
  }
  read.resize(static_cast<std::size_t>(in.gcount()));
  if (read.size() > kLongestFile) return absl::StrCat(file, ": is larger than 1 MiB");
  *text = std::move(read);
  return "";
}

}  // namespace

absl::StatusOr<IdentityPem> ReadIdentity(const IdentityFiles& files) {
  IdentityPem pem;
  std::vector<std::string> problems;
  for (const auto& [file, text] : {std::pair(&files.certificate, &pem.certificate), std::pair(&files.key, &pem.key),
                                   std::pair(&files.ca, &pem.ca)}) {
    std::string problem = ReadInto(*file, text);
    if (!problem.empty()) problems.push_back(std::move(problem));
  }
  if (!problems.empty()) return Problems(problems);
  return pem;
}

absl::StatusOr<IdentityInfo> CheckIdentity(const IdentityPem& pem, const IdentityFiles& files, absl::Time now) {
  std::vector<std::string> problems;
  const std::vector<Certificate> chain = ReadCertificates(pem.certificate, files.certificate, &problems);
  const Key key = ReadKey(pem.key, files.key, &problems);
  const std::vector<Certificate> authorities = ReadCertificates(pem.ca, files.ca, &problems);
  const bool all_parsed = problems.empty();

  IdentityInfo info;
  info.not_after = absl::InfiniteFuture();
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const std::string which = i == 0 ? "" : absl::StrCat("intermediate certificate ", i, " ");
    for (const std::string& fault : FaultsOf(chain[i].get(), now)) {
      problems.push_back(absl::StrCat(files.certificate, ": ", which, fault));
    }
    info.not_after = std::min(info.not_after, TimeOf(X509_get0_notAfter(chain[i].get())));
  }
  if (!chain.empty()) {
    X509* const own = chain.front().get();
    info.serial = SerialOf(own);
    info.names = NamesOf(own);
    const auto plain = [](const std::string& name) { return name.find('*') == std::string::npos; };
    if (std::none_of(info.names.begin(), info.names.end(), plain)) {
      problems.push_back(absl::StrCat(files.certificate, info.names.empty()
                                                             ? ": names nobody: it has no URI or DNS alternative name"
                                                             : ": names nobody: its alternative names are wildcards"));
    }
    if (X509_check_purpose(own, X509_PURPOSE_SSL_SERVER, 0) != 1) {
      problems.push_back(absl::StrCat(files.certificate, ": may not be used by a server (key usage)"));
    }
    if (X509_check_purpose(own, X509_PURPOSE_SSL_CLIENT, 0) != 1) {
      problems.push_back(absl::StrCat(files.certificate, ": may not be used by a client (key usage)"));
    }
    if (key != nullptr && X509_check_private_key(own, key.get()) != 1) {
      problems.push_back(absl::StrCat(files.key, ": is not the key of ", files.certificate));
    }
  }
  for (std::size_t i = 0; i < authorities.size(); ++i) {
    if (X509_check_ca(authorities[i].get()) == 0) {
      problems.push_back(absl::StrCat(files.ca, ": certificate ", i + 1, " is not that of an authority"));
    }
  }
  // Expired ones may stay in the file as long as another one vouches for the chain.
  if (all_parsed && problems.empty()) {
    const std::string fault = ChainFault(chain, authorities, now);
    if (!fault.empty()) {
      problems.push_back(absl::StrCat(files.certificate, ": no authority of ", files.ca, " vouches for it: ", fault));
    }
  }
  ERR_clear_error();
  if (!problems.empty()) return Problems(problems);
  return info;
}

}  // namespace hail::tls
