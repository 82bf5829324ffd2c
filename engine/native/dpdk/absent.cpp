// The receiver of a build without DPDK: a configuration that names a device is refused before it comes here.
#include <stdexcept>

#include "dpdk/receiver.h"

namespace hft::dpdk {

struct Receiver::Parts {};

bool built_in() { return false; }

Receiver::Receiver(const LineWishes&, const Options&) {
  throw std::runtime_error("this build has no DPDK (cmake -DHFT_DPDK=ON)");
}
Receiver::~Receiver() = default;
void Receiver::enter_thread() {}
std::optional<feed::Datagram> Receiver::receive(std::size_t) { return std::nullopt; }
void Receiver::tick(std::uint64_t) {}
Counters Receiver::counters(std::size_t) const { return {}; }
void Receiver::look_after() {}
std::string Receiver::describe(std::size_t) const { return {}; }

}  // namespace hft::dpdk
