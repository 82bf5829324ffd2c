// The system calls behind net.h; each refusal names the call, the endpoint and the reason.
#include "base/net.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace hft::base {
namespace {

[[noreturn]] void fail(const std::string& what) { throw NetError(what + ": " + std::strerror(errno), errno); }

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
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("bind " + to_text(at));
}

void set_no_delay(const Fd& fd) {
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

bool starts_connecting(const Fd& fd, const Endpoint& to) {
  const sockaddr_in address = to_sockaddr(to);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

std::string to_text(const Endpoint& endpoint) { return endpoint.host + ":" + std::to_string(endpoint.port); }

Endpoint parse_endpoint(const std::string& text) {
  const auto colon = text.rfind(':');
  Endpoint endpoint;
  const char* end = text.data() + text.size();
  if (colon != std::string::npos) {
    endpoint.host = text.substr(0, colon);
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, endpoint.port);
    if (error == std::errc{} && stop == end) return endpoint;
  }
  throw NetError("not an address:port: " + text);
}

bool is_ipv4_address(const std::string& host) {
  in_addr parsed{};
  return ::inet_pton(AF_INET, host.c_str(), &parsed) == 1;
}

sockaddr_in to_sockaddr(const Endpoint& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  if (::inet_pton(AF_INET, endpoint.host.c_str(), &address.sin_addr) != 1) {
    throw NetError("not an IPv4 address: " + endpoint.host);
  }
  return address;
}

bool is_multicast(const Endpoint& endpoint) { return IN_MULTICAST(ntohl(to_sockaddr(endpoint).sin_addr.s_addr)); }

std::uint16_t port_of(const Fd& socket) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) fail("getsockname");
  return ntohs(address.sin_port);
}

std::uint32_t peer_of(const Fd& socket) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  const int got = ::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&address), &length);
  return got == 0 && address.sin_family == AF_INET ? ntohl(address.sin_addr.s_addr) : 0;
}

Fd listen_tcp(const Endpoint& at) {
  Fd fd = open_socket(AF_INET, SOCK_STREAM);
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  bind_to(fd, at);
  if (::listen(fd.get(), 64) != 0) fail("listen " + to_text(at));
  return fd;
}

Fd listen_unix(const std::string& path) {
  Fd fd = open_socket(AF_UNIX, SOCK_STREAM);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    throw NetError("path too long for a Unix socket: " + path, ENAMETOOLONG);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  struct stat left{};
  const bool is_left = ::lstat(path.c_str(), &left) == 0;
  if (is_left && !S_ISSOCK(left.st_mode)) throw NetError("listen " + path + ": no socket stands there", EEXIST);
  if (is_left) ::unlink(path.c_str());
  const mode_t before = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::umask(before);
  if (bound != 0 || ::listen(fd.get(), 16) != 0) fail("listen " + path);
  return fd;
}

Fd start_connect_tcp(const Endpoint& to, int send_buffer_bytes) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  set_no_delay(fd);
  const int size = send_buffer_bytes;
  if (size != 0) ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  return starts_connecting(fd, to) || errno == EINPROGRESS ? std::move(fd) : Fd();
}

void die_with_silent_peer(const Fd& socket, int after_ms) {
  const int on = 1, tries = 3;
  const int every_s = std::max(1, after_ms / 1000 / (tries + 1));
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &after_ms, sizeof after_ms);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_KEEPIDLE, &every_s, sizeof every_s);
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
}

int error_of(const Fd& socket) {
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  return error;
}

Fd connect_tcp(const Endpoint& to, int timeout_ms) {
  Fd fd = open_socket(AF_INET, SOCK_STREAM);
  set_no_delay(fd);
  if (!starts_connecting(fd, to) && errno != EINPROGRESS) fail("connect " + to_text(to));
  pollfd wait{fd.get(), POLLOUT, 0};
  errno = ::poll(&wait, 1, timeout_ms) == 1 ? error_of(fd) : ETIMEDOUT;
  if (errno != 0) fail("connect " + to_text(to));
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
  if (!starts_connecting(fd, to)) fail("connect " + to_text(to));
  return fd;
}

Fd accept_from(const Fd& listener) {
  Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd) set_no_delay(fd);  // refused by Unix sockets
  return fd;
}

void watch(int epoll, const Fd& fd, std::uint32_t events, bool is_new) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd.get();
  ::epoll_ctl(epoll, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd.get(), &event);
}

}  // namespace hft::base
