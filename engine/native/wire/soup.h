// SoupBinTCP 3.00: length-framed packets over a byte stream; an incremental reader and the writers.
//
// Source: Nasdaq SoupBinTCP specification 3.00. A packet is length2 (of what follows it) type1 payload. The reader
// owns no memory: the caller lends it a buffer, receives into `space()`, says `commit(n)` and takes packets with
// `next()`; a payload is valid until the next call of `space()`. A peer is dead after 15 s of silence and says
// something every second; those times are for the owner of the socket, which alone has a clock.
#pragma once

#include <charconv>
#include <optional>

#include "wire/bytes.h"

namespace hft::soup {

inline constexpr std::size_t kFrameBytes = 3;
inline constexpr std::size_t kPayloadBytesMax = 0xFFFF - 1;
inline constexpr std::uint64_t kHeartbeatEveryMs = 1000;
inline constexpr std::uint64_t kPeerDeadAfterMs = 15000;

// Server to client in upper part, client to server below; '+' goes both ways.
enum Type : char {
  kLoginAccepted = 'A',
  kLoginRejected = 'J',
  kSequenced = 'S',
  kServerHeartbeat = 'H',
  kEndOfSession = 'Z',
  kDebug = '+',
  kLoginRequest = 'L',
  kUnsequenced = 'U',
  kClientHeartbeat = 'R',
  kLogoutRequest = 'O',
};

inline constexpr char kNotAuthorised = 'A';
inline constexpr char kSessionNotAvailable = 'S';

struct Packet {
  char type = 0;
  Bytes payload;
};

enum class Got : std::uint8_t { packet, need_more, broken };

struct Parsed {
  Got got;
  Reject why;            // bad_length when broken
  std::size_t consumed;  // bytes of the packet with its frame
  Packet packet;
};

// The packet at the front of `bytes`; a length of 0 has no type byte and breaks the stream for good.
inline Parsed parse(Bytes bytes, std::size_t packet_bytes_max = kFrameBytes + kPayloadBytesMax) {
  if (bytes.size() < 2) return {Got::need_more, Reject::none, 0, {}};
  const std::size_t length = load_be<2>(bytes.data());
  if (length == 0 || 2 + length > packet_bytes_max) return {Got::broken, Reject::bad_length, 0, {}};
  if (bytes.size() < 2 + length) return {Got::need_more, Reject::none, 0, {}};
  return {Got::packet, Reject::none, 2 + length, {static_cast<char>(bytes[2]), bytes.subspan(3, length - 1)}};
}

class Reader {
 public:
  explicit Reader(MutableBytes buffer) : buffer_(buffer) {}

  // Where to receive next. Unread bytes move to the front first, so payloads handed out before are gone.
  MutableBytes space() {
    std::copy(buffer_.begin() + at(read_), buffer_.begin() + at(filled_), buffer_.begin());
    filled_ -= read_;
    read_ = 0;
    return buffer_.subspan(filled_);
  }

  void commit(std::size_t bytes) { filled_ += std::min(bytes, buffer_.size() - filled_); }

  // Once broken it stays broken: after a wrong length nothing behind it has a meaning.
  Got next(Packet& packet) {
    if (broken_) return Got::broken;
    const Parsed parsed = parse(Bytes(buffer_).subspan(read_, filled_ - read_), buffer_.size());
    broken_ = parsed.got == Got::broken;
    if (parsed.got != Got::packet) return parsed.got;
    read_ += parsed.consumed;
    packet = parsed.packet;
    return Got::packet;
  }

  std::size_t unread() const { return filled_ - read_; }
  void reset() { read_ = filled_ = 0, broken_ = false; }

 private:
  static std::ptrdiff_t at(std::size_t offset) { return static_cast<std::ptrdiff_t>(offset); }

