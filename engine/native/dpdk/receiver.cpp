// See receiver.h.
#include "dpdk/receiver.h"

#include <rte_errno.h>
#include <rte_lcore.h>

#include "dpdk/environment.h"
#include "dpdk/port.h"

namespace hft::dpdk {

// Ports go before the environment they stand on.
struct Receiver::Parts {
  Parts(const LineWishes& lines, const Options& options) : environment(lines, options) {
    for (std::size_t i = 0; i < kLines; ++i) {
      if (lines[i]) ports[i] = std::make_unique<Port>(*lines[i], options);
    }
  }

  Environment environment;
  std::array<std::unique_ptr<Port>, kLines> ports;
};

bool built_in() { return true; }

Receiver::Receiver(const LineWishes& lines, const Options& options) : parts_(std::make_unique<Parts>(lines, options)) {}
Receiver::~Receiver() = default;

// A registered thread has a logical core's number, which buffer pools ask for.
void Receiver::enter_thread() { static_cast<void>(rte_thread_register()); }

std::optional<feed::Datagram> Receiver::receive(std::size_t line) {
  Port* port = line < kLines ? parts_->ports[line].get() : nullptr;
  return port != nullptr ? port->receive() : std::nullopt;
}

void Receiver::tick(std::uint64_t now_ns) {
  for (auto& port : parts_->ports) {
    if (port) port->tick(now_ns);
  }
}

Counters Receiver::counters(std::size_t line) const {
  const Port* port = parts_->ports[line].get();
  return port != nullptr ? port->counters() : Counters{};
}

void Receiver::look_after() {
  for (auto& port : parts_->ports) {
    if (port) port->look_after();
  }
}

std::string Receiver::describe(std::size_t line) const {
  const Port* port = parts_->ports[line].get();
  return port != nullptr ? port->describe() : std::string();
}

}  // namespace hft::dpdk
