// The loopback floor: the engine's sockets, CPUs and schedule without its logic. UDP in on two lines, TCP out.
//
// The feed sockets are the engine's own class, so both pay for the same stamps, buffers and system calls. A trigger is
// known by one look at fixed bytes; the order is a template with the trigger's symbol and price copied in, sent as the
// engine sends its own, and the answers are read and thrown away. What a run of the engine takes above a run of the
// relay is the engine's own.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/net.h"
#include "load/idle.h"
#include "trader/feed_input.h"
#include "wire/bytes.h"

namespace hft::load {

struct RelayPlan {
  std::vector<base::Endpoint> lines;
  base::Endpoint to;
  std::string interface = "127.0.0.1";
  Idle idle = Idle::backoff;
  int cpu = -1;
};

struct RelayCounts {
  std::uint64_t datagrams = 0, triggers = 0, repeats = 0, bytes_back = 0;
};

class Relay {
 public:
  explicit Relay(const RelayPlan& plan);
  RelayCounts run(const volatile int* stop);  // until told, or the peer closes

 private:
  bool take_line(feed::Line line);
  void forward(const std::uint8_t* datagram);
  bool take_answers();

  RelayPlan plan_;
  trader::FeedInput feed_;
  base::Fd peer_;
  Waiter waiter_;
  std::array<std::uint8_t, 64> order_{};
  std::size_t order_bytes_ = 0;
  std::uint64_t last_sequence_ = 0;
  std::uint32_t urn_ = 0;
  RelayCounts counts_;
  bool closed_ = false;
};

}  // namespace hft::load
