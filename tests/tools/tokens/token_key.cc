#include "tests/tools/tokens/token_key.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/errors/check.h"
#include "common/text/base64url.h"

namespace hail {
namespace {

// As deploy/edge/files.py and deploy/edge/envoy.yaml have them.
constexpr char kIssuer[] = "https://id.hail.example";
constexpr char kKeyId[] = "development";
constexpr char kKeyFile[] = "token.key";
constexpr char kKeySetFile[] = "jwks.json";
constexpr mode_t kOwnerOnly = 0600;
constexpr mode_t kForAll = 0644;
// Bytes of each of the two numbers of a P-256 signature, and of a coordinate.
constexpr int kNumberBytes = 32;

// The signature as JWS has it: two numbers of a fixed size, not DER.
std::string Plain(const std::string& der) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<ECDSA_SIG, void (*)(ECDSA_SIG*)> signature(
      d2i_ECDSA_SIG(nullptr, &bytes, static_cast<long>(der.size())), ECDSA_SIG_free);
  HAIL_CHECK(signature != nullptr);
  std::string plain(2 * kNumberBytes, '\0');
  auto* const out = reinterpret_cast<unsigned char*>(plain.data());
  HAIL_CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, kNumberBytes) == kNumberBytes);
  HAIL_CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + kNumberBytes, kNumberBytes) == kNumberBytes);
  return plain;
}

std::string Signature(EVP_PKEY* key, const std::string& text) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t size = 0;
  HAIL_CHECK(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1);
  HAIL_CHECK(EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) == 1);
  std::string der(size, '\0');
  HAIL_CHECK(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(der.data()), &size, bytes, text.size()) ==
             1);
  der.resize(size);
  return Plain(der);
}

absl::Status Failed(const std::string& path) {
  return absl::UnavailableError(absl::StrCat(path, ": ", std::strerror(errno)));
}

// Writes `path` at once, unless it exists. OK if it exists.
absl::Status WriteNew(const std::string& path, const std::string& text, mode_t mode) {
  std::string partial = path + ".XXXXXX";
  const int file = mkostemp(partial.data(), O_CLOEXEC);
  if (file < 0) return Failed(partial);
  absl::Status status;
  if (fchmod(file, mode) != 0 || write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    status = Failed(partial);
  }
  close(file);
  if (status.ok() && link(partial.c_str(), path.c_str()) != 0 && errno != EEXIST) status = Failed(path);
  unlink(partial.c_str());
  return status;
}

std::string NewKey() {
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<BIO, int (*)(BIO*)> memory(BIO_new(BIO_s_mem()), BIO_free);
  HAIL_CHECK(key != nullptr && memory != nullptr);
  HAIL_CHECK(PEM_write_bio_PrivateKey(memory.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  return std::string(text, static_cast<std::size_t>(size));
}

std::string Coordinate(EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  HAIL_CHECK(EVP_PKEY_get_bn_param(key, name, &number) == 1);
  std::string bytes(kNumberBytes, '\0');
  const int size = BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), kNumberBytes);
  BN_free(number);
  HAIL_CHECK(size == kNumberBytes);
  return ToBase64Url(bytes);
}

std::string KeySetOf(EVP_PKEY* key) {
  const nlohmann::json jwk = {{"kty", "EC"},
                              {"crv", "P-256"},
                              {"alg", "ES256"},
                              {"use", "sig"},
                              {"kid", kKeyId},
                              {"x", Coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X)},
                              {"y", Coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y)}};
  return nlohmann::json{{"keys", {jwk}}}.dump() + "\n";
}

// What the set in the folder of `key_file` calls the key. While a key is being replaced, there are several in it.
std::string KeyIdOf(EVP_PKEY* key, const std::string& key_file) {
  std::ifstream file(std::filesystem::path(key_file).replace_filename(kKeySetFile));
  const auto set = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  const std::string x = Coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X);
  const auto keys = set.is_object() ? set.find("keys") : set.end();
  if (keys == set.end()) return kKeyId;
  for (const auto& jwk : *keys) {
    if (jwk.is_object() && jwk.contains("kid") && jwk["kid"].is_string() && jwk.contains("x") && jwk["x"] == x) {
      return jwk["kid"];
    }
  }
  return kKeyId;
}

// What serves the bearer.
nlohmann::json AudienceOf(const std::string& role) {
  if (role == "server" || role == "operator") return {"hail-rider", "hail-driver"};
  return role == "driver" ? "hail-driver" : "hail-rider";
}

}  // namespace

TokenFor ServerToken(std::string subject) {
  return {.role = "server", .subject = std::move(subject), .rider_id = "*", .driver_id = "*", .ride_id = "*"};
}

absl::Status TokenKey::Make(const std::string& folder) {
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return Failed(folder);
  const std::string path = absl::StrCat(folder, "/", kKeyFile);
  if (access(path.c_str(), F_OK) != 0) {
    if (absl::Status status = WriteNew(path, NewKey(), kOwnerOnly); !status.ok()) return status;
  }
  const std::string set = absl::StrCat(folder, "/", kKeySetFile);
  if (access(set.c_str(), F_OK) == 0) return absl::OkStatus();
  const absl::StatusOr<TokenKey> key = Read(path);
  if (!key.ok()) return key.status();
  return WriteNew(set, KeySetOf(static_cast<EVP_PKEY*>(key->key_.get())), kForAll);
}

std::string TokenKey::FileOf(const std::string& path) {
  struct stat state = {};
  const bool folder = stat(path.c_str(), &state) == 0 && S_ISDIR(state.st_mode);
  return folder ? absl::StrCat(path, "/", kKeyFile) : path;
}

absl::StatusOr<TokenKey> TokenKey::Read(const std::string& path) {
  const std::string name = FileOf(path);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(name.c_str(), "re"), std::fclose);
  if (file == nullptr) return absl::NotFoundError(name + ": cannot be read");
  std::shared_ptr<void> key(PEM_read_PrivateKey(file.get(), nullptr, nullptr, nullptr),
                            [](void* read) { EVP_PKEY_free(static_cast<EVP_PKEY*>(read)); });
  auto* const read = static_cast<EVP_PKEY*>(key.get());
  if (read == nullptr || EVP_PKEY_get_base_id(read) != EVP_PKEY_EC || EVP_PKEY_get_bits(read) != 8 * kNumberBytes) {
    return absl::InvalidArgumentError(name + ": no private key of curve P-256");
  }
  std::string id = KeyIdOf(read, name);
  return TokenKey(std::move(key), std::move(id));
}

std::string TokenKey::Token(const TokenFor& bearer, absl::Time now, absl::Duration valid_for) const {
  const nlohmann::json header = {{"alg", "ES256"}, {"kid", id_}, {"typ", "JWT"}};
  nlohmann::json claims = {
      {"iss", kIssuer},      {"aud", AudienceOf(bearer.role)},  {"sub", bearer.subject},
      {"role", bearer.role}, {"iat", absl::ToUnixSeconds(now)}, {"exp", absl::ToUnixSeconds(now + valid_for)}};
  for (const auto& [name, id] :
       {std::pair("rider_id", &bearer.rider_id), {"driver_id", &bearer.driver_id}, {"ride_id", &bearer.ride_id}}) {
    if (!id->empty()) claims["authorization"][name] = *id;
  }
  const std::string text = ToBase64Url(header.dump()) + "." + ToBase64Url(claims.dump());
  return text + "." + ToBase64Url(Signature(static_cast<EVP_PKEY*>(key_.get()), text));
}

}  // namespace hail
