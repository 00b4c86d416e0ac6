// The network address that a call is counted under. Pure functions, thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hail::limits {

// What one subscriber of a network has: one IPv4 address, or the first 64 bits of an IPv6 address. An IPv4 address
// inside IPv6 (::ffff:192.0.2.1) is the IPv4 address.
struct Network {
  // The address, with zeros after the part that counts; IPv4 as ::ffff:a.b.c.d.
  std::array<std::uint8_t, 16> bytes{};

  // 127.0.0.0/8 or ::1.
  bool loopback() const;
  // "192.0.2.1", "2001:db8::/64".
  std::string Text() const;
  friend bool operator==(const Network&, const Network&) = default;
};

// Of a numeric address without a port: "192.0.2.1", "2001:db8::7", "[2001:db8::7]". A zone ("fe80::1%eth0") is ignored.
// nullopt for anything else.
std::optional<Network> ParseNetwork(std::string_view address);

// Of a peer as gRPC names it: "ipv4:192.0.2.1:41234", "ipv6:[2001:db8::7]:41234", its brackets also as %5B and %5D.
// nullopt for another transport ("unix:…").
std::optional<Network> NetworkOfPeer(std::string_view peer);

// Of the raw bytes of an address: 4 or 16 of them.
Network NetworkOf4(const std::uint8_t* bytes);
Network NetworkOf16(const std::uint8_t* bytes);

// The network that a call comes from; nullopt if it is not known, or is nobody's own:
//  - `peer` is this machine or the edge: what the edge appended to x-forwarded-for, the last address in it. Everything
//    before it was sent by the client, who may have made it up. Without such an address: nullopt.
//  - otherwise that of `peer`. A stranger's x-forwarded-for counts for nothing.
// `forwarded_for`: the value of the last header of that name; empty: none.
std::optional<Network> ClientNetwork(std::string_view peer, bool peer_is_edge, std::string_view forwarded_for);

}  // namespace hail::limits
