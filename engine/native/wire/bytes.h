// Big-endian numbers and fixed text inside byte buffers, and the field descriptors all codecs are made of.
//
// Every protocol here (ITCH, MoldUDP64, SoupBinTCP, OUCH) is big-endian with fixed offsets. A message type is
// a struct of constexpr descriptors; a View reads them from bytes it does not own, a Writer sets them in bytes
// it does not own. One fact, one place: `view[AddOrder::price]`, `writer.set(AddOrder::price, 1000000)`.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>

namespace hft {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

// Why bytes from a wire were not taken; closed, so that every count of rejects has a known row.
enum class Reject : std::uint8_t {
  none,
  empty,          // no byte at all
  unknown_type,   // the type byte is not one of the protocol (or not of this profile)
  too_short,      // ends before the fixed part does
  too_long,       // bytes left over behind the message
  bad_length,     // a length field that contradicts the bytes around it
  bad_appendage,  // OUCH: option elements do not tile the appendage
  bad_field,      // a field holds a value the protocol does not know (side, number text)
  count_,
};

constexpr std::string_view to_text(Reject why) {
  constexpr std::array<std::string_view, static_cast<std::size_t>(Reject::count_)> kTexts{
      "none", "empty", "unknown_type", "too_short", "too_long", "bad_length", "bad_appendage", "bad_field"};
  const auto at = static_cast<std::size_t>(why);
  return at < kTexts.size() ? kTexts[at] : "unknown";
}

// Read `Width` bytes as an unsigned big-endian number: one load and a byte swap for 1, 2, 4 and 8.
template <std::size_t Width>
inline std::uint64_t load_be(const std::uint8_t* at) {
  if constexpr (Width == 1) {
    return *at;
  } else if constexpr (Width == 2) {
    std::uint16_t value;
    std::memcpy(&value, at, Width);
    return __builtin_bswap16(value);
  } else if constexpr (Width == 4) {
    std::uint32_t value;
    std::memcpy(&value, at, Width);
    return __builtin_bswap32(value);
  } else if constexpr (Width == 8) {
    std::uint64_t value;
    std::memcpy(&value, at, Width);
    return __builtin_bswap64(value);
  } else {
    static_assert(Width == 6);
    return load_be<2>(at) << 32 | load_be<4>(at + 2);
  }
}

template <std::size_t Width>
inline void store_be(std::uint8_t* at, std::uint64_t value) {
  for (std::size_t i = 0; i < Width; ++i) at[Width - 1 - i] = static_cast<std::uint8_t>(value >> (8 * i));
}

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline Bytes wire_bytes(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

inline std::string_view as_text(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// Fixed-width text is left-justified and padded with spaces; this is what a person would call it.
constexpr std::string_view trimmed(std::string_view text) {
  const auto last = text.find_last_not_of(' ');
  return last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
}

inline void store_text(std::uint8_t* at, std::size_t width, std::string_view text) {
  const auto used = std::min(width, text.size());
  std::copy_n(text.data(), used, at);
  std::fill_n(at + used, width - used, static_cast<std::uint8_t>(' '));
}

// An unsigned number of `Width` bytes at `offset`.
template <class Value, std::size_t Width = sizeof(Value)>
struct Number {
  using value_type = Value;
  static constexpr std::size_t width = Width;
  std::string_view name;
  std::size_t offset;

  Value load(const std::uint8_t* message) const { return static_cast<Value>(load_be<Width>(message + offset)); }
  void store(std::uint8_t* message, Value value) const {
    store_be<Width>(message + offset, static_cast<std::uint64_t>(value));
  }
};

using U8 = Number<std::uint8_t>;
using U16 = Number<std::uint16_t>;
using U32 = Number<std::uint32_t>;
using U48 = Number<std::uint64_t, 6>;
using U64 = Number<std::uint64_t>;

// One letter.
struct Letter {
  using value_type = char;
  static constexpr std::size_t width = 1;
  std::string_view name;
  std::size_t offset;

  constexpr char load(const std::uint8_t* message) const { return static_cast<char>(message[offset]); }
  constexpr void store(std::uint8_t* message, char value) const { message[offset] = static_cast<std::uint8_t>(value); }
};

// Text of `Width` bytes, as it lies there: padding included (see trimmed).
template <std::size_t Width>
struct Text {
  using value_type = std::string_view;
  static constexpr std::size_t width = Width;
  std::string_view name;
  std::size_t offset;

  std::string_view load(const std::uint8_t* message) const {
    return {reinterpret_cast<const char*>(message) + offset, Width};
  }
  void store(std::uint8_t* message, std::string_view value) const { store_text(message + offset, Width, value); }
};

// Do the fields of a message, in order, fill bytes [first, length) without a hole or an overlap?
template <class Fields>
constexpr bool tiles(const Fields& fields, std::size_t first, std::size_t length) {
  std::size_t at = first;
  bool whole = true;
  std::apply(
      [&](const auto&... field) {
        ((whole = whole && field.offset == at, at += std::remove_cvref_t<decltype(field)>::width), ...);
      },
      fields);
  return whole && at == length;
}

// Typed reading of bytes whose length was checked already; costs nothing and owns nothing.
template <class Message>
class View {
 public:
  using message_type = Message;
  constexpr explicit View(const std::uint8_t* message) : message_(message) {}

  template <class Field>
  auto operator[](const Field& field) const {
    return field.load(message_);
  }
  constexpr const std::uint8_t* data() const { return message_; }

 private:
  const std::uint8_t* message_;
};

// Typed writing into `Message::length` bytes of the caller's buffer; starts as zeros and the type letter.
template <class Message>
class Writer {
 public:
  explicit Writer(std::uint8_t* message) : message_(message) {
    std::memset(message_, 0, Message::length);
    message_[0] = static_cast<std::uint8_t>(Message::type);
  }

  template <class Field>
  Writer& set(const Field& field, typename Field::value_type value) {
    field.store(message_, value);
    return *this;
  }
  Bytes bytes() const { return {message_, Message::length}; }

 private:
  std::uint8_t* message_;
};

// Every message of one protocol and direction, once; decoders, printers and tests all go through such a list.
template <class... Messages>
struct MessageList {
  static constexpr std::size_t size = sizeof...(Messages);
};

}  // namespace hft
