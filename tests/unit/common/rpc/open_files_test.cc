#include "common/rpc/open_files.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "tests/unit/common/rpc/fixture.h"

namespace hail::rpc {
namespace {

// A plain connection; a server greets it, unless it closes it at once.
class Connection {
 public:
  explicit Connection(int port) : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~Connection() { close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Waits for the first byte, or the end.
  bool Greeted() const {
    pollfd wait{.fd = socket_, .events = POLLIN, .revents = 0};
    char byte = 0;
    return connected_ && poll(&wait, 1, static_cast<int>(absl::ToInt64Milliseconds(kPatience))) == 1 &&
           recv(socket_, &byte, 1, 0) == 1;
  }

 private:
  const int socket_;
  bool connected_ = false;
};

class ConnectionsTest : public ::testing::Test {
 protected:
  void SetUp() override { server_.Start(); }
  void TearDown() override { LimitConnectionsOfNetwork(0); }
  int port() const { return server_.host.internal_port(); }
  static bool Eventually(const std::function<bool()>& holds) {
    const absl::Time limit = absl::Now() + kPatience;
    while (!holds()) {
      if (absl::Now() > limit) return false;
      std::this_thread::yield();
    }
    return true;
  }

  TestServer server_;
};

TEST_F(ConnectionsTest, OneAddressHasNoMoreThanItsLimit) {
  LimitConnectionsOfNetwork(3, /*loopback_too=*/true);
  const std::uint64_t refused = ConnectionsRefused();
  std::vector<std::unique_ptr<Connection>> held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(std::make_unique<Connection>(port()));
    EXPECT_TRUE(held.back()->Greeted());
  }
  EXPECT_EQ(ConnectionsCounted(), 3u);
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(Connection(port()).Greeted());
  EXPECT_EQ(ConnectionsRefused(), refused + 5);
  // One that ends makes room for another.
  held.pop_back();
  EXPECT_TRUE(Eventually([] { return ConnectionsCounted() == 2; }));
  EXPECT_TRUE(Connection(port()).Greeted());
  held.clear();
  EXPECT_TRUE(Eventually([] { return ConnectionsCounted() == 0; }));
}

TEST_F(ConnectionsTest, ThisMachineIsNotLimited) {
  LimitConnectionsOfNetwork(1);
  std::vector<std::unique_ptr<Connection>> held;
  for (int i = 0; i < 5; ++i) {
    held.push_back(std::make_unique<Connection>(port()));
    EXPECT_TRUE(held.back()->Greeted());
  }
  EXPECT_EQ(ConnectionsCounted(), 0u);
}

}  // namespace
}  // namespace hail::rpc
