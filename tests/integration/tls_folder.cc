#include "tests/integration/tls_folder.h"

#include <filesystem>

#include "common/rpc/tls.h"

namespace hail::testing {

std::string TestNames(const std::string& name) {
  return "URI:spiffe://hail/" + name + ",DNS:" + name + ",IP:127.0.0.1";
}

TlsFolder::TlsFolder() = default;

tls::IdentityFiles TlsFolder::files(const std::string& name) const {
  const std::string path = dir_.path() + "/" + name;
  return {.certificate = path + ".crt", .key = path + ".key", .ca = path + ".ca"};
}

tls::IdentityPem TlsFolder::Renew(const std::string& name, const std::string& more_authorities) {
  tls::IdentityPem pem = authority_->Identity(TestNames(name));
  pem.ca += more_authorities;
  WriteIdentity(pem, files(name));
  return pem;
}

std::map<std::string, std::string> TlsFolder::Settings(const std::string& service, const std::string& peer) {
  Ensure(service);
  const tls::IdentityFiles own = files(service);
  return {{"tls.certificate", own.certificate},
          {"tls.key", own.key},
          {"tls.ca", own.ca},
          {"tls.edges", "spiffe://hail/edge"},
          {"tls.peers", "spiffe://hail/" + peer},
          {"tls.operators", "spiffe://hail/operator"}};
}

std::shared_ptr<grpc::ChannelCredentials> TlsFolder::Credentials(const std::string& name, const std::string& server) {
  Ensure(name);
  const tls::IdentityFiles own = files(name);
  return rpc::MakeChannelCredentials(
             {.ca = own.ca, .certificate = own.certificate, .key = own.key, .server_name = "spiffe://hail/" + server})
      .value();
}

void TlsFolder::Ensure(const std::string& name) {
  if (!std::filesystem::exists(files(name).key)) Renew(name);
}

}  // namespace hail::testing
