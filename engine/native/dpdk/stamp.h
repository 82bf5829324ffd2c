// Which receive stamp to believe.
//
// A device that stamps frames does it in units and from an epoch of its own (rte_mbuf_dyn.h says neither): some
// give nanoseconds of UTC, others microseconds or ticks. So a device's stamp is taken when it is within a second
// of the host's clock, which only nanoseconds of UTC are; everything else gets the clock read at the burst.
#pragma once

#include <cstdint>

namespace hft::dpdk {

inline constexpr std::int64_t kBelievableNs = 1'000'000'000;

constexpr bool believable(std::uint64_t device_ns, std::int64_t clock_utc_ns) {
  const auto apart = static_cast<std::int64_t>(device_ns - static_cast<std::uint64_t>(clock_utc_ns));
  return apart > -kBelievableNs && apart < kBelievableNs;
}

}  // namespace hft::dpdk
