// The Internet checksum (RFC 1071): ones' complement sum of 16-bit words, in any byte order.
#pragma once

#include "wire/bytes.h"

namespace hft::dpdk {

// Sums native words: the folded result, stored as it lies in memory, is right on either byte order (RFC 1071 2.B).
inline std::uint64_t sum_words(Bytes bytes, std::uint64_t sum = 0) {
  std::size_t at = 0;
  for (; at + 4 <= bytes.size(); at += 4) {
    std::uint32_t word;
    std::memcpy(&word, bytes.data() + at, 4);
    sum += word;
  }
  if (at + 2 <= bytes.size()) {
    std::uint16_t word;
    std::memcpy(&word, bytes.data() + at, 2);
    sum += word;
    at += 2;
  }
  if (at < bytes.size()) {
    const std::array<std::uint8_t, 2> last{bytes[at], 0};
    std::uint16_t word;
    std::memcpy(&word, last.data(), 2);
    sum += word;
  }
  return sum;
}

inline std::uint16_t fold(std::uint64_t sum) {
  while ((sum >> 16) != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

// Bytes that carry their own checksum sum up to all ones.
inline bool sums_up(Bytes bytes, std::uint64_t sum = 0) { return fold(sum_words(bytes, sum)) == 0xFFFF; }

// Writes the checksum of `bytes` into them; the field is two bytes at `field`.
inline void store_checksum(MutableBytes bytes, std::size_t field) {
  bytes[field] = bytes[field + 1] = 0;
  const auto sum = static_cast<std::uint16_t>(~fold(sum_words(bytes)));
  std::memcpy(bytes.data() + field, &sum, sizeof sum);
}

}  // namespace hft::dpdk
