// The address of the other service, as its operator writes it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hail::rpc {

// HOST:PORT; dns:///HOST:PORT: all addresses of a name; ipv4:IP:PORT,IP:PORT…: a list of addresses.
struct Target {
  // Each HOST:PORT as written, not checked.
  std::vector<std::string> addresses;
  // Whether the target names replicas, of which some may be down while others serve. False for HOST:PORT.
  bool replicas = false;
};

Target ParseTarget(std::string_view text);

}  // namespace hail::rpc
