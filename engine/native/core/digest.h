// Rolling digest of decisions: 256 bits of state on the hot path, SHA-256 only when somebody asks.
//
// Not a cryptographic chain: the journal's seals are. It answers "did two runs decide the same, in the same order",
// where a difference of one bit must show and does: each lane is a bijection of its state for a given word.
#pragma once

#include <array>
#include <cstring>
#include <span>
#include <string>

#include "base/digest.h"

namespace hft::core {

class RollingDigest {
 public:
  void add(std::uint64_t word) {
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) lanes_[lane] = mix(lanes_[lane] ^ word, kOdd[lane]);
  }

  void add(std::span<const std::byte> bytes) {
    add(bytes.size());
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes.data() + at, std::min<std::size_t>(8, bytes.size() - at));
      add(word);
    }
  }

  [[nodiscard]] std::string text() const { return base::hex(base::sha256(std::as_bytes(std::span(lanes_)))); }
  [[nodiscard]] std::uint64_t word() const { return lanes_[0] ^ lanes_[3]; }

 private:
  // Odd multipliers of splitmix64 and of its relatives (Steele, Lea, Flood: Fast Splittable PRNGs, 2014).
  static constexpr std::array<std::uint64_t, 4> kOdd{0x9E3779B97F4A7C15ULL, 0xBF58476D1CE4E5B9ULL,
                                                     0x94D049BB133111EBULL, 0xD6E8FEB86659FD93ULL};

  static std::uint64_t mix(std::uint64_t value, std::uint64_t odd) {
    value = (value + odd) * odd;
    return value ^ (value >> 29);
  }

  std::array<std::uint64_t, 4> lanes_{1, 2, 3, 4};
};

// Collects numbers and texts of a state for one SHA-256; each piece is length-prefixed or fixed-width.
class StateHash {
 public:
  StateHash& number(std::uint64_t value) {
    stream_.add(std::as_bytes(std::span(&value, 1)));
    return *this;
  }
  StateHash& text(std::string_view value) {
    number(value.size());
    stream_.add(std::as_bytes(std::span(value.data(), value.size())));
    return *this;
  }
  std::string finish() { return base::hex(stream_.take()); }

 private:
  base::Sha256Stream stream_;
};

}  // namespace hft::core
