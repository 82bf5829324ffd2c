// SHA-256 as the house writes it: "sha256:" and 64 hex digits (FIPS 180-4, by libcrypto). Off the hot path.
#pragma once

#include <openssl/sha.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace hft::gateway {

inline std::string hex_of(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view DIGITS = "0123456789abcdef";
  std::string text;
  for (const auto byte : bytes) {
    text.push_back(DIGITS[byte >> 4]);
    text.push_back(DIGITS[byte & 15]);
  }
  return text;
}

inline std::array<std::uint8_t, SHA256_DIGEST_LENGTH> sha256(std::string_view bytes) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> sum{};
  SHA256(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), sum.data());
  return sum;
}

inline std::string digest_of(std::string_view bytes) { return "sha256:" + hex_of(sha256(bytes)); }

}  // namespace hft::gateway
