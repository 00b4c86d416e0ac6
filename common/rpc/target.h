// Where the other service is, as its operator writes it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hail::rpc {

// HOST:PORT; dns:///HOST:PORT, all addresses of a name; ipv4:IP:PORT,IP:PORT…, a list of them.
struct Target {
  // Each HOST:PORT, as it was written: nothing is checked.
  std::vector<std::string> addresses;
  // Whether it names replicas, of which some may be down while others serve; not so HOST:PORT.
  bool replicas = false;
};

Target ParseTarget(std::string_view text);

}  // namespace hail::rpc
