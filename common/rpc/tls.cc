#include "common/rpc/tls.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/errors/error.h"
#include "grpc/grpc_security_constants.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_certificate_verifier.h"
#include "grpcpp/security/tls_credentials_options.h"

namespace hail::rpc {
namespace {

namespace tls_api = grpc::experimental;

constexpr unsigned kReadEverySeconds = 1;

std::string Text(grpc::string_ref text) { return {text.data(), text.size()}; }

// Refuses the handshake of a peer without a name on a list. OpenSSL has verified the chain by then.
class NameVerifier final : public tls_api::ExternalCertificateVerifier {
 public:
  NameVerifier(tls::NameList allowed, TlsIdentity::OnRefused on_refused)
      : allowed_(std::move(allowed)), on_refused_(std::move(on_refused)) {}

  bool Verify(tls_api::TlsCustomVerificationCheckRequest* request, std::function<void(grpc::Status)>,
              grpc::Status* sync_status) override {
    tls::PeerNames peer;
    for (const grpc::string_ref& name : request->uri_names()) peer.uris.push_back(Text(name));
    for (const grpc::string_ref& name : request->dns_names()) peer.dns.push_back(Text(name));
    if (!allowed_.Has(peer)) {
      *sync_status = {grpc::StatusCode::UNAUTHENTICATED, "the peer's certificate has no name on the allow list"};
      if (on_refused_) on_refused_(peer);
    }
    return true;
  }
  void Cancel(tls_api::TlsCustomVerificationCheckRequest*) override {}

 private:
  const tls::NameList allowed_;
  const TlsIdentity::OnRefused on_refused_;
};

std::shared_ptr<tls_api::CertificateVerifier> VerifierOf(const tls::NameList& allowed,
                                                         const TlsIdentity::OnRefused& on_refused) {
  return tls_api::ExternalCertificateVerifier::Create<NameVerifier>(allowed, on_refused);
}

}  // namespace

TlsIdentity::TlsIdentity(const tls::IdentityFiles& files, OnRefused on_refused)
    : provider_(std::make_shared<tls_api::FileWatcherCertificateProvider>(files.key, files.certificate, files.ca,
                                                                          kReadEverySeconds)),
      on_refused_(std::move(on_refused)) {}

TlsIdentity::~TlsIdentity() = default;

std::shared_ptr<grpc::ServerCredentials> TlsIdentity::Server(const tls::NameList& allowed) const {
  tls_api::TlsServerCredentialsOptions options(provider_);
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.set_certificate_verifier(VerifierOf(allowed, on_refused_));
  return tls_api::TlsServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> TlsIdentity::Channel(const tls::NameList& allowed) const {
  tls_api::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(provider_);
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_certificate_verifier(VerifierOf(allowed, on_refused_));
  options.set_check_call_host(false);
  return tls_api::TlsCredentials(options);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(const ChannelTls& tls) {
  std::vector<std::string> problems;
  if (tls.ca.empty() && !(tls.certificate.empty() && tls.key.empty() && tls.server_name.empty())) {
    problems.emplace_back("TLS needs the authorities that sign servers' certificates (--tls-ca)");
  }
  if (tls.certificate.empty() != tls.key.empty()) {
    problems.emplace_back("a certificate needs its key, and a key its certificate (--tls-certificate, --tls-key)");
  }
  for (const std::string& file : {tls.ca, tls.certificate, tls.key}) {
    if (!file.empty() && access(file.c_str(), R_OK) != 0) {
      problems.push_back(absl::StrCat(file, ": cannot be read: ", std::strerror(errno)));
    }
  }
  const std::vector<std::string> names = tls::SplitNames(tls.server_name);
  for (const std::string& name : names) {
    const std::string fault = tls::NameFault(name);
    if (!fault.empty()) problems.push_back(absl::StrCat("--tls-server-name ", name, " ", fault));
  }
  if (!problems.empty()) return InvalidField("tls", absl::StrJoin(problems, "\n"));
  if (tls.ca.empty()) return grpc::InsecureChannelCredentials();

  tls_api::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      std::make_shared<tls_api::FileWatcherCertificateProvider>(tls.key, tls.certificate, tls.ca, kReadEverySeconds));
  options.watch_root_certs();
  if (!tls.certificate.empty()) options.watch_identity_key_cert_pairs();
  if (!names.empty()) {
    options.set_certificate_verifier(VerifierOf(tls::NameList(names), nullptr));
    options.set_check_call_host(false);
  }
  return tls_api::TlsCredentials(options);
}

tls::PeerNames PeerNamesOf(const grpc::AuthContext& context) {
  tls::PeerNames names;
  for (const grpc::string_ref& name : context.FindPropertyValues(GRPC_PEER_URI_PROPERTY_NAME)) {
    names.uris.push_back(Text(name));
  }
  for (const grpc::string_ref& name : context.FindPropertyValues(GRPC_PEER_DNS_PROPERTY_NAME)) {
    names.dns.push_back(Text(name));
  }
  return names;
}

}  // namespace hail::rpc
