// Sockets as several programs share them: who is refused, and in which words.
#include "base/net.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>

namespace hft::base {
namespace {

std::string refusal_of(auto&& call) {
  try {
    call();
  } catch (const NetError& refused) {
    return refused.what();
  }
  return "";
}

TEST(NetTest, AnEndpointIsAnAddressAndAPort) {
  const Endpoint parsed = parse_endpoint("10.1.2.3:4567");
  EXPECT_EQ(to_text(parsed), "10.1.2.3:4567");
  for (const char* wrong : {"10.1.2.3", "10.1.2.3:", "10.1.2.3:x", "10.1.2.3:65536", ""}) {
    EXPECT_EQ(refusal_of([&] { static_cast<void>(parse_endpoint(wrong)); }),
              std::string("not an address:port: ") + wrong);
  }
  EXPECT_EQ(refusal_of([] { static_cast<void>(to_sockaddr({"localhost", 1})); }), "not an IPv4 address: localhost");
  EXPECT_TRUE(is_multicast({"239.1.2.3", 1}));
  EXPECT_FALSE(is_multicast({"127.0.0.1", 1}));
}

TEST(NetTest, AConnectionIsMadeAndAccepted) {
  const Fd listener = listen_tcp({});
  EXPECT_FALSE(accept_from(listener));
  const Fd connected = connect_tcp({"127.0.0.1", port_of(listener)}, 1000);
  EXPECT_TRUE(connected);
  EXPECT_TRUE(accept_from(listener));
}

TEST(NetTest, ATakenAddressIsNamedWithItsReason) {
  const Fd listener = listen_tcp({});
  const Endpoint taken{"127.0.0.1", port_of(listener)};
  EXPECT_EQ(refusal_of([&] { static_cast<void>(listen_tcp(taken)); }),
            "bind " + to_text(taken) + ": Address already in use");
}

TEST(NetTest, ARefusedConnectionIsNamedAndAStartedOneSaysItLater) {
  Endpoint nobody;
  {
    const Fd gone = listen_tcp({});
    nobody.port = port_of(gone);
  }
  EXPECT_EQ(refusal_of([&] { static_cast<void>(connect_tcp(nobody, 1000)); }),
            "connect " + to_text(nobody) + ": Connection refused");
  const Fd started = start_connect_tcp(nobody, 65536);
  if (!started) return;  // loopback may say it at once
  pollfd wait{started.get(), POLLOUT, 0};
  ASSERT_EQ(::poll(&wait, 1, 1000), 1);
  EXPECT_EQ(error_of(started), ECONNREFUSED);
}

TEST(NetTest, AUnixSocketReplacesALeftFileAndRefusesALongPath) {
  const std::string path = "/tmp/hft-net-test-" + std::to_string(::getpid());
  {
    const Fd left = listen_unix(path);
  }
  EXPECT_TRUE(listen_unix(path));
  ::unlink(path.c_str());
  const std::string long_path(200, 'x');
  EXPECT_EQ(refusal_of([&] { static_cast<void>(listen_unix(long_path)); }),
            "path too long for a Unix socket: " + long_path);
}

}  // namespace
}  // namespace hft::base
