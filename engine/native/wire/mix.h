// The house's 64-bit mixing function: for hash tables and for rolling digests of state.
//
// One 64 x 64 -> 128 bit multiplication whose halves are folded together. It is fast and spreads well; it is not
// cryptographic: a digest made with it finds divergence between honest programs, not forgery.
#pragma once

#include <cstdint>

namespace hft {

inline constexpr std::uint64_t kMixA = 0x9E3779B97F4A7C15;
inline constexpr std::uint64_t kMixB = 0xD1B54A32D192ED03;
inline constexpr std::uint64_t kMixC = 0x8CB92BA72F3D8DD7;

constexpr std::uint64_t mix64(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
}

}  // namespace hft
