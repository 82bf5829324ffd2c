// Decoding of ITCH 5.0: a message by its length and its type, or by its type alone; and a visitor over all types.
//
// By length: what MoldUDP64 and Nasdaq's own files give, `length2 + message`; the length must be the type's.
// By type: for files whose length prefixes say nothing; the type tells how far the message goes.
#pragma once

#include "wire/itch.h"

namespace hft::itch {

namespace detail {

template <class... Messages>
constexpr std::array<std::uint8_t, 256> lengths_of(MessageList<Messages...>) {
  static_assert((tiles(Messages::fields, kHeaderBytes, Messages::length) && ...), "a field is misplaced");
  std::array<std::uint8_t, 256> lengths{};
  ((lengths[static_cast<std::uint8_t>(Messages::type)] = Messages::length), ...);
  return lengths;
}

inline constexpr auto kLengths = lengths_of(AllMessages{});

}  // namespace detail

// Bytes of a message of this type, the type byte included; 0 for a letter that ITCH 5.0 does not use.
constexpr std::size_t length_of(char type) { return detail::kLengths[static_cast<std::uint8_t>(type)]; }

// May these bytes, exactly, be read as the type that their first byte names?
constexpr Reject check(Bytes message) {
  if (message.empty()) return Reject::empty;
  const auto want = detail::kLengths[message[0]];
  if (message.size() == want) return Reject::none;
  if (want == 0) return Reject::unknown_type;
  return message.size() < want ? Reject::too_short : Reject::too_long;
}

struct ByType {
  Reject why;
  std::size_t length;  // of the message at the front of the bytes; 0 when rejected
};

// How long is the message at the front of `rest`, judged by its type byte?
constexpr ByType check_by_type(Bytes rest) {
  if (rest.empty()) return {Reject::empty, 0};
  const std::size_t want = detail::kLengths[rest[0]];
  if (want == 0) return {Reject::unknown_type, 0};
  if (rest.size() < want) return {Reject::too_short, 0};
  return {Reject::none, want};
}

namespace detail {

template <class Visitor, class... Messages>
void visit_checked(const std::uint8_t* message, Visitor& visitor, MessageList<Messages...>) {
  const char type = static_cast<char>(message[0]);
  static_cast<void>(((type == Messages::type && (visitor(View<Messages>(message)), true)) || ...));
}

}  // namespace detail

// Check the bytes and call `visitor(View<M>)` for the one type they are; on a reject nothing is called.
template <class Visitor>
Reject visit(Bytes message, Visitor&& visitor) {
  const Reject why = check(message);
  if (why == Reject::none) detail::visit_checked(message.data(), visitor, AllMessages{});
  return why;
}

// Order messages carry the reference they act on at the same place, which a prefetch can read before decoding.
constexpr bool names_an_order(char type) {
  switch (type) {
    case AddOrder::type:
    case AddOrderMpid::type:
    case OrderExecuted::type:
    case OrderExecutedPrice::type:
    case OrderCancel::type:
    case OrderDelete::type:
    case OrderReplace::type: return true;
    default: return false;
  }
}
inline constexpr U64 order_reference{"order_reference_number", 11};

}  // namespace hft::itch
