#include "common/tls/peer_names.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"

namespace hail::tls {
namespace {

bool IsUri(std::string_view name) { return name.find("://") != std::string_view::npos; }

std::string Normal(std::string_view name) {
  return IsUri(name) ? std::string(name) : absl::AsciiStrToLower(std::string(name));
}

}  // namespace

NameList::NameList(std::vector<std::string> names) : names_(std::move(names)) {
  for (std::string& name : names_) name = Normal(name);
}

std::string_view NameList::NameOf(const PeerNames& peer) const {
  for (const std::string& name : names_) {
    const std::vector<std::string>& of_its_kind = IsUri(name) ? peer.uris : peer.dns;
    const auto same = [&](const std::string& shown) { return IsUri(name) ? shown == name : Normal(shown) == name; };
    if (std::any_of(of_its_kind.begin(), of_its_kind.end(), same)) return name;
  }
  return {};
}

std::vector<std::string> SplitNames(std::string_view text) {
  return absl::StrSplit(std::string(text), absl::ByAnyChar(", "), absl::SkipEmpty());
}

std::string NameFault(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.find('*') != std::string_view::npos) return "has a wildcard: write each name out";
  const bool printable = std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!printable) return "has a character that no name has";
  if (IsUri(name) && name.size() == name.find("://") + 3) return "has nothing after the scheme";
  return "";
}

NameList Joined(const NameList& one, const NameList& other) {
  std::vector<std::string> names = one.names();
  names.insert(names.end(), other.names().begin(), other.names().end());
  return NameList(std::move(names));
}

auth::Caller InternalCaller(const PeerNames& peer, const InternalPeers& peers) {
  const std::string_view service = peers.services.NameOf(peer);
  const std::string_view operator_name = peers.operators.NameOf(peer);
  if (service.empty() == operator_name.empty()) return {};
  auth::Identity identity;
  identity.role = service.empty() ? auth::Role::kOperator : peers.service_role;
  identity.subject = std::string(service.empty() ? operator_name : service);
  return auth::Caller(std::move(identity));
}

}  // namespace hail::tls
