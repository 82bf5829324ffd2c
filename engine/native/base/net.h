// Sockets with an owner: listening, connecting and accepting as every program here does it, and UDP for the feeds.
//
// All of them are close-on-exec and non-blocking; TCP goes without Nagle's delay; a Unix socket replaces the socket of
// a killed process (claim its path first: base/ownership.h) and is its owner's alone, because the verbs behind it stop
// trading.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "base/fd.h"

namespace hft::base {

// What the kernel refused, with the call and the address in the sentence.
struct NetError : std::runtime_error {
  explicit NetError(const std::string& what, int error_in = 0) : std::runtime_error(what), error(error_in) {}
  int error;  // errno of the call; 0: it is the text that is wrong
};

struct Endpoint {
  std::string host = "127.0.0.1";  // an IPv4 address
  std::uint16_t port = 0;
};

[[nodiscard]] std::string to_text(const Endpoint& endpoint);     // "host:port"
[[nodiscard]] Endpoint parse_endpoint(const std::string& text);  // throws NetError
[[nodiscard]] bool is_ipv4_address(const std::string& host);
[[nodiscard]] sockaddr_in to_sockaddr(const Endpoint& endpoint);  // throws NetError
[[nodiscard]] bool is_multicast(const Endpoint& endpoint);
[[nodiscard]] std::uint16_t port_of(const Fd& socket);

// These throw NetError.
[[nodiscard]] Fd listen_tcp(const Endpoint& at);
[[nodiscard]] Fd listen_unix(const std::string& path);
[[nodiscard]] Fd connect_tcp(const Endpoint& to, int timeout_ms);
[[nodiscard]] Fd bind_udp(const Endpoint& at);
// Connected for sending; for a multicast target `interface` says which card, by its address.
[[nodiscard]] Fd connect_udp(const Endpoint& to, const std::string& interface, int ttl);

// Starts connecting; the socket turns writable when that is decided, and error_of() says how. Empty when it cannot
// even start. `send_buffer_bytes`: what the kernel may hold back; 0 leaves it alone.
[[nodiscard]] Fd start_connect_tcp(const Endpoint& to, int send_buffer_bytes = 0);
[[nodiscard]] int error_of(const Fd& socket);
// A peer that is gone without a word ends the connection after so long, whether or not anything is sent (tcp(7)).
void die_with_silent_peer(const Fd& socket, int after_ms);

// The address of the other end, as one number; 0 when there is none.
[[nodiscard]] std::uint32_t peer_of(const Fd& socket);

// Empty when nobody waits.
[[nodiscard]] Fd accept_from(const Fd& listener);

// Adds a descriptor to an epoll, or changes what it waits for; its events carry the descriptor.
void watch(int epoll, const Fd& fd, std::uint32_t events, bool is_new = true);

}  // namespace hft::base
