// Market data: lines A and B by kernel socket (multicast or unicast) or DPDK port, and the request server's answers.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>

#include "base/fd.h"
#include "dpdk/receiver.h"
#include "feed/arbiter.h"
#include "feed/datagram.h"
#include "trader/config.h"

namespace hft::trader {

using feed::Datagram;

class FeedInput {
 public:
  // Opens and joins. Throws std::system_error or, of a port, std::runtime_error; the caller ends with 75.
  explicit FeedInput(const EngineConfig& config);

  // The next datagram waiting on this line from a source that counts; nothing when there is none. Valid until the next
  // call.
  std::optional<Datagram> receive(feed::Line line);
  void request(const mold::Request& request);
  // Datagrams of sources that are not configured; they were dropped.
  [[nodiscard]] std::uint64_t strays() const { return strays_; }
  // -1 of a line that is polled or not there.
  [[nodiscard]] int fd(feed::Line line) const { return fds_[static_cast<std::size_t>(line)].get(); }

  // Of lines on DPDK ports; nothing happens and zeros come where there are none.
  [[nodiscard]] bool is_polled() const { return ports_ != nullptr; }
  void enter_thread();              // from the hot thread, before its first turn
  void tick(std::uint64_t now_ns);  // from the hot thread, every turn: IGMP
  void look_after();                // from a housekeeping thread, every second: the device's counters
  [[nodiscard]] dpdk::Counters counters(std::size_t line) const;

 private:
  std::optional<Datagram> receive_any(feed::Line line);
  [[nodiscard]] bool counts(feed::Line line, std::uint32_t source) const;

  std::array<base::Fd, feed::kLines> fds_;
  std::vector<std::uint32_t> sources_;  // host order, ascending; none: whoever sends
  std::uint64_t strays_ = 0;
  std::unique_ptr<dpdk::Receiver> ports_;
  std::array<std::uint8_t, 65536> buffer_{};
};

}  // namespace hft::trader