  MutableBytes buffer_;
  std::size_t read_ = 0;
  std::size_t filled_ = 0;
  bool broken_ = false;
};

// Frame `payload` into `out`; bytes written, 0 when it does not fit.
inline std::size_t write(MutableBytes out, char type, Bytes payload = {}) {
  const std::size_t total = kFrameBytes + payload.size();
  if (payload.size() > kPayloadBytesMax || out.size() < total) return 0;
  store_be<2>(out.data(), 1 + payload.size());
  out[2] = static_cast<std::uint8_t>(type);
  std::copy(payload.begin(), payload.end(), out.begin() + kFrameBytes);
  return total;
}

// Payload of 'L': which session and from which message on (0: only what is new, 1: from the start).
struct LoginRequest {
  static constexpr std::size_t length = 46;
  std::string_view username;
  std::string_view password;
  std::string_view session;
  std::uint64_t next_sequence = 0;
};

// Payload of 'A': the session and the number of the next sequenced packet.
struct LoginAccepted {
  static constexpr std::size_t length = 30;
  std::string_view session;
  std::uint64_t next_sequence = 0;
};

inline constexpr std::size_t kNumberBytes = 20;

// Sequence numbers travel as 20 characters of text, right-justified and padded with spaces on the left.
inline void store_number(std::uint8_t* at, std::uint64_t value) {
  std::array<char, kNumberBytes> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  const auto used = static_cast<std::size_t>(end - digits.data());
  std::fill_n(at, kNumberBytes - used, static_cast<std::uint8_t>(' '));
  std::copy_n(digits.data(), used, at + kNumberBytes - used);
}

// Padding on either side is taken; an all-blank field is 0; anything else than digits is no number.
inline std::optional<std::uint64_t> load_number(std::string_view text) {
  text = trimmed(text);
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  if (text.empty()) return 0;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

inline std::size_t write(MutableBytes out, const LoginRequest& login) {
  std::array<std::uint8_t, LoginRequest::length> payload;
  store_text(payload.data(), 6, login.username);
  store_text(payload.data() + 6, 10, login.password);
  std::fill_n(payload.data() + 16, 10, static_cast<std::uint8_t>(' '));
  const auto used = std::min<std::size_t>(login.session.size(), 10);
  std::copy_n(login.session.data(), used, payload.data() + 26 - used);
  store_number(payload.data() + 26, login.next_sequence);
  return write(out, kLoginRequest, payload);
}

inline std::size_t write(MutableBytes out, const LoginAccepted& accepted) {
  std::array<std::uint8_t, LoginAccepted::length> payload;
  std::fill_n(payload.data(), 10, static_cast<std::uint8_t>(' '));
  const auto used = std::min<std::size_t>(accepted.session.size(), 10);
  std::copy_n(accepted.session.data(), used, payload.data() + 10 - used);
  store_number(payload.data() + 10, accepted.next_sequence);
  return write(out, kLoginAccepted, payload);
}

inline std::size_t write_login_rejected(MutableBytes out, char reason) {
  const std::array<std::uint8_t, 1> payload{static_cast<std::uint8_t>(reason)};
  return write(out, kLoginRejected, payload);
}

namespace detail {
inline std::string_view stripped(std::string_view text) {
  text = trimmed(text);
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text;
}
}  // namespace detail

// Texts come back without padding and point into the payload.
inline std::optional<LoginRequest> parse_login_request(Bytes payload) {
  if (payload.size() != LoginRequest::length) return std::nullopt;
  const auto text = as_text(payload);
  const auto number = load_number(text.substr(26, kNumberBytes));
  if (!number) return std::nullopt;
  return LoginRequest{detail::stripped(text.substr(0, 6)), detail::stripped(text.substr(6, 10)),
                      detail::stripped(text.substr(16, 10)), *number};
}

inline std::optional<LoginAccepted> parse_login_accepted(Bytes payload) {
  if (payload.size() != LoginAccepted::length) return std::nullopt;
  const auto text = as_text(payload);
  const auto number = load_number(text.substr(10, kNumberBytes));
  if (!number) return std::nullopt;
  return LoginAccepted{detail::stripped(text.substr(0, 10)), *number};
}

}  // namespace hft::soup
