// Sockets as values with an owner: what venue, load generator and relay need of the kernel, and no more.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "wire/bytes.h"

namespace hft::net {

// What the kernel refused, with the call and the address in the sentence.
struct NetError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

struct Endpoint {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
};

Endpoint parse_endpoint(const std::string& text);  // "address:port"; throws NetError
sockaddr_in to_sockaddr(const Endpoint& endpoint);
std::uint16_t port_of(const Fd& socket);
bool is_multicast(const Endpoint& endpoint);

Fd listen_tcp(const Endpoint& at);
Fd connect_tcp(const Endpoint& to, int timeout_ms);
Fd bind_udp(const Endpoint& at);
// Connected for sending; for a multicast target `interface` says which card, by its address.
Fd connect_udp(const Endpoint& to, const std::string& interface, int ttl);
// Receives what is sent to the endpoint; joins the group when it is one.
Fd receive_udp(const Endpoint& on, const std::string& interface, int buffer_bytes);
Fd listen_unix(const std::string& path);
Fd accept_from(const Fd& listener);  // empty when nobody waits

std::uint64_t monotonic_ns();
std::uint64_t realtime_ns();
void pin_to_cpu(int cpu);  // -1 leaves the thread where it is

}  // namespace hft::net
