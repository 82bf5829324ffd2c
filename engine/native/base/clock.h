// The two clocks (clock_gettime(2)): one that orders and measures, one that people and other hosts share.
//
// Pure code gets their readings as arguments. 64 bits of nanoseconds since 1970 fit a signed number until 2262.
#pragma once

#include <time.h>

#include <cstdint>

namespace hft::base {

inline std::uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

inline constexpr std::uint64_t kNsPerMs = 1'000'000;

inline std::uint64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }
inline std::uint64_t realtime_ns() { return clock_ns(CLOCK_REALTIME); }

}  // namespace hft::base
