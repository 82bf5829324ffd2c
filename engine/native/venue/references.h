// Order reference numbers that are not dense. Real ones are unique for the day and rising, but one book sees
// only some of them, and other venues hash theirs; an index by "reference minus first" must not look good here.
#pragma once

#include <cstdint>

namespace hft::venue {

enum class References : std::uint8_t { gapped, hashed };

// One round of a well mixing bijection on 64 bits (the finalizer of splitmix64, Steele et al., OOPSLA 2014).
constexpr std::uint64_t mix64(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31);
}

// The splitmix64 stream: the whole venue draws its randomness from seeded instances of this.
class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) : state_(seed) {}
  constexpr std::uint64_t next() { return mix64(state_ += 0x9E3779B97F4A7C15ULL); }
  // Uniform enough below `bound` (> 0) for simulation: the bias is below bound / 2^64.
  constexpr std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  constexpr double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  std::uint64_t state_;
};

class ReferenceSource {
 public:
  constexpr ReferenceSource(References kind, std::uint64_t seed, std::uint64_t first)
      : kind_(kind), random_(seed), counter_(first) {}

  // Unique by construction: gapped ones rise, hashed ones are a bijection of a rising counter.
  constexpr std::uint64_t next() {
    if (kind_ == References::hashed) return mix64(++counter_);  // 0 maps to 0 and is never drawn
    return counter_ += 1 + random_.below(29);
  }

 private:
  References kind_;
  Random random_;
  std::uint64_t counter_;
};

}  // namespace hft::venue
