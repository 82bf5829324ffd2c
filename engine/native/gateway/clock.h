// The two clocks of the program; the pure parts get their readings as arguments.
#pragma once

#include <time.h>

#include <cstdint>

namespace hft::gateway {

inline std::int64_t read_clock(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

inline std::int64_t monotonic_ns() { return read_clock(CLOCK_MONOTONIC); }
inline std::int64_t utc_ns() { return read_clock(CLOCK_REALTIME); }

}  // namespace hft::gateway
