// MoldUDP64 1.00: sequenced messages in datagrams, and the request that asks for them again.
//
// Source: Nasdaq MoldUDP64 specification 1.00. A datagram is session10 sequence8 count2, then `count` blocks of
// length2 + data. Count 0 is a heartbeat and count 0xFFFF the end of the session; in both the sequence is the
// next one expected. A request has the header's shape; its count is how many messages are wanted.
#pragma once

#include <optional>

#include "wire/bytes.h"

namespace hft::mold {

inline constexpr Text<10> session{"session", 0};
inline constexpr U64 sequence{"sequence", 10};
inline constexpr U16 count{"count", 18};
inline constexpr std::size_t kHeaderBytes = 20;
inline constexpr std::size_t kBlockHeaderBytes = 2;
inline constexpr std::uint16_t kHeartbeat = 0;
inline constexpr std::uint16_t kEndOfSession = 0xFFFF;
// Ethernet's 1,500 less IP and UDP headers and room for a tunnel; what publishers here keep to.
inline constexpr std::size_t kDatagramBytesMax = 1400;

using Session = std::array<char, 10>;

inline Session make_session(std::string_view text) {
  Session made;
  made.fill(' ');
  std::copy_n(text.data(), std::min(text.size(), made.size()), made.begin());
  return made;
}

inline std::string_view to_text(const Session& name) { return {name.data(), name.size()}; }

// One datagram that was checked whole: every block lies inside and nothing is left over.
struct Packet {
  Reject why = Reject::empty;
  Session session{};
  std::uint64_t sequence = 0;
  std::uint16_t count = 0;  // messages: 0 for heartbeat and end of session
  bool heartbeat = false;
  bool end_of_session = false;
  Bytes blocks;
};

namespace detail {

// Walk the blocks without reading them; what is wrong with them, if anything.
inline Reject check_blocks(Bytes blocks, std::uint16_t messages) {
  std::size_t at = 0;
  for (std::uint16_t i = 0; i < messages; ++i) {
    if (blocks.size() - at < kBlockHeaderBytes) return Reject::too_short;
    const std::size_t length = load_be<2>(blocks.data() + at);
    if (blocks.size() - at - kBlockHeaderBytes < length) return Reject::bad_length;
    at += kBlockHeaderBytes + length;
  }
  return at == blocks.size() ? Reject::none : Reject::too_long;
}

}  // namespace detail

// All or nothing: half a datagram is never delivered, because its sequence numbers could not be trusted.
inline Packet parse(Bytes datagram) {
  Packet packet;
  if (datagram.empty()) return packet;
  packet.why = Reject::too_short;
  if (datagram.size() < kHeaderBytes) return packet;
  const auto text = session.load(datagram.data());
  std::copy_n(text.begin(), packet.session.size(), packet.session.begin());
  packet.sequence = sequence.load(datagram.data());
  const std::uint16_t raw = count.load(datagram.data());
  packet.heartbeat = raw == kHeartbeat;
  packet.end_of_session = raw == kEndOfSession;
  packet.count = packet.end_of_session ? 0 : raw;
  packet.blocks = datagram.subspan(kHeaderBytes);
  packet.why = packet.sequence + packet.count < packet.sequence ? Reject::bad_field
                                                                : detail::check_blocks(packet.blocks, packet.count);
  return packet;
}

// Call `take(sequence, message)` for each block, first to last.
template <class Take>
void for_each(const Packet& packet, Take&& take) {
  const std::uint8_t* at = packet.blocks.data();
  for (std::uint16_t i = 0; i < packet.count; ++i) {
    const std::size_t length = load_be<2>(at);
    take(packet.sequence + i, Bytes{at + kBlockHeaderBytes, length});
    at += kBlockHeaderBytes + length;
  }
}

// The packet without its first `messages` messages (they were delivered before).
inline Packet without_front(Packet packet, std::uint16_t messages) {
  std::size_t at = 0;
  for (std::uint16_t i = 0; i < messages; ++i) at += kBlockHeaderBytes + load_be<2>(packet.blocks.data() + at);
  packet.blocks = packet.blocks.subspan(at);
  packet.sequence += messages;
  packet.count = static_cast<std::uint16_t>(packet.count - messages);
  return packet;
}

inline std::size_t store_header(MutableBytes out, const Session& name, std::uint64_t first, std::uint16_t messages) {
  if (out.size() < kHeaderBytes) return 0;
  session.store(out.data(), to_text(name));
  sequence.store(out.data(), first);
  count.store(out.data(), messages);
  return kHeaderBytes;
}

// Fills one datagram in the caller's buffer; `add` says no when the message does not fit any more.
class Builder {
 public:
  Builder(MutableBytes out, const Session& name, std::uint64_t first) : out_(out), used_(kHeaderBytes) {
    if (store_header(out_, name, first, kHeartbeat) == 0) used_ = out_.size();
  }

  bool add(Bytes message) {
    if (used_ < kHeaderBytes || messages_ == kEndOfSession - 1 || message.size() > 0xFFFF) return false;
    if (out_.size() - used_ < kBlockHeaderBytes + message.size()) return false;
    store_be<2>(out_.data() + used_, message.size());
    std::copy(message.begin(), message.end(), out_.begin() + static_cast<std::ptrdiff_t>(used_ + kBlockHeaderBytes));
    used_ += kBlockHeaderBytes + message.size();
    count.store(out_.data(), ++messages_);
    return true;
  }

  std::uint16_t messages() const { return messages_; }
  Bytes datagram() const { return out_.first(used_ < kHeaderBytes ? 0 : used_); }

 private:
  MutableBytes out_;
  std::size_t used_;
  std::uint16_t messages_ = 0;
};

struct Request {
  Session session{};
  std::uint64_t first = 0;
  std::uint16_t count = 0;
  bool operator==(const Request&) const = default;
};

inline std::array<std::uint8_t, kHeaderBytes> encode(const Request& request) {
  std::array<std::uint8_t, kHeaderBytes> out;
  store_header(out, request.session, request.first, request.count);
  return out;
}

inline std::optional<Request> parse_request(Bytes datagram) {
  if (datagram.size() != kHeaderBytes) return std::nullopt;
  Request request;
  const auto text = session.load(datagram.data());
  std::copy_n(text.begin(), request.session.size(), request.session.begin());
  request.first = sequence.load(datagram.data());
  request.count = count.load(datagram.data());
  return request;
}

}  // namespace hft::mold
