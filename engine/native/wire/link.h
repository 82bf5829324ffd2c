// The link between engine and gateway: packet letters of its own inside SoupBinTCP framing.
//
// On accept the gateway sends a nonce; the engine answers HELLO (JSON), is welcomed or refused, says CLAIM(epoch)
// exactly once, is welcomed or refused again, and from then on speaks plain SoupBinTCP and OUCH, but for one mark of
// the gateway: everything that was answered before the login lies before it. A gateway that asked for beats in its
// welcome gets them from the hot loop, from HELLO on; a standby may hold a link that has claimed nothing, and is told
// there which epoch it has been given. SoupBinTCP uses no lower-case letter, so a link packet can never be taken for
// one of its own. The JSON texts are made and read where there is time for JSON; here are only frames and limits.
#pragma once

#include "wire/soup.h"

namespace hft::link {

enum Type : char {
  kNonce = 'n',     // gateway: 32 random bytes
  kHello = 'h',     // engine: JSON {"contract","slot","egress","ticket"}
  kWelcome = 'w',   // gateway: JSON {"session","next_urn"}
  kRefused = 'x',   // gateway: JSON {"code","detail"}, or {"code","urn"} for one message later on
  kClaim = 'c',     // engine: epoch u64, once per connection
  kReplayed = 'm',  // gateway, behind its replay: the number of the next response, u64
  kBeat = 'b',      // engine: flags u8, the feed's next number u64; by its hot loop, as often as the welcome asks
  kFencedIn = 'f',  // gateway, to a standby's link: the epoch that this engine shall claim, u64
};

inline constexpr std::size_t kNonceBytes = 32;
inline constexpr std::size_t kHelloBytesMax = 8192;
inline constexpr std::size_t kClaimBytes = 8;
inline constexpr std::size_t kReplayedBytes = 8;
inline constexpr std::size_t kBeatBytes = 9;
inline constexpr std::size_t kFencedInBytes = 8;

constexpr bool is_link_letter(char type) {
  return type == kNonce || type == kHello || type == kWelcome || type == kRefused || type == kClaim ||
         type == kReplayed || type == kBeat || type == kFencedIn;
}

// What a hot loop says of itself.
struct Beat {
  bool is_standby = false;  // STANDBY, and so may be promoted
  bool is_fresh = false;    // the feed is neither stale nor gapped
  bool is_latched = false;
  std::uint64_t next_feed = 0;  // the number of the feed's message that it waits for

  bool operator==(const Beat&) const = default;
};

using Nonce = std::array<std::uint8_t, kNonceBytes>;

// Each writer returns the bytes written, 0 when `out` is too small or the payload too large.
inline std::size_t write_nonce(MutableBytes out, const Nonce& nonce) { return soup::write(out, kNonce, nonce); }

inline std::size_t write_hello(MutableBytes out, std::string_view json) {
  return json.size() > kHelloBytesMax ? 0 : soup::write(out, kHello, as_bytes(json));
}

inline std::size_t write_claim(MutableBytes out, std::uint64_t epoch) {
  std::array<std::uint8_t, kClaimBytes> payload;
  store_be<kClaimBytes>(payload.data(), epoch);
  return soup::write(out, kClaim, payload);
}

inline std::size_t write_replayed(MutableBytes out, std::uint64_t next_response) {
  std::array<std::uint8_t, kReplayedBytes> payload;
  store_be<kReplayedBytes>(payload.data(), next_response);
  return soup::write(out, kReplayed, payload);
}

inline std::size_t write_beat(MutableBytes out, const Beat& beat) {
  std::array<std::uint8_t, kBeatBytes> payload;
  payload[0] =
      static_cast<std::uint8_t>((beat.is_standby ? 1 : 0) | (beat.is_fresh ? 2 : 0) | (beat.is_latched ? 4 : 0));
  store_be<8>(payload.data() + 1, beat.next_feed);
  return soup::write(out, kBeat, payload);
}

inline std::size_t write_fenced_in(MutableBytes out, std::uint64_t epoch) {
  std::array<std::uint8_t, kFencedInBytes> payload;
  store_be<kFencedInBytes>(payload.data(), epoch);
  return soup::write(out, kFencedIn, payload);
}

inline std::size_t write_welcome(MutableBytes out, std::string_view json) {
  return soup::write(out, kWelcome, as_bytes(json));
}

inline std::size_t write_refused(MutableBytes out, std::string_view json) {
  return soup::write(out, kRefused, as_bytes(json));
}

inline std::optional<Nonce> parse_nonce(const soup::Packet& packet) {
  if (packet.type != kNonce || packet.payload.size() != kNonceBytes) return std::nullopt;
  Nonce nonce;
  std::copy(packet.payload.begin(), packet.payload.end(), nonce.begin());
  return nonce;
}

// The JSON text of HELLO; whether it is JSON is for its reader to say.
inline std::optional<std::string_view> parse_hello(const soup::Packet& packet) {
  if (packet.type != kHello || packet.payload.empty() || packet.payload.size() > kHelloBytesMax) return std::nullopt;
  return as_text(packet.payload);
}

inline std::optional<std::uint64_t> parse_claim(const soup::Packet& packet) {
  if (packet.type != kClaim || packet.payload.size() != kClaimBytes) return std::nullopt;
  return load_be<kClaimBytes>(packet.payload.data());
}

inline std::optional<std::uint64_t> parse_replayed(const soup::Packet& packet) {
  if (packet.type != kReplayed || packet.payload.size() != kReplayedBytes) return std::nullopt;
  return load_be<kReplayedBytes>(packet.payload.data());
}

inline std::optional<Beat> parse_beat(const soup::Packet& packet) {
  if (packet.type != kBeat || packet.payload.size() != kBeatBytes || packet.payload[0] > 7) return std::nullopt;
  const auto flags = packet.payload[0];
  return Beat{(flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0, load_be<8>(packet.payload.data() + 1)};
}

inline std::optional<std::uint64_t> parse_fenced_in(const soup::Packet& packet) {
  if (packet.type != kFencedIn || packet.payload.size() != kFencedInBytes) return std::nullopt;
  return load_be<kFencedInBytes>(packet.payload.data());
}

}  // namespace hft::link
