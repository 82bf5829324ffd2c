// What a thread does while it waits: burn (spin), offer the CPU (yield), or sleep longer and longer (backoff).
//
// spin is for an isolated CPU of one's own; backoff is mandatory where the CPU is shared or emulated: a spinning
// thread there steals the time of the very process it waits for.
#pragma once

#include <immintrin.h>
#include <sched.h>
#include <time.h>

#include <algorithm>
#include <optional>
#include <string_view>

namespace hft::load {

enum class Idle { spin, yield, backoff };

constexpr std::optional<Idle> find_idle(std::string_view name) {
  if (name == "spin") return Idle::spin;
  if (name == "yield") return Idle::yield;
  if (name == "backoff") return Idle::backoff;
  return std::nullopt;
}

class Waiter {
 public:
  explicit Waiter(Idle idle) : idle_(idle) {}

  void worked() { turns_ = 0; }

  // `left_ns`: nothing is due before that, so a sleep may not be longer.
  void wait(std::uint64_t left_ns) {
    ++turns_;
    if (idle_ == Idle::spin || (idle_ == Idle::backoff && turns_ < kSpins)) return _mm_pause();
    if (idle_ == Idle::yield || turns_ < kSpins + kYields) {
      ::sched_yield();
      return;
    }
    const std::uint64_t wanted = kSleepNsMin << std::min<std::uint64_t>(turns_ - kSpins - kYields, 6);
    const timespec sleep{0, static_cast<long>(std::min(wanted, left_ns))};
    if (sleep.tv_nsec > 0) ::nanosleep(&sleep, nullptr);
  }

 private:
  static constexpr std::uint64_t kSpins = 100;
  static constexpr std::uint64_t kYields = 10;
  static constexpr std::uint64_t kSleepNsMin = 2'000;  // up to 128 us

  Idle idle_;
  std::uint64_t turns_ = 0;
};

}  // namespace hft::load
