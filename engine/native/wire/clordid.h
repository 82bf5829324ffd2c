// ClOrdID: 5 base-36 characters of epoch and 8 of sequence, padded to 14, so that the venue's log alone proves
// which epoch sent an order. Digits come before capital letters, so identifiers sort like their numbers.
#pragma once

#include <optional>

#include "wire/bytes.h"

namespace hft::clordid {

inline constexpr std::size_t kEpochCharacters = 5;
inline constexpr std::size_t kSequenceCharacters = 8;
inline constexpr std::size_t kBytes = 14;
inline constexpr std::uint64_t kEpochLimit = 60'466'176;            // 36^5
inline constexpr std::uint64_t kSequenceLimit = 2'821'109'907'456;  // 36^8

using ClOrdId = std::array<char, kBytes>;

struct Parts {
  std::uint64_t epoch;
  std::uint64_t sequence;
  bool operator==(const Parts&) const = default;
};

namespace detail {

inline constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

inline void put(char* at, std::size_t width, std::uint64_t value) {
  for (std::size_t i = width; i-- > 0; value /= 36) at[i] = kDigits[value % 36];
}

inline std::optional<std::uint64_t> take(std::string_view text) {
  std::uint64_t value = 0;
  for (const char digit : text) {
    const auto at = kDigits.find(digit);
    if (at == std::string_view::npos) return std::nullopt;
    value = value * 36 + at;
  }
  return value;
}

}  // namespace detail

// Nothing when a number does not fit its characters: an epoch must never wrap into an older one.
inline std::optional<ClOrdId> encode(Parts parts) {
  if (parts.epoch >= kEpochLimit || parts.sequence >= kSequenceLimit) return std::nullopt;
  ClOrdId id;
  id.fill(' ');
  detail::put(id.data(), kEpochCharacters, parts.epoch);
  detail::put(id.data() + kEpochCharacters, kSequenceCharacters, parts.sequence);
  return id;
}

inline std::string_view to_text(const ClOrdId& id) { return {id.data(), id.size()}; }

// Only what `encode` made: 13 digits and a space.
inline std::optional<Parts> decode(std::string_view text) {
  if (text.size() != kBytes || text[kBytes - 1] != ' ') return std::nullopt;
  const auto epoch = detail::take(text.substr(0, kEpochCharacters));
  const auto sequence = detail::take(text.substr(kEpochCharacters, kSequenceCharacters));
  if (!epoch || !sequence) return std::nullopt;
  return Parts{*epoch, *sequence};
}

}  // namespace hft::clordid
