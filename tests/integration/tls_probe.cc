#include "tests/integration/tls_probe.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <memory>

namespace hail::testing {
namespace {

constexpr unsigned char kH2[] = {2, 'h', '2'};
constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
constexpr unsigned char kSettings = 4;

int ConnectTo(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &where.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{20, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0) return fd;
  close(fd);
  return -1;
}

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Connection = std::unique_ptr<SSL, decltype(&SSL_free)>;

Context MakeContext(const Probe& probe) {
  Context context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  // Also lets the client speak TLS 1.1, which OpenSSL refuses by itself above level 0.
  SSL_CTX_set_security_level(context.get(), 0);
  if (probe.version != 0) {
    SSL_CTX_set_min_proto_version(context.get(), probe.version);
    SSL_CTX_set_max_proto_version(context.get(), probe.version);
  }
  if (probe.alpn) SSL_CTX_set_alpn_protos(context.get(), kH2, sizeof kH2);
  if (!probe.shows.certificate.empty()) {
    BIO* const certificate = BIO_new_mem_buf(probe.shows.certificate.data(), -1);
    BIO* const key = BIO_new_mem_buf(probe.shows.key.data(), -1);
    X509* const own = PEM_read_bio_X509(certificate, nullptr, nullptr, nullptr);
    EVP_PKEY* const own_key = PEM_read_bio_PrivateKey(key, nullptr, nullptr, nullptr);
    SSL_CTX_use_certificate(context.get(), own);
    SSL_CTX_use_PrivateKey(context.get(), own_key);
    X509_free(own);
    EVP_PKEY_free(own_key);
    BIO_free(certificate);
    BIO_free(key);
  }
  return context;
}

std::string SerialOf(SSL* ssl) {
  X509* const certificate = SSL_get1_peer_certificate(ssl);
  if (certificate == nullptr) return "";
  BIGNUM* const number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr);
  char* const text = BN_bn2hex(number);
  std::string serial = text;
  OPENSSL_free(text);
  BN_free(number);
  X509_free(certificate);
  return serial;
}

}  // namespace

ProbeResult ProbeTls(const std::string& address, const Probe& probe) {
  ProbeResult result;
  const int fd = ConnectTo(address);
  if (fd < 0) return result;
  // OpenSSL writes with write(2), also to a server that has hung up.
  std::signal(SIGPIPE, SIG_IGN);
  const Context context = MakeContext(probe);
  const Connection ssl(SSL_new(context.get()), SSL_free);
  SSL_set_fd(ssl.get(), fd);
  if (SSL_connect(ssl.get()) == 1) {
    result.version = SSL_get_version(ssl.get());
    result.serial = SerialOf(ssl.get());
    SSL_write(ssl.get(), kPreface, sizeof kPreface - 1);
    unsigned char header[9] = {};
    result.served = SSL_read(ssl.get(), header, sizeof header) == sizeof header && header[3] == kSettings;
  }
  ERR_clear_error();
  close(fd);
  return result;
}

HalfHandshake::HalfHandshake(const std::string& address, int bytes) : fd_(ConnectTo(address)) {
  if (fd_ < 0) return;
  const Context context = MakeContext({});
  const Connection ssl(SSL_new(context.get()), SSL_free);
  BIO* const sent = BIO_new(BIO_s_mem());
  // The connection owns both, and the first is never read.
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), sent);
  SSL_connect(ssl.get());
  ERR_clear_error();
  char* hello = nullptr;
  const long size = BIO_get_mem_data(sent, &hello);  // NOLINT(google-runtime-int): OpenSSL's type
  (void)!send(fd_, hello, static_cast<std::size_t>(std::min<long>(size, bytes)), MSG_NOSIGNAL);  // NOLINT
}

HalfHandshake::~HalfHandshake() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace hail::testing
