// Certificates of a city, as files.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "grpcpp/security/credentials.h"
#include "tests/integration/process.h"
#include "tests/unit/common/tls/certificates.h"

namespace hail::testing {

// Names: spiffe://hail/NAME, the host name NAME, and 127.0.0.1 for clients that compare the host.
std::string TestNames(const std::string& name);

class TlsFolder {
 public:
  TlsFolder();

  const TestAuthority& authority() const { return *authority_; }
  // From here on `authority` signs.
  void SetAuthority(std::unique_ptr<TestAuthority> authority) { authority_ = std::move(authority); }

  tls::IdentityFiles files(const std::string& name) const;
  // Replaces the files of `name` by a new certificate; `more_authorities`: into its ca file, too.
  tls::IdentityPem Renew(const std::string& name, const std::string& more_authorities = "");

  // The settings of rider-service ("rider-service", with "driver-service" as its peer) or driver-service. Its files are
  // made if they are not there.
  std::map<std::string, std::string> Settings(const std::string& service, const std::string& peer);

  // What `name` shows when it calls `server`. Its files are made if they are not there.
  std::shared_ptr<grpc::ChannelCredentials> Credentials(const std::string& name, const std::string& server);

 private:
  void Ensure(const std::string& name);

  std::unique_ptr<TestAuthority> authority_ = std::make_unique<TestAuthority>();
  TempDir dir_;
};

}  // namespace hail::testing
