// Market data sockets: lines A and B (multicast or unicast) and the answers of the request server.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>

#include "engine/config.h"
#include "feed/arbiter.h"

namespace hft::engine {

struct Datagram {
  Bytes bytes;
  std::int64_t received_utc_ns = 0;  // the kernel's receive stamp; 0 when it gave none
};

class FeedInput {
 public:
  // Opens and joins. Throws std::system_error; the caller ends with 75.
  explicit FeedInput(const EngineConfig& config);
  ~FeedInput();
  FeedInput(const FeedInput&) = delete;
  FeedInput& operator=(const FeedInput&) = delete;

  // The next datagram waiting on this line; nothing when there is none. Valid until the next call.
  std::optional<Datagram> receive(feed::Line line);
  void request(const mold::Request& request);
  [[nodiscard]] int fd(feed::Line line) const { return fds_[static_cast<std::size_t>(line)]; }

 private:
  std::array<int, feed::kLines> fds_{-1, -1, -1};
  std::array<std::uint8_t, 65536> buffer_{};
};

}  // namespace hft::engine
