// Sockets as the gateway uses them: IPv4, non-blocking, no delay, never a SIGPIPE.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdint>
#include <string>

#include "gateway/file_io.h"

namespace hft::gateway {

struct Endpoint {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
};

inline bool to_address(const Endpoint& endpoint, sockaddr_in& address) {
  address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  return ::inet_pton(AF_INET, endpoint.host.c_str(), &address.sin_addr) == 1;
}

inline void set_no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

inline Fd listen_tcp(const Endpoint& endpoint) {
  sockaddr_in address;
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!to_address(endpoint, address)) return Fd();
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return Fd();
  return ::listen(fd.get(), 64) == 0 ? std::move(fd) : Fd();
}

inline std::uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

inline Fd accept_tcp(int listener) {
  Fd fd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd) set_no_delay(fd.get());
  return fd;
}

// What the kernel holds for the venue no fence can call back, so it may hold little.
inline constexpr int VENUE_SEND_BYTES = 1 << 16;

// Starts connecting to a venue; the socket turns writable when that is decided.
inline Fd connect_tcp(const Endpoint& endpoint) {
  sockaddr_in address;
  if (!to_address(endpoint, address)) return Fd();
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  set_no_delay(fd.get());
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &VENUE_SEND_BYTES, sizeof VENUE_SEND_BYTES);
  const int result = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  return result == 0 || errno == EINPROGRESS ? std::move(fd) : Fd();
}

inline int error_of(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
  return error;
}

// Replaces a socket file that a killed process left behind; 0600, because its verbs stop trading.
inline Fd listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return Fd();
  std::memcpy(address.sun_path, path.c_str(), path.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  ::unlink(path.c_str());
  const auto before = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::umask(before);
  return bound == 0 && ::listen(fd.get(), 16) == 0 ? std::move(fd) : Fd();
}

}  // namespace hft::gateway
