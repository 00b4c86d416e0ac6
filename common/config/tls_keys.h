// The configuration keys of a service's TLS.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/config/schema.h"
#include "common/tls/identity.h"
#include "common/tls/peer_names.h"

namespace hail::config {

// The values of tls.*.
struct TlsSettings {
  tls::IdentityFiles files;
  // Who may connect to listen; empty: it has no TLS.
  tls::NameList edges;
  // Who may connect to internal_listen: the other service, and operators.
  tls::NameList peers;
  tls::NameList operators;
};

// Declares tls.certificate, tls.key, tls.ca, tls.edges, tls.peers and tls.operators, and checks them together, the
// files included.
void AddTlsKeys(Schema* schema);

// nullopt: no TLS. `values` must come from a schema that AddTlsKeys filled.
std::optional<TlsSettings> ReadTlsSettings(const Values& values);

}  // namespace hail::config
