// Who a peer is by its certificate: the alternative names (SAN) in it, never its common name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/auth/caller.h"

namespace hail::tls {

// The alternative names of a peer's certificate, once the chain is verified.
struct PeerNames {
  // "spiffe://hail/rider-service"
  std::vector<std::string> uris;
  // "rider-service.hail.svc"
  std::vector<std::string> dns;
};

// Names on an allow list: URIs, compared byte for byte, and host names, compared without regard to case. A wildcard in
// a certificate matches nothing. Immutable, thread-safe.
class NameList {
 public:
  NameList() = default;
  // Each must pass NameFault.
  explicit NameList(std::vector<std::string> names);

  bool empty() const { return names_.empty(); }
  const std::vector<std::string>& names() const { return names_; }
  // The name on this list that `peer` has; empty: none.
  std::string_view NameOf(const PeerNames& peer) const;
  bool Has(const PeerNames& peer) const { return !NameOf(peer).empty(); }

 private:
  // Host names in lower case.
  std::vector<std::string> names_;
};

// "a, b" as a list, without empty entries.
std::vector<std::string> SplitNames(std::string_view text);

// What is wrong with an entry of an allow list ("*.hail": "has a wildcard"); empty: nothing.
std::string NameFault(std::string_view name);

// The union of two lists.
NameList Joined(const NameList& one, const NameList& other);

// Who calls on the internal listener.
struct InternalPeers {
  // The other service.
  NameList services;
  auth::Role service_role = auth::Role::kRiderService;
  NameList operators;
};

// Nobody if `peer` is on neither list, or on both: a name says what somebody is, and nobody is two.
auth::Caller InternalCaller(const PeerNames& peer, const InternalPeers& peers);

}  // namespace hail::tls
