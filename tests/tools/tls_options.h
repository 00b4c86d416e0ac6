// The options of a tool for TLS.
#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "common/rpc/tls.h"

namespace hail {

// Adds --tls-ca, --tls-certificate, --tls-key and --tls-server-name. `environment`: the prefix of the variables that
// give their defaults ("HAILCTL_": HAILCTL_TLS_CA …); empty: there are none.
inline void AddTlsOptions(CLI::App& app, rpc::ChannelTls* tls, const std::string& environment = "") {
  const auto add = [&](const char* name, const char* variable, std::string& value, const char* what) {
    CLI::Option* const option = app.add_option(name, value, what)->take_last()->group("TLS");
    if (!environment.empty()) option->envname(environment + variable);
  };
  add("--tls-ca", "TLS_CA", tls->ca, "file with the authorities that sign servers' certificates; without it plaintext");
  add("--tls-certificate", "TLS_CERTIFICATE", tls->certificate, "file with the certificate to show");
  add("--tls-key", "TLS_KEY", tls->key, "file with its private key");
  add("--tls-server-name", "TLS_SERVER_NAME", tls->server_name,
      "names (host or URI, commas between): the server's certificate must have one. Default: the host of the address");
}

}  // namespace hail
