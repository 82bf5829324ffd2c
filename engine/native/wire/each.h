// Going through message lists and message fields at compile time; for printers, generators and tests.
#pragma once

#include "wire/bytes.h"

namespace hft {

// Call `take.template operator()<Message>()` for every message of the list.
template <class Take, class... Messages>
void for_each_message(MessageList<Messages...>, Take&& take) {
  (take.template operator()<Messages>(), ...);
}

// Call `take(descriptor)` for every field of a message, in wire order.
template <class Message, class Take>
void for_each_field(Take&& take) {
  std::apply([&](const auto&... field) { (take(field), ...); }, Message::fields);
}

}  // namespace hft
