// Times for the benchmark: wall clock and this thread's CPU time side by side, so that a run on a busy machine
// can say that it proves nothing.
#pragma once

#include <cstdint>
#include <ctime>

namespace hft::bench {

inline std::uint64_t now_ns(clockid_t clock) {
  timespec at{};
  clock_gettime(clock, &at);
  return static_cast<std::uint64_t>(at.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(at.tv_nsec);
}

// Adds up many short intervals.
class Stopwatch {
 public:
  template <class Work>
  void time(Work&& work) {
    const std::uint64_t wall = now_ns(CLOCK_MONOTONIC);
    const std::uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
    work();
    cpu_ns_ += now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
    wall_ns_ += now_ns(CLOCK_MONOTONIC) - wall;
  }

  std::uint64_t wall_ns() const { return wall_ns_; }
  double per_s(std::uint64_t items) const {
    return wall_ns_ == 0 ? 0 : static_cast<double>(items) * 1e9 / static_cast<double>(wall_ns_);
  }
  // Share of the time that went to somebody else.
  double stolen() const {
    return wall_ns_ <= cpu_ns_ ? 0 : 1 - static_cast<double>(cpu_ns_) / static_cast<double>(wall_ns_);
  }

 private:
  std::uint64_t wall_ns_ = 0;
  std::uint64_t cpu_ns_ = 0;
};

}  // namespace hft::bench
