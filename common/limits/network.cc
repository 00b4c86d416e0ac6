#include "common/limits/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace hail::limits {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
// The part of an IPv6 address that one subscriber has, in bytes.
constexpr std::size_t kPrefix = 8;
constexpr std::uint8_t kLoopbackNet = 127;
// Longer texts are no addresses.
constexpr std::size_t kMostText = 64;
constexpr char kBlanks[] = " \t";

bool IsV4(const Network& network) { return std::equal(kMapped.begin(), kMapped.end(), network.bytes.begin()); }

// All of ::1 but its last bit is in the part that is cut off, so loopback keeps its whole address.
constexpr std::array<std::uint8_t, 16> kLoopback6{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

}  // namespace

bool Network::loopback() const { return IsV4(*this) ? bytes[kMapped.size()] == kLoopbackNet : bytes == kLoopback6; }

std::string Network::Text() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (IsV4(*this)) return inet_ntop(AF_INET, bytes.data() + kMapped.size(), text, sizeof(text));
  inet_ntop(AF_INET6, bytes.data(), text, sizeof(text));
  return loopback() ? std::string(text) : absl::StrCat(text, "/64");
}

Network NetworkOf4(const std::uint8_t* bytes) {
  Network network;
  std::copy(kMapped.begin(), kMapped.end(), network.bytes.begin());
  std::copy_n(bytes, 4, network.bytes.begin() + kMapped.size());
  return network;
}

Network NetworkOf16(const std::uint8_t* bytes) {
  Network network;
  std::copy_n(bytes, network.bytes.size(), network.bytes.begin());
  if (!IsV4(network) && network.bytes != kLoopback6) {
    std::fill(network.bytes.begin() + kPrefix, network.bytes.end(), std::uint8_t{0});
  }
  return network;
}

std::optional<Network> ParseNetwork(std::string_view address) {
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
  }
  address = address.substr(0, address.find('%'));
  if (address.size() > kMostText) return std::nullopt;
  const std::string text(address);
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return NetworkOf4(bytes.data());
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return NetworkOf16(bytes.data());
  return std::nullopt;
}

std::optional<Network> NetworkOfPeer(std::string_view peer) {
  constexpr std::size_t kScheme = 5;
  const std::size_t port = peer.rfind(':');
  if (!(peer.starts_with("ipv4:") || peer.starts_with("ipv6:")) || port < kScheme || port > kMostText + kScheme) {
    return std::nullopt;
  }
  const std::string address(peer.substr(kScheme, port - kScheme));
  return ParseNetwork(absl::StrReplaceAll(address, {{"%5B", "["}, {"%5D", "]"}}));
}

std::optional<Network> ClientNetwork(std::string_view peer, bool peer_is_edge, std::string_view forwarded_for) {
  const std::optional<Network> direct = NetworkOfPeer(peer);
  if (!peer_is_edge && !(direct && direct->loopback())) return direct;
  // Without a comma, the position before the first is npos, and npos + 1 is 0.
  std::string_view last = forwarded_for.substr(forwarded_for.rfind(',') + 1);
  last.remove_prefix(std::min(last.find_first_not_of(kBlanks), last.size()));
  last = last.substr(0, last.find_last_not_of(kBlanks) + 1);
  const std::optional<Network> client = ParseNetwork(last);
  return client && !client->loopback() ? client : std::nullopt;
}

}  // namespace hail::limits
