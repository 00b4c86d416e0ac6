// A small HTTPS server on loopback for tests, with a certificate that it makes itself.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "common/errors/check.h"

namespace hail::auth::testing {

// A private key and a certificate for `name`, signed by itself.
struct SelfSigned {
  explicit SelfSigned(const char* name) : key(EVP_EC_gen("P-256"), EVP_PKEY_free), certificate(X509_new(), X509_free) {
    X509* const made = certificate.get();
    X509_set_version(made, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made), 3600);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(made, X509_get_subject_name(made));
    X509_set_pubkey(made, key.get());
    for (const auto& [nid, value] : {std::pair<int, std::string>(NID_basic_constraints, "critical,CA:TRUE"),
                                     {NID_subject_alt_name, std::string("DNS:") + name}}) {
      X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
      HAIL_CHECK(extension != nullptr && X509_add_ext(made, extension, -1) == 1);
      X509_EXTENSION_free(extension);
    }
    HAIL_CHECK(X509_sign(made, key.get(), EVP_sha256()) > 0);
  }

  // Writes the certificate as PEM.
  void WriteTo(const std::string& path) const {
    std::FILE* const file = std::fopen(path.c_str(), "w");
    HAIL_CHECK(file != nullptr && PEM_write_X509(file, certificate.get()) == 1);
    std::fclose(file);
  }

  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key;
  std::unique_ptr<X509, void (*)(X509*)> certificate;
};

// Answers one connection at a time, each with one answer.
class HttpsServer {
 public:
  // `answer` returns all bytes of the answer to a request for `path`, on the server's thread. Empty: the connection is
  // held until the client closes it.
  HttpsServer(const SelfSigned& identity, std::function<std::string(const std::string& path)> answer)
      : answer_(std::move(answer)), tls_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    HAIL_CHECK(SSL_CTX_use_certificate(tls_.get(), identity.certificate.get()) == 1);
    HAIL_CHECK(SSL_CTX_use_PrivateKey(tls_.get(), identity.key.get()) == 1);
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    HAIL_CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(listener_, 8) == 0);
    HAIL_CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~HttpsServer() {
    // Ends accept.
    shutdown(listener_, SHUT_RDWR);
    thread_.join();
    close(listener_);
  }

  int port() const { return port_; }
  // By its address; `host` must be a name of 127.0.0.1.
  std::string Url(const std::string& path, const std::string& host = "localhost") const {
    return "https://" + host + ":" + std::to_string(port_) + path;
  }

 private:
  void Run() {
    // OpenSSL writes to connections that the client has closed.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    while (true) {
      const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      const std::unique_ptr<SSL, void (*)(SSL*)> tls(SSL_new(tls_.get()), SSL_free);
      SSL_set_fd(tls.get(), connection);
      if (SSL_accept(tls.get()) == 1) Serve(tls.get());
      close(connection);
    }
  }

  void Serve(SSL* tls) {
    std::string request;
    char part[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const int got = SSL_read(tls, part, sizeof part);
      if (got <= 0) return;
      request.append(part, static_cast<std::size_t>(got));
    }
    const std::size_t begin = request.find(' ') + 1;
    const std::string text = answer_(request.substr(begin, request.find(' ', begin) - begin));
    if (text.empty()) {
      while (SSL_read(tls, part, sizeof part) > 0) {
      }
      return;
    }
    // A client that has enough closes; the rest is for nobody.
    for (std::size_t sent = 0; sent < text.size();) {
      const int more = SSL_write(tls, text.data() + sent, static_cast<int>(text.size() - sent));
      if (more <= 0) return;
      sent += static_cast<std::size_t>(more);
    }
    SSL_shutdown(tls);
  }

  const std::function<std::string(const std::string&)> answer_;
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> tls_;
  int listener_ = -1;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace hail::auth::testing
