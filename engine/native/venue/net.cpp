// The system calls behind net.h; each refusal names the call, the endpoint and the reason.
#include "venue/net.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace hft::net {

namespace {

[[noreturn]] void fail(const std::string& what) { throw NetError(what + ": " + std::strerror(errno)); }

std::string named(const Endpoint& endpoint) { return endpoint.address + ":" + std::to_string(endpoint.port); }

Fd open_socket(int family, int kind) {
  Fd fd(::socket(family, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) fail("socket");
  return fd;
}

void set_option(const Fd& fd, int level, int option, int value, const char* name) {
  if (::setsockopt(fd.get(), level, option, &value, sizeof value) != 0) fail(std::string("setsockopt ") + name);
}

void bind_to(const Fd& fd, const Endpoint& at) {
  const sockaddr_in address = to_sockaddr(at);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("bind " + named(at));
  }
}

std::uint64_t clock_ns(clockid_t clock) {
  timespec now;
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000ULL + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

Endpoint parse_endpoint(const std::string& text) {
  const auto colon = text.rfind(':');
  Endpoint endpoint;
  const char* end = text.data() + text.size();
  if (colon != std::string::npos) {
    endpoint.address = text.substr(0, colon);
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, endpoint.port);
    if (error == std::errc{} && stop == end) return endpoint;
  }
  throw NetError("not an address:port: " + text);
}

sockaddr_in to_sockaddr(const Endpoint& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  if (::inet_pton(AF_INET, endpoint.address.c_str(), &address.sin_addr) != 1) {
    throw NetError("not an IPv4 address: " + endpoint.address);
  }
  return address;
}

std::uint16_t port_of(const Fd& socket) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) fail("getsockname");
  return ntohs(address.sin_port);
}

bool is_multicast(const Endpoint& endpoint) { return (ntohl(to_sockaddr(endpoint).sin_addr.s_addr) >> 28) == 0xE; }

Fd listen_tcp(const Endpoint& at) {
  Fd fd = open_socket(AF_INET, SOCK_STREAM);
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  bind_to(fd, at);
  if (::listen(fd.get(), 64) != 0) fail("listen " + named(at));
  return fd;
}

Fd connect_tcp(const Endpoint& to, int timeout_ms) {
  Fd fd = open_socket(AF_INET, SOCK_STREAM);
  const sockaddr_in address = to_sockaddr(to);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno != EINPROGRESS) fail("connect " + named(to));
    pollfd wait{fd.get(), POLLOUT, 0};
    int error = ETIMEDOUT;
    socklen_t length = sizeof error;
    if (::poll(&wait, 1, timeout_ms) == 1) ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    errno = error;
    if (error != 0) fail("connect " + named(to));
  }
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
  return fd;
}

Fd bind_udp(const Endpoint& at) {
  Fd fd = open_socket(AF_INET, SOCK_DGRAM);
  bind_to(fd, at);
  return fd;
}

Fd connect_udp(const Endpoint& to, const std::string& interface, int ttl) {
  // A burst waits in the buffer (net.core.wmem_max allowing) for a slow card; what does not fit is lost and counted.
  constexpr int kSendBufferBytes = 16 << 20;
  Fd fd = open_socket(AF_INET, SOCK_DGRAM);
  set_option(fd, SOL_SOCKET, SO_SNDBUF, kSendBufferBytes, "SO_SNDBUF");
  if (is_multicast(to)) {
    const in_addr card = to_sockaddr({interface, 0}).sin_addr;
    if (::setsockopt(fd.get(), IPPROTO_IP, IP_MULTICAST_IF, &card, sizeof card) != 0) fail("IP_MULTICAST_IF");
    set_option(fd, IPPROTO_IP, IP_MULTICAST_TTL, ttl, "IP_MULTICAST_TTL");
    set_option(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 1, "IP_MULTICAST_LOOP");
  }
  const sockaddr_in address = to_sockaddr(to);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("connect " + named(to));
  }
  return fd;
}

Fd receive_udp(const Endpoint& on, const std::string& interface, int buffer_bytes) {
  Fd fd = open_socket(AF_INET, SOCK_DGRAM);
  set_option(fd, SOL_SOCKET, SO_RCVBUF, buffer_bytes, "SO_RCVBUF");
  if (is_multicast(on)) set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  bind_to(fd, on);
  if (is_multicast(on)) {
    ip_mreqn group{to_sockaddr(on).sin_addr, to_sockaddr({interface, 0}).sin_addr, 0};
    if (::setsockopt(fd.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
      fail("join " + named(on));
    }
  }
  return fd;
}

Fd listen_unix(const std::string& path) {
  Fd fd = open_socket(AF_UNIX, SOCK_STREAM);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw NetError("path too long for a Unix socket: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ::unlink(path.c_str());  // left by a process that was killed; a live one is found by its log, not by this
  const mode_t before = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::umask(before);
  if (bound != 0 || ::listen(fd.get(), 16) != 0) fail("listen " + path);
  return fd;
}

Fd accept_from(const Fd& listener) {
  Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  int one = 1;
  if (fd) ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);  // refused by Unix sockets
  return fd;
}

std::uint64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }
std::uint64_t realtime_ns() { return clock_ns(CLOCK_REALTIME); }

void pin_to_cpu(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  if (::sched_setaffinity(0, sizeof set, &set) != 0) fail("pin to CPU " + std::to_string(cpu));
}

}  // namespace hft::net
