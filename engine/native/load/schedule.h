// When things are due. Open loop: the n-th trigger is due at a fixed time whether or not the one before it was
// answered or even sent in time, and latency counts from that intended time. A generator that waits for answers
// hides exactly the stalls it should measure (coordinated omission).
#pragma once

#include <cstdint>

namespace hft::load {

struct Due {
  enum class Kind : std::uint8_t { trigger, prime, noise, end };
  Kind kind;
  std::uint64_t at_ns;  // since the schedule's start
  std::uint64_t index;
};

// A rest of the triggers before trigger `before`: whoever watches takes a first reading in it. Noise goes on.
struct Rest {
  std::uint64_t before = 0;
  std::uint64_t ns = 0;
};

// Triggers at a fixed rate; half an interval after each the quotes move to the next prices (prime); datagrams of
// noise at a rate of their own. Ties go to the trigger.
class Schedule {
 public:
  Schedule(std::uint64_t triggers, std::uint64_t triggers_per_s, std::uint64_t noise_datagrams_per_s, Rest rest = {})
      : triggers_(triggers), trigger_rate_(triggers_per_s), noise_rate_(noise_datagrams_per_s), rest_(rest) {}

  [[nodiscard]] static std::uint64_t at(std::uint64_t index, std::uint64_t per_s) {
    // 128 bits: index * 10^9 leaves 64 after five hours at a million a second.
    return static_cast<std::uint64_t>(static_cast<unsigned __int128>(index) * 1'000'000'000U / per_s);
  }
  [[nodiscard]] std::uint64_t trigger_at(std::uint64_t index) const { return at(index, trigger_rate_) + rested(index); }

  [[nodiscard]] Due peek() const {
    if (next_trigger_ == triggers_ && next_prime_ == triggers_) {
      return {Due::Kind::end, trigger_at(triggers_), 0};
    }
    const std::uint64_t trigger = next_trigger_ < triggers_ ? trigger_at(next_trigger_) : UINT64_MAX;
    const std::uint64_t prime = next_prime_ < triggers_ ? prime_at(next_prime_) : UINT64_MAX;
    const std::uint64_t noise = noise_rate_ == 0 ? UINT64_MAX : at(next_noise_, noise_rate_);
    if (trigger <= prime && trigger <= noise) return {Due::Kind::trigger, trigger, next_trigger_};
    if (prime <= noise) return {Due::Kind::prime, prime, next_prime_};
    return {Due::Kind::noise, noise, next_noise_};
  }

  void pop() {
    switch (peek().kind) {
      case Due::Kind::trigger: ++next_trigger_; return;
      case Due::Kind::prime: ++next_prime_; return;
      case Due::Kind::noise: ++next_noise_; return;
      case Due::Kind::end: return;
    }
  }

 private:
  [[nodiscard]] std::uint64_t rested(std::uint64_t index) const { return index >= rest_.before ? rest_.ns : 0; }
  [[nodiscard]] std::uint64_t prime_at(std::uint64_t index) const {
    return at(2 * index + 1, 2 * trigger_rate_) + rested(index);
  }

  std::uint64_t triggers_;
  std::uint64_t trigger_rate_;
  std::uint64_t noise_rate_;
  Rest rest_;
  std::uint64_t next_trigger_ = 0;
  std::uint64_t next_prime_ = 0;
  std::uint64_t next_noise_ = 0;
};

}  // namespace hft::load
