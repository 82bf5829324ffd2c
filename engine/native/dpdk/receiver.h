// Market data by poll-mode ports instead of kernel sockets: the lines of one engine that name a DPDK device.
//
// Receive only. The one thing it sends is IGMP (igmp.h). It knows no ARP, so a line takes a multicast group;
// requests for lost messages and everything about orders go through kernel sockets of other interfaces.
// A build without HFT_DPDK has the same class, which refuses (absent.cpp).
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "feed/datagram.h"

namespace hft::dpdk {

inline constexpr std::size_t kLines = 2;

// Exactly one of them: a PCI address that is bound to vfio-pci, or a virtual device with its arguments.
struct Device {
  std::string pci, vdev;
};

struct LineWish {
  Device device;
  std::uint32_t group = 0, address = 0;  // host order; `address` is the source of the IGMP reports
  std::uint16_t port = 0;
};
using LineWishes = std::array<std::optional<LineWish>, kLines>;

struct Options {
  bool hugepages = true;  // false: for machines without a pool
  std::uint16_t descriptors = 2048;
};

// Of one line since the start. Frames = data + igmp + foreign + malformed + bad_checksum + fragments.
struct Counters {
  std::uint64_t frames = 0, data = 0, igmp = 0, foreign = 0, malformed = 0, bad_checksum = 0, fragments = 0;
  std::uint64_t device_stamps = 0;                    // of `data`, those that carry the device's own receive stamp
  std::uint64_t reports = 0;                          // IGMP frames sent
  std::uint64_t missed = 0, errors = 0, no_mbuf = 0;  // rte_eth_stats: ring full, bad at the device, pool empty
  bool link_up = false;
};

// Whether this build can.
bool built_in();

class Receiver {
 public:
  // Starts the environment and the ports and joins. Throws std::runtime_error with one sentence.
  Receiver(const LineWishes& lines, const Options& options);
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // From the hot thread: once at its start; the next datagram (valid until the next call); now and then.
  void enter_thread();
  std::optional<feed::Datagram> receive(std::size_t line);
  void tick(std::uint64_t now_ns);
  [[nodiscard]] Counters counters(std::size_t line) const;
  // From a housekeeping thread, about every second: the device's counters and link; these registers are slow.
  void look_after();
  // What a person wants to know at the start: driver, filter, stamps, offloads.
  [[nodiscard]] std::string describe(std::size_t line) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace hft::dpdk
